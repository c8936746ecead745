//! Windows: the tray in the user's Run key, which starts it at each login without a window. A
//! Windows service would have neither the user's `%AppData%` nor an icon.

use std::path::{Path, PathBuf};

use super::site::Site;
use super::step::{Logs, ServiceError, ServiceRequest, ServiceState, ServiceStep};

/// The Run key, under `HKEY_CURRENT_USER`.
const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
/// The key where Task Manager and Settings keep what a user has disabled: a binary value of the
/// same name, whose first byte is then odd.
const APPROVED: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run";
/// The value's name. Task Manager shows it.
const NAME: &str = "goroam";
const TRAY: &str = "goroam-tray.exe";
/// Longest command line: Windows ignores a longer one (documented at "Run and RunOnce Registry
/// Keys").
const MOST: usize = 260;

/// The steps that a request takes.
///
/// # Errors
/// When the registry cannot be read, or the tray is not beside goroam.
#[cfg(windows)]
pub fn plan(wish: ServiceRequest, site: &Site) -> Result<Vec<ServiceStep>, ServiceError> {
    steps(wish, site, &look()?)
}

/// The state of the start-up item.
///
/// # Errors
/// When the registry cannot be read.
#[cfg(windows)]
pub fn state(site: &Site) -> Result<ServiceState, ServiceError> {
    Ok(describe(site, &look()?))
}

/// The command that shows the log. It uses PowerShell, which is part of every Windows that goroam
/// runs on; `tail` is not.
///
/// # Errors
/// When there is no log yet.
pub fn logs(site: &Site, logs: &Logs) -> Result<ServiceStep, ServiceError> {
    let path = site.paths.log();
    if !path.exists() {
        let why = format!(
            "{}: there is none yet; the tray writes it, and `goroam service install` starts that",
            path.display()
        );
        return Err(ServiceError::Failed(why));
    }
    let quoted = path.display().to_string().replace('\'', "''");
    let follow = if logs.follow { " -Wait" } else { "" };
    let script = format!(
        "[Console]::OutputEncoding = [Text.Encoding]::UTF8; \
         Get-Content -LiteralPath '{quoted}' -Encoding UTF8 -Tail {}{follow}",
        logs.lines
    );
    let args = ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command"];
    let args = args.into_iter().chain([script.as_str()]);
    Ok(ServiceStep::run("powershell.exe", args))
}

/// The state of the registry and the pipe.
#[derive(Debug, Clone, Default)]
struct RunKeyFacts {
    /// The value in the Run key.
    command: Option<String>,
    /// The value that Task Manager has written about it.
    approved: Option<Vec<u8>>,
    /// Whether an agent of this user listens.
    answers: bool,
}

impl RunKeyFacts {
    fn is_switched_off(&self) -> bool {
        let first = self.approved.as_ref().and_then(|bytes| bytes.first());
        first.is_some_and(|first| first % 2 == 1)
    }
}

#[cfg(windows)]
fn look() -> Result<RunKeyFacts, ServiceError> {
    use super::registry;

    let failed = |key: &'static str| {
        move |error| ServiceError::Failed(format!(r"HKCU\{key}\{NAME}: {error}"))
    };
    Ok(RunKeyFacts {
        command: registry::get(RUN, NAME).map_err(failed(RUN))?,
        approved: registry::get_bytes(APPROVED, NAME).map_err(failed(APPROVED))?,
        answers: crate::ipc::is_listening().unwrap_or(false),
    })
}

fn steps(
    wish: ServiceRequest,
    site: &Site,
    facts: &RunKeyFacts,
) -> Result<Vec<ServiceStep>, ServiceError> {
    let remove = |key| ServiceStep::RemoveValue(key, NAME);
    let start = || -> Result<ServiceStep, ServiceError> {
        let args = policy_args(site).into_iter().map(Into::into);
        Ok(ServiceStep::Spawn(tray(site)?, args.collect()))
    };
    let tell = |text: &str| vec![ServiceStep::Tell(text.to_owned())];
    Ok(match wish {
        ServiceRequest::Install => vec![
            ServiceStep::SetValue(RUN, NAME, command(site)?),
            // A start-up item that was once disabled would not start in spite of the value.
            remove(APPROVED),
            ServiceStep::EndAgent,
            start()?,
        ],
        ServiceRequest::Uninstall => vec![remove(RUN), remove(APPROVED), ServiceStep::EndAgent],
        ServiceRequest::Start if facts.answers => tell("an agent runs already"),
        ServiceRequest::Start => vec![start()?],
        ServiceRequest::Stop if !facts.answers => tell("no agent runs"),
        ServiceRequest::Stop => vec![ServiceStep::EndAgent],
        ServiceRequest::Restart => vec![ServiceStep::EndAgent, start()?],
    })
}

fn describe(site: &Site, facts: &RunKeyFacts) -> ServiceState {
    let program = facts.command.as_deref().and_then(program_of);
    let mut troubles = Vec::new();
    if let Some(program) = program.as_ref().filter(|program| !program.is_file()) {
        troubles.push(format!(
            "{} is not there: `goroam service install` names the one that is",
            program.display()
        ));
    } else if let (Some(now), Ok(wanted)) = (&facts.command, command(site))
        && !now.eq_ignore_ascii_case(&wanted)
        && !follows_another_policy(now, &wanted, site)
    {
        troubles.push(format!(
            "it starts {now}, and this goroam would start {wanted}: `goroam service install`"
        ));
    }
    if facts.command.is_some() && facts.is_switched_off() {
        troubles.push(
            "it is switched off in Task Manager or Settings (startup apps): switch it on there, or `goroam service install`"
                .to_owned(),
        );
    }
    let word = if facts.answers {
        "an agent listens"
    } else {
        "no agent runs"
    };
    ServiceState {
        kind: format!("start-up item {NAME} of this user"),
        enabled: facts.command.is_some() && !facts.is_switched_off(),
        installed: facts
            .command
            .is_some()
            .then(|| format!(r"HKCU\{RUN}\{NAME}")),
        pid: None,
        program,
        word: word.to_owned(),
        lingers: None,
        troubles,
    }
}

/// Reports whether the line starts the same program with a policy that this caller has not named.
/// Such a line cannot be compared.
fn follows_another_policy(now: &str, wanted: &str, site: &Site) -> bool {
    let beyond = now.get(wanted.len()..).unwrap_or_default();
    !site.paths.policy_named
        && now
            .get(..wanted.len())
            .is_some_and(|program| program.eq_ignore_ascii_case(wanted))
        && beyond.starts_with(" --config ")
}

/// Builds the command line that Windows starts.
fn command(site: &Site) -> Result<String, ServiceError> {
    let mut line = quoted(&tray(site)?.display().to_string());
    if let [option, policy] = policy_args(site).as_slice() {
        line.push_str(&format!(" {option} {}", quoted(policy)));
    }
    if line.encode_utf16().count() > MOST {
        return Err(ServiceError::Refused(format!(
            "Windows starts nothing at login whose line is longer than {MOST} characters, as this one is: {line}; keep goroam or the policy in a folder with a shorter name"
        )));
    }
    Ok(line)
}

/// Returns `--config POLICY` if the policy was named.
fn policy_args(site: &Site) -> Vec<String> {
    let policy = site.paths.policy_named.then_some(&site.paths.policy);
    let args = policy.map(|policy| ["--config".to_owned(), policy.display().to_string()]);
    args.into_iter().flatten().collect()
}

/// Quotes a path. A path contains no quotes; a backslash before the closing quote would count as an
/// escape (CommandLineToArgvW).
fn quoted(word: &str) -> String {
    let backslash = if word.ends_with('\\') { "\\" } else { "" };
    format!("\"{word}{backslash}\"")
}

/// Returns the program of a line: up to the closing quote, or to the first space.
fn program_of(command: &str) -> Option<PathBuf> {
    let command = command.trim_start();
    let program = match command.strip_prefix('"') {
        Some(rest) => rest.split('"').next()?,
        None => command.split(' ').next()?,
    };
    (!program.is_empty()).then(|| PathBuf::from(program))
}

/// Finds the tray beside this program, under the name that was called or under its real name.
fn tray(site: &Site) -> Result<PathBuf, ServiceError> {
    let real = dunce::canonicalize(&site.program).ok();
    let programs = [Some(site.program.clone()), real];
    let mut beside = programs
        .into_iter()
        .flatten()
        .map(|program| program.with_file_name(TRAY));
    if let Some(tray) = beside.find(|tray| tray.is_file()) {
        return Ok(tray);
    }
    let folder = site.program.parent().unwrap_or(Path::new("."));
    let why = format!(
        "{TRAY} is not in {}: it comes in the same archive as goroam.exe; put it there and try again",
        folder.display()
    );
    Err(ServiceError::Failed(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::paths::Paths;

    /// A directory with both programs, and its site.
    fn site() -> (tempfile::TempDir, Site) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("goroam.exe");
        for name in ["goroam.exe", TRAY] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let site = Site {
            program,
            home: folder.path().to_owned(),
            env: Environment::default(),
            paths: Paths {
                policy: folder.path().join("a policy.toml"),
                policy_named: false,
                machine_policy: "/nowhere/goroam.toml".into(),
                state: folder.path().join("data"),
                data: folder.path().join("data"),
                runtime: folder.path().join("data/run"),
            },
        };
        (folder, site)
    }

    fn names(steps: &[ServiceStep]) -> Vec<String> {
        let last = |key: &str| key.rsplit('\\').take(2).collect::<Vec<_>>().join(" of ");
        let name = |step: &ServiceStep| match step {
            ServiceStep::SetValue(key, ..) => format!("set {}", last(key)),
            ServiceStep::RemoveValue(key, _) => format!("remove {}", last(key)),
            ServiceStep::EndAgent => "end".to_owned(),
            ServiceStep::Spawn(..) => "spawn".to_owned(),
            ServiceStep::Tell(text) => text.clone(),
            ServiceStep::Write(..)
            | ServiceStep::Remove(_)
            | ServiceStep::RemoveEmpty(_)
            | ServiceStep::Run { .. } => {
                format!("{step:?}")
            }
        };
        steps.iter().map(name).collect()
    }

    #[test]
    fn each_wish_has_its_steps() {
        let (_folder, site) = site();
        let facts = |answers| RunKeyFacts {
            answers,
            ..RunKeyFacts::default()
        };
        let cases: [(ServiceRequest, bool, &[&str]); 7] = [
            (
                ServiceRequest::Install,
                true,
                &[
                    "set Run of CurrentVersion",
                    "remove Run of StartupApproved",
                    "end",
                    "spawn",
                ],
            ),
            (
                ServiceRequest::Uninstall,
                true,
                &[
                    "remove Run of CurrentVersion",
                    "remove Run of StartupApproved",
                    "end",
                ],
            ),
            (ServiceRequest::Start, false, &["spawn"]),
            (ServiceRequest::Start, true, &["an agent runs already"]),
            (ServiceRequest::Stop, true, &["end"]),
            (ServiceRequest::Stop, false, &["no agent runs"]),
            (ServiceRequest::Restart, false, &["end", "spawn"]),
        ];
        for (wish, answers, want) in cases {
            let steps = steps(wish, &site, &facts(answers)).unwrap();
            assert_eq!(names(&steps), want, "{wish:?}");
        }
    }

    #[test]
    fn the_line_is_quoted_and_hands_a_named_policy_on() {
        let (folder, mut site) = site();
        let here = folder.path().display();
        let tray = folder.path().join(TRAY).display().to_string();
        assert_eq!(command(&site).unwrap(), format!("\"{tray}\""));
        site.paths.policy_named = true;
        let policy = site.paths.policy.display().to_string();
        assert_eq!(
            command(&site).unwrap(),
            format!("\"{tray}\" --config \"{policy}\"")
        );
        site.paths.policy = PathBuf::from("C:\\policies\\");
        assert!(command(&site).unwrap().ends_with("\"C:\\policies\\\\\""));
        // Windows would start nothing, and would not report it.
        site.paths.policy = folder.path().join("x".repeat(260));
        let refused = command(&site).unwrap_err();
        assert!(matches!(refused, ServiceError::Refused(_)), "{refused}");
        std::fs::remove_file(&tray).unwrap();
        let missing = command(&site).unwrap_err().to_string();
        assert!(
            missing.contains(&format!("goroam-tray.exe is not in {here}")),
            "{missing}"
        );
    }

    #[test]
    fn the_state_says_what_would_keep_it_from_starting() {
        let (folder, site) = site();
        let own = command(&site).unwrap();
        let of = |command: Option<&str>, approved: Option<&[u8]>| {
            let facts = RunKeyFacts {
                command: command.map(str::to_owned),
                approved: approved.map(<[u8]>::to_vec),
                answers: true,
            };
            describe(&site, &facts)
        };
        let none = of(None, None);
        assert_eq!(
            (none.enabled, none.installed, none.troubles.len()),
            (false, None, 0)
        );
        // Task Manager writes 02 for enabled and 03 for disabled, followed by the time.
        let well = of(Some(&own), Some(&[2, 0, 0, 0]));
        assert_eq!(
            (well.enabled, well.troubles.len()),
            (true, 0),
            "{:?}",
            well.troubles
        );
        assert_eq!(well.program, Some(folder.path().join(TRAY)));
        let named = of(Some(&format!("{own} --config \"C:\\a.toml\"")), None);
        assert_eq!(named.troubles, [""; 0], "installed with --config");
        let off = of(Some(&own), Some(&[3, 0, 0, 0, 9, 9]));
        assert!(
            !off.enabled && off.troubles[0].contains("Task Manager"),
            "{:?}",
            off.troubles
        );
        let gone = of(Some("\"C:\\gone\\goroam-tray.exe\""), None);
        assert!(
            gone.troubles[0].contains("is not there"),
            "{:?}",
            gone.troubles
        );
        let other = folder.path().join("other.exe");
        std::fs::write(&other, "").unwrap();
        let other = of(Some(&other.display().to_string()), None);
        assert!(
            other.troubles[0].contains("would start"),
            "{:?}",
            other.troubles
        );
    }

    #[test]
    fn the_log_is_shown_once_there_is_one_and_its_name_is_quoted() {
        let (_folder, mut site) = site();
        let wanted = Logs {
            lines: 20,
            follow: true,
        };
        assert!(logs(&site, &wanted).is_err());
        site.paths.state = site.home.join("d'Arc");
        std::fs::create_dir(&site.paths.state).unwrap();
        std::fs::write(site.paths.log(), "").unwrap();
        let Ok(ServiceStep::Run { args, .. }) = logs(&site, &wanted) else {
            panic!("no command");
        };
        let script = args.last().unwrap().to_string_lossy();
        assert!(script.contains("d''Arc"), "{script}");
        assert!(script.ends_with("-Tail 20 -Wait"), "{script}");
    }

    #[test]
    fn the_program_of_a_line_is_found() {
        for (line, program) in [
            ("\"C:\\a b\\x.exe\" --config \"y\"", Some("C:\\a b\\x.exe")),
            ("C:\\a\\x.exe --config y", Some("C:\\a\\x.exe")),
            ("", None),
            ("\"\"", None),
        ] {
            assert_eq!(program_of(line), program.map(PathBuf::from), "{line}");
        }
    }
}
