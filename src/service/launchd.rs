//! A LaunchAgent: launchd starts goroam at login, restarts it after a crash, and takes requests
//! through launchctl(1).
//!
//! ```text
//! look (files, launchctl print) → LaunchdFacts → steps → launchctl bootstrap, bootout, kickstart
//! ```
//!
//! Compiled on every Unix for its tests; only macOS has launchd.

mod plist;
mod printed;
mod supervisor;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::site::{Site, own_uid, refuse_foreign_home};
use super::step::{IfItFails, Logs, ServiceError, ServiceRequest, ServiceState, ServiceStep};
use plist::{LABEL, Session};
use printed::Printed;

pub use plist::tray as tray_plist;
pub use supervisor::Launchd;

/// An absolute path, not looked up in PATH: only the system's own program may answer.
const LAUNCHCTL: &str = "/bin/launchctl";
/// Directories that macOS lets no background program read without the user's permission (TCC).
const GUARDED: [&str; 4] = [
    "Desktop",
    "Documents",
    "Downloads",
    "Library/Mobile Documents",
];

/// The steps that a request takes.
///
/// # Errors
/// When launchctl cannot be asked, or the request needs an installed service.
pub fn plan(wish: ServiceRequest, site: &Site) -> Result<Vec<ServiceStep>, ServiceError> {
    steps(wish, &look(site)?, site)
}

/// The state of the service.
///
/// # Errors
/// When launchctl cannot be asked.
pub fn state(site: &Site) -> Result<ServiceState, ServiceError> {
    let facts = look(site)?;
    let runs = program(&facts).as_deref().is_none_or(Path::is_file);
    Ok(from_facts(&facts, site, runs))
}

/// The command that shows the log.
///
/// # Errors
/// When there is no log yet.
pub fn logs(site: &Site, logs: &Logs) -> Result<ServiceStep, ServiceError> {
    let log = plist::log(&site.home);
    if !logs.follow && !log.exists() {
        let log = log.display();
        let why = format!(
            "{log} is not there: the service has told nothing yet; `goroam service status` says how it is"
        );
        return Err(ServiceError::Failed(why));
    }
    let mut args = vec!["-n".into(), logs.lines.to_string().into()];
    // `-F` follows the name: the log may be shortened meanwhile, or may not exist yet.
    args.extend(logs.follow.then(|| "-F".into()));
    args.push(log.into_os_string());
    Ok(ServiceStep::run("/usr/bin/tail", args))
}

/// What a plan depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LaunchdFacts {
    uid: u32,
    /// The session in which the service should run.
    session: Session,
    /// Where the service is loaded now. More than one session only after manual changes.
    loaded: Vec<(Session, Printed)>,
    /// Disabled by `launchctl disable` in `session`; loading would fail.
    disabled: bool,
    /// The text of the file in `~/Library/LaunchAgents`, if it exists.
    installed: Option<String>,
    /// Whether the log's directory exists. launchd does not create it, and starts nothing
    /// without it.
    log_folder: bool,
}

/// Reads the facts from launchctl and the file system.
fn look(site: &Site) -> Result<LaunchdFacts, ServiceError> {
    let uid = own_uid();
    refuse_foreign_home(&site.home, uid)?;
    let mut loaded = Vec::new();
    for session in Session::ALL {
        if let Some(text) = ask(&["print", &session.target(uid)])? {
            loaded.push((session, printed::service(&text)));
        }
    }
    // This session exists over ssh too, if the user is also logged in at the screen.
    let session = match ask(&["print", &Session::Aqua.domain(uid)])? {
        Some(_) => Session::Aqua,
        None => Session::Background,
    };
    let disabled = ask(&["print-disabled", &session.domain(uid)])?
        .is_some_and(|text| printed::is_disabled(&text, LABEL));
    let path = plist::path(&site.home);
    let installed = match crate::bounded::read_text(&path, 1 << 20) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(ServiceError::file(&path)(error)),
    };
    let log_folder = plist::log(&site.home).parent().is_some_and(Path::is_dir);
    Ok(LaunchdFacts {
        uid,
        session,
        loaded,
        disabled,
        installed,
        log_folder,
    })
}

/// Returns the output of launchctl; `None` if it reports that the object does not exist.
fn ask(args: &[&str]) -> Result<Option<String>, ServiceError> {
    let output = Command::new(LAUNCHCTL)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            ServiceError::Failed(format!("launchd cannot be asked: {LAUNCHCTL}: {error}"))
        })?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(output.status.success().then_some(said))
}

fn steps(
    wish: ServiceRequest,
    facts: &LaunchdFacts,
    site: &Site,
) -> Result<Vec<ServiceStep>, ServiceError> {
    match wish {
        ServiceRequest::Install => install(facts, site),
        ServiceRequest::Uninstall => Ok(uninstall(facts, site)),
        ServiceRequest::Stop => Ok(end(facts)),
        ServiceRequest::Start | ServiceRequest::Restart if facts.installed.is_none() => {
            let why = "the service is not installed; `goroam service install` does it";
            Err(ServiceError::Failed(why.to_owned()))
        }
        ServiceRequest::Start => Ok(begin(facts, site, &[])),
        // `-k` kills the running process first.
        ServiceRequest::Restart => Ok(begin(facts, site, &["-k"])),
    }
}

/// Installs the service. A loaded service does not read its file again, so it is unloaded and
/// loaded again.
fn install(facts: &LaunchdFacts, site: &Site) -> Result<Vec<ServiceStep>, ServiceError> {
    let mut steps = Vec::new();
    if !facts.log_folder {
        steps.push(ServiceStep::Write(plist::log(&site.home), String::new()));
    }
    steps.push(ServiceStep::Write(
        plist::path(&site.home),
        plist::text(site, facts.session)?,
    ));
    steps.extend(end(facts));
    steps.extend(load(facts, site));
    Ok(steps)
}

fn uninstall(facts: &LaunchdFacts, site: &Site) -> Vec<ServiceStep> {
    let mut steps = end(facts);
    steps.push(ServiceStep::remove(plist::path(&site.home)));
    steps.push(ServiceStep::remove(plist::log(&site.home)));
    steps
}

/// Removes the service from every domain that has it. launchd then ends the process, and kills it
/// if it does not end. An agent that launchd does not know is asked to end.
fn end(facts: &LaunchdFacts) -> Vec<ServiceStep> {
    let out = |(session, _): &(Session, _)| {
        // 36 ("operation now in progress") is not a failure: launchd continues.
        launchctl(
            &["bootout", &session.target(facts.uid)],
            IfItFails::Continue,
        )
    };
    let mut steps: Vec<ServiceStep> = facts.loaded.iter().map(out).collect();
    if facts
        .loaded
        .iter()
        .all(|(_, printed)| printed.pid.is_none())
    {
        steps.push(ServiceStep::EndAgent);
    }
    steps
}

/// Starts a loaded service. Otherwise loads it, which also starts it (`RunAtLoad`).
fn begin(facts: &LaunchdFacts, site: &Site, kill: &[&str]) -> Vec<ServiceStep> {
    let Some((session, _)) = facts.loaded.first() else {
        return load(facts, site);
    };
    let target = session.target(facts.uid);
    let words = [&["kickstart"], kill, &[target.as_str()]].concat();
    vec![launchctl(&words, IfItFails::Stop)]
}

fn load(facts: &LaunchdFacts, site: &Site) -> Vec<ServiceStep> {
    let mut steps = Vec::new();
    // Only if disabled: `enable` leaves an entry in launchd's database that nothing removes.
    if facts.disabled {
        let target = facts.session.target(facts.uid);
        steps.push(launchctl(&["enable", &target], IfItFails::Stop));
    }
    let (domain, path) = (facts.session.domain(facts.uid), plist::path(&site.home));
    // launchd answers 5 ("input/output error") or 37 ("operation already in progress") until the
    // removed service has ended; bootout does not wait for that.
    let words = ["bootstrap".as_ref(), domain.as_ref(), path.as_os_str()];
    steps.push(launchctl(&words, IfItFails::Retry));
    steps
}

fn launchctl<S: AsRef<OsStr>>(args: &[S], if_it_fails: IfItFails) -> ServiceStep {
    ServiceStep::Run {
        program: LAUNCHCTL.into(),
        args: args.iter().map(OsString::from).collect(),
        if_it_fails,
    }
}

fn from_facts(facts: &LaunchdFacts, site: &Site, program_is_there: bool) -> ServiceState {
    let path = plist::path(&site.home);
    let loaded = facts.loaded.first().map(|(_, printed)| printed);
    let word = match loaded {
        Some(printed) if printed.state.is_empty() => "loaded".to_owned(),
        Some(printed) => printed.state.clone(),
        None if facts.installed.is_some() => "not loaded".to_owned(),
        None => "not installed".to_owned(),
    };
    ServiceState {
        kind: format!("LaunchAgent {LABEL}"),
        installed: facts.installed.as_ref().map(|_| path.display().to_string()),
        enabled: facts.installed.is_some() && !facts.disabled,
        pid: loaded.and_then(|printed| printed.pid),
        program: program(facts),
        word,
        lingers: None,
        troubles: troubles(facts, site, program_is_there),
    }
}

fn troubles(facts: &LaunchdFacts, site: &Site, program_is_there: bool) -> Vec<String> {
    let mut troubles = Vec::new();
    let program = program(facts);
    let named = program.as_deref().map(Path::display);
    if let (Some(named), false) = (&named, program_is_there) {
        troubles.push(format!(
            "{named} is not there; install goroam again, then `goroam service install`"
        ));
    }
    if facts.installed.is_some() && facts.disabled {
        troubles.push(
            "it was switched off with `launchctl disable`; `goroam service start` switches it on"
                .to_owned(),
        );
    }
    let changed = |text: &String| {
        // The installed file names a policy that this caller has not named, so it cannot be
        // compared.
        if !site.paths.policy_named && text.contains("<string>--config</string>") {
            return false;
        }
        let wanted = plist::text(site, facts.session);
        wanted.is_ok_and(|wanted| wanted != *text)
    };
    if facts.installed.as_ref().is_some_and(changed) {
        troubles.push(
            "its file is not the one that this goroam would write; `goroam service install` does"
                .to_owned(),
        );
    }
    if facts.loaded.len() > 1 {
        troubles.push(
            "it is loaded twice, at the screen and in the background; `goroam service install` mends that"
                .to_owned(),
        );
    }
    let guarded = |path: &Path| {
        let mut folders = GUARDED.iter().map(|folder| site.home.join(folder));
        folders.any(|folder| path.starts_with(folder))
    };
    if let (Some(named), true) = (&named, program.as_deref().is_some_and(guarded)) {
        troubles.push(format!(
            "macOS may not let launchd start {named}, which is in a folder that it guards; move goroam to ~/bin or /usr/local/bin, and install the service from there"
        ));
    }
    for (_, printed) in &facts.loaded {
        let ended = printed.ended_badly.as_ref();
        if let (None, Some(ended)) = (printed.pid, ended) {
            troubles.push(format!(
                "its last run ended with {ended}; `goroam service logs` says why"
            ));
        }
    }
    troubles
}

/// Returns the program that launchd has loaded, or else the one in the file.
fn program(facts: &LaunchdFacts) -> Option<PathBuf> {
    let loaded = facts.loaded.first();
    let loaded = loaded.and_then(|(_, printed)| printed.program.clone());
    loaded.or_else(|| plist::program(facts.installed.as_ref()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::environment::Environment;
    use crate::paths::Paths;

    /// The site of a user's machine.
    pub(super) fn site() -> Site {
        Site {
            program: "/opt/homebrew/bin/goroam".into(),
            home: "/Users/dev".into(),
            env: Environment::default(),
            paths: Paths {
                policy: "/Users/dev/Library/Application Support/goroam/goroam.toml".into(),
                policy_named: false,
                machine_policy: "/nowhere/goroam.toml".into(),
                state: "/Users/dev/Library/Application Support/goroam".into(),
                data: "/Users/dev/Library/Application Support/goroam".into(),
                runtime: "/Users/dev/Library/Application Support/goroam/run".into(),
            },
        }
    }

    /// The facts when the user is logged in at the screen and nothing is installed.
    fn facts() -> LaunchdFacts {
        LaunchdFacts {
            uid: 501,
            session: Session::Aqua,
            loaded: Vec::new(),
            disabled: false,
            installed: None,
            log_folder: true,
        }
    }

    fn installed_at(site: &Site) -> LaunchdFacts {
        LaunchdFacts {
            installed: Some(plist::text(site, Session::Aqua).unwrap()),
            ..facts()
        }
    }

    fn running(pid: Option<u32>, state: &str, ended_badly: Option<&str>) -> (Session, Printed) {
        let printed = Printed {
            state: state.to_owned(),
            pid,
            program: Some("/opt/homebrew/bin/goroam".into()),
            ended_badly: ended_badly.map(str::to_owned),
        };
        (Session::Aqua, printed)
    }

    #[test]
    fn a_service_that_runs_has_no_troubles() {
        let site = site();
        let mut facts = installed_at(&site);
        // The end of the previous run no longer matters.
        facts.loaded = vec![running(Some(4242), "running", Some("exit code 1"))];
        let state = from_facts(&facts, &site, true);
        assert_eq!(state.pid, Some(4242));
        assert_eq!(state.word, "running");
        assert!(state.enabled);
        assert_eq!(state.program, Some("/opt/homebrew/bin/goroam".into()));
        assert_eq!(state.troubles, [""; 0]);
        let path = "/Users/dev/Library/LaunchAgents/dev.goroam.agent.plist";
        assert_eq!(state.installed.as_deref(), Some(path));
    }

    #[test]
    fn a_policy_that_was_named_at_install_need_not_be_named_again() {
        let mut named = site();
        named.paths.policy_named = true;
        let mut facts = installed_at(&named);
        facts.loaded = vec![running(Some(1), "running", None)];
        assert_eq!(from_facts(&facts, &site(), true).troubles, [""; 0]);
        let mut other = named.clone();
        other.paths.policy = "/elsewhere.toml".into();
        assert_eq!(from_facts(&facts, &other, true).troubles.len(), 1);
    }

    #[test]
    fn nothing_installed_is_no_trouble_either() {
        let state = from_facts(&facts(), &site(), true);
        assert_eq!((state.installed, state.enabled), (None, false));
        assert_eq!(state.word, "not installed");
        assert_eq!(state.troubles, [""; 0]);
    }

    #[test]
    fn each_trouble_is_told_with_a_way_out() {
        let mut home = site();
        let at = |program: &str| {
            let mut site = site();
            site.program = program.into();
            installed_at(&site)
        };
        let mut crashed = installed_at(&home);
        crashed.loaded = vec![running(None, "spawn scheduled", Some("exit code 2"))];
        let mut off = installed_at(&home);
        off.disabled = true;
        let mut twice = installed_at(&home);
        twice.loaded = vec![running(Some(1), "running", None); 2];
        for (facts, there, word) in [
            (
                crashed,
                true,
                "ended with exit code 2; `goroam service logs`",
            ),
            (off, true, "`goroam service start` switches it on"),
            (twice, true, "loaded twice"),
            (
                at("/elsewhere/goroam"),
                true,
                "not the one that this goroam",
            ),
            (
                installed_at(&home),
                false,
                "is not there; install goroam again",
            ),
        ] {
            let troubles = from_facts(&facts, &home, there).troubles;
            assert_eq!(troubles.len(), 1, "{troubles:?}");
            assert!(troubles[0].contains(word), "{troubles:?}");
        }
        home.program = "/Users/dev/Documents/goroam/target/release/goroam".into();
        let troubles = from_facts(&installed_at(&home), &home, true).troubles;
        assert!(troubles[0].contains("guards"), "{troubles:?}");
    }

    /// Lists the steps, one line each, without the text of written files.
    fn told(wish: ServiceRequest, facts: &LaunchdFacts) -> Vec<String> {
        let steps = steps(wish, facts, &site()).unwrap();
        steps.iter().map(tell).collect()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not launchd's")]
    fn tell(step: &ServiceStep) -> String {
        let (program, args, mark) = match step {
            ServiceStep::Write(path, _) => return format!("write {}", path.display()),
            ServiceStep::Remove(path) => return format!("remove {}", path.display()),
            ServiceStep::EndAgent => return "end the agent".to_owned(),
            ServiceStep::Run {
                program,
                args,
                if_it_fails,
            } => {
                let mark = match if_it_fails {
                    IfItFails::Stop => "",
                    IfItFails::Continue => "?",
                    IfItFails::Retry => "!",
                };
                (program, args, mark)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(program, LAUNCHCTL);
        let args: Vec<_> = args.iter().map(|word| word.to_string_lossy()).collect();
        format!("{}{mark}", args.join(" "))
    }

    fn installed() -> LaunchdFacts {
        LaunchdFacts {
            installed: Some(plist::text(&site(), Session::Aqua).unwrap()),
            ..facts()
        }
    }

    fn loaded(session: Session, pid: Option<u32>) -> LaunchdFacts {
        let printed = Printed {
            pid,
            ..Printed::default()
        };
        LaunchdFacts {
            loaded: vec![(session, printed)],
            ..installed()
        }
    }

    const WRITE: &str = "write /Users/dev/Library/LaunchAgents/dev.goroam.agent.plist";
    const REMOVE: &str = "remove /Users/dev/Library/LaunchAgents/dev.goroam.agent.plist";
    const FORGET: &str = "remove /Users/dev/Library/Logs/goroam.log";
    const END: &str = "end the agent";
    const OUT: &str = "bootout gui/501/dev.goroam.agent?";
    const IN: &str = "bootstrap gui/501 /Users/dev/Library/LaunchAgents/dev.goroam.agent.plist!";

    #[test]
    fn each_wish_takes_what_it_takes_from_where_it_is() {
        let (nothing, stopped) = (facts(), installed());
        let (idle, running) = (loaded(Session::Aqua, None), loaded(Session::Aqua, Some(7)));
        let kick = "kickstart gui/501/dev.goroam.agent";
        let again = "kickstart -k gui/501/dev.goroam.agent";
        for (wish, facts, steps) in [
            (ServiceRequest::Install, &nothing, &[WRITE, END, IN][..]),
            (ServiceRequest::Install, &stopped, &[WRITE, END, IN]),
            (ServiceRequest::Install, &idle, &[WRITE, OUT, END, IN]),
            (ServiceRequest::Install, &running, &[WRITE, OUT, IN]),
            (ServiceRequest::Uninstall, &nothing, &[END, REMOVE, FORGET]),
            (ServiceRequest::Uninstall, &running, &[OUT, REMOVE, FORGET]),
            (ServiceRequest::Stop, &running, &[OUT]),
            (ServiceRequest::Stop, &stopped, &[END]),
            (ServiceRequest::Start, &stopped, &[IN]),
            (ServiceRequest::Start, &idle, &[kick]),
            (ServiceRequest::Start, &running, &[kick]),
            (ServiceRequest::Restart, &stopped, &[IN]),
            (ServiceRequest::Restart, &running, &[again]),
        ] {
            assert_eq!(told(wish, facts), steps, "{wish:?} {facts:?}");
        }
    }

    #[test]
    fn what_is_not_installed_cannot_be_started() {
        for wish in [ServiceRequest::Start, ServiceRequest::Restart] {
            let error = steps(wish, &facts(), &site()).unwrap_err().to_string();
            assert!(error.contains("`goroam service install`"), "{error}");
        }
    }

    #[test]
    fn a_service_that_was_disabled_is_enabled_first() {
        let disabled = LaunchdFacts {
            disabled: true,
            ..installed()
        };
        let enable = "enable gui/501/dev.goroam.agent";
        assert_eq!(told(ServiceRequest::Start, &disabled), [enable, IN]);
        assert_eq!(
            told(ServiceRequest::Install, &disabled),
            [WRITE, END, enable, IN]
        );
    }

    #[test]
    fn where_nobody_is_at_the_screen_it_runs_in_the_background() {
        let ssh = LaunchdFacts {
            session: Session::Background,
            ..facts()
        };
        let told = told(ServiceRequest::Install, &ssh);
        assert!(told[2].starts_with("bootstrap user/501 "), "{told:?}");
        let ServiceStep::Write(_, text) =
            &steps(ServiceRequest::Install, &ssh, &site()).unwrap()[0]
        else {
            panic!("{told:?}");
        };
        assert!(text.contains("<string>Background</string>"), "{text}");
    }

    #[test]
    fn installed_over_ssh_and_then_at_the_screen_it_moves() {
        let moved = loaded(Session::Background, Some(7));
        let out = "bootout user/501/dev.goroam.agent?";
        assert_eq!(told(ServiceRequest::Install, &moved), [WRITE, out, IN]);
        // Until then the service is started in its present session.
        let kick = "kickstart user/501/dev.goroam.agent";
        assert_eq!(told(ServiceRequest::Start, &moved), [kick]);
    }

    #[test]
    fn a_folder_for_the_log_is_made_where_there_is_none() {
        let bare = LaunchdFacts {
            log_folder: false,
            ..facts()
        };
        let log = "write /Users/dev/Library/Logs/goroam.log";
        assert_eq!(told(ServiceRequest::Install, &bare), [log, WRITE, END, IN]);
    }

    #[test]
    fn the_log_is_shown_by_name_and_its_absence_said() {
        let mut site = site();
        let folder = tempfile::tempdir().unwrap();
        site.home = folder.path().to_owned();
        let show = |follow| {
            let lines = 20;
            logs(&site, &Logs { lines, follow })
        };
        let error = show(false).unwrap_err().to_string();
        assert!(error.contains("service status"), "{error}");
        let log = folder.path().join("Library/Logs/goroam.log");
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        std::fs::write(&log, "").unwrap();
        for (follow, words) in [(false, &["-n", "20"][..]), (true, &["-n", "20", "-F"])] {
            let ServiceStep::Run { args, .. } = show(follow).unwrap() else {
                panic!();
            };
            let wanted: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(args, [&wanted[..], &[log.clone().into()]].concat());
        }
    }
}
