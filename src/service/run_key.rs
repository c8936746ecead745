//! Windows: the tray in the user's Run key, which starts it at each login without a window. A
//! Windows service would have neither the user's `%AppData%` nor an icon.

use std::path::{Path, PathBuf};

use super::error::ServiceError;
use super::site::Site;
use super::step::ServiceStep;
use super::step::{Logs, ServiceRequest, ServiceState};

/// Under `HKEY_CURRENT_USER`.
const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
/// Where Task Manager and Settings keep what a user has switched off: a binary value of the same
/// name, whose first byte is odd then.
const APPROVED: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run";
/// The value's name, as Task Manager shows it.
const NAME: &str = "goroam";
const TRAY: &str = "goroam-tray.exe";
/// Windows passes a longer line over (documented at "Run and RunOnce Registry Keys").
const MOST: usize = 260;

#[cfg(windows)]
pub(super) fn plan(wish: ServiceRequest, site: &Site) -> Result<Vec<ServiceStep>, ServiceError> {
    steps(wish, site, &look()?)
}

#[cfg(windows)]
pub(super) fn state(site: &Site) -> Result<ServiceState, ServiceError> {
    Ok(describe(site, &look()?))
}

/// PowerShell is part of every Windows that goroam runs on; a `tail` is not.
pub(super) fn logs(site: &Site, logs: &Logs) -> Result<ServiceStep, ServiceError> {
    let path = site.paths.log();
    if !path.exists() {
        let why = format!(
            "{}: there is none yet; the tray writes it, and `goroam service install` starts that",
            path.display()
        );
        return Err(ServiceError::NoManager { why });
    }
    let quoted = path.display().to_string().replace('\'', "''");
    let follow = if logs.follow { " -Wait" } else { "" };
    let script = format!(
        "[Console]::OutputEncoding = [Text.Encoding]::UTF8; \
         Get-Content -LiteralPath '{quoted}' -Encoding UTF8 -Tail {}{follow}",
        logs.lines
    );
    let args = ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command"];
    Ok(ServiceStep::run(
        "powershell.exe",
        &[&args[..], &[&script]].concat(),
    ))
}

/// What the registry and the pipe say.
#[derive(Debug, Clone, Default)]
struct RunKeyFacts {
    /// The value in the Run key.
    command: Option<String>,
    /// What Task Manager has written about it.
    approved: Option<Vec<u8>>,
    /// Does an agent of this user listen?
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

    let failed = |key: &str| {
        let path = PathBuf::from(format!(r"HKCU\{key}\{NAME}"));
        |source| ServiceError::File { path, source }
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
    let value = |key: &str| ServiceStep::RemoveValue {
        key: key.to_owned(),
        name: NAME.to_owned(),
    };
    let start = || -> Result<ServiceStep, ServiceError> {
        Ok(ServiceStep::Spawn {
            program: tray(site)?,
            args: policy_args(site).into_iter().map(Into::into).collect(),
        })
    };
    let tell = |text: &str| {
        vec![ServiceStep::Tell {
            text: text.to_owned(),
        }]
    };
    Ok(match wish {
        ServiceRequest::Install => vec![
            ServiceStep::SetValue {
                key: RUN.to_owned(),
                name: NAME.to_owned(),
                text: command(site)?,
            },
            // What was switched off once would not start in spite of the value.
            value(APPROVED),
            ServiceStep::EndAgent,
            start()?,
        ],
        ServiceRequest::Uninstall => vec![value(RUN), value(APPROVED), ServiceStep::EndAgent],
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
        troubles,
    }
}

/// The same program with a policy that this caller has not named: nothing to judge it by.
fn follows_another_policy(now: &str, wanted: &str, site: &Site) -> bool {
    let beyond = now.get(wanted.len()..).unwrap_or_default();
    !site.paths.policy_named
        && now
            .get(..wanted.len())
            .is_some_and(|program| program.eq_ignore_ascii_case(wanted))
        && beyond.starts_with(" --config ")
}

/// The line that Windows is to start.
fn command(site: &Site) -> Result<String, ServiceError> {
    let mut line = quoted(&tray(site)?.display().to_string());
    for arg in policy_args(site) {
        line.push(' ');
        line.push_str(&if arg.starts_with("--") {
            arg
        } else {
            quoted(&arg)
        });
    }
    if line.encode_utf16().count() > MOST {
        let why = format!(
            "Windows starts nothing at login whose line is longer than {MOST} characters, as this one is: {line}; keep goroam or the policy in a folder with a shorter name"
        );
        return Err(ServiceError::Refused { why });
    }
    Ok(line)
}

fn policy_args(site: &Site) -> Vec<String> {
    if site.paths.policy_named {
        vec![
            "--config".to_owned(),
            site.paths.policy.display().to_string(),
        ]
    } else {
        Vec::new()
    }
}

/// A path has no quotes; a backslash before the closing one would be taken for an escape
/// (CommandLineToArgvW).
fn quoted(word: &str) -> String {
    let backslash = if word.ends_with('\\') { "\\" } else { "" };
    format!("\"{word}{backslash}\"")
}

/// The program of a line: up to the closing quote, or to the first space.
fn program_of(command: &str) -> Option<PathBuf> {
    let command = command.trim_start();
    let program = match command.strip_prefix('"') {
        Some(rest) => rest.split('"').next(),
        None => command.split(' ').next(),
    };
    program
        .filter(|program| !program.is_empty())
        .map(PathBuf::from)
}

/// Beside this program, as it was called or as it is really named.
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
    Err(ServiceError::NoManager { why })
}

#[cfg(test)]
#[path = "run_key_tests.rs"]
mod tests;
