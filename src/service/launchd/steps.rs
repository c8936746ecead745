//! From a wish and what there is to the steps. Pure but for [`plan`]'s and [`logs`]' look.

use std::ffi::OsString;

use super::facts::{LaunchdFacts, look};
use super::plist;
use super::plist::{LAUNCHCTL, Session};
use crate::service::error::ServiceError;
use crate::service::site::Site;
use crate::service::step::ServiceStep;
use crate::service::step::{Logs, ServiceRequest};

/// The steps that a wish takes.
///
/// # Errors
/// When launchctl cannot be asked, or what was wished needs an installed service.
pub(in crate::service) fn plan(
    wish: ServiceRequest,
    site: &Site,
) -> Result<Vec<ServiceStep>, ServiceError> {
    steps(wish, &look(site)?, site)
}

/// The command that shows the log.
///
/// # Errors
/// When there is no log yet.
pub(in crate::service) fn logs(site: &Site, logs: &Logs) -> Result<ServiceStep, ServiceError> {
    let log = plist::log(&site.home);
    if !logs.follow && !log.exists() {
        let why = format!(
            "{} is not there: the service has told nothing yet; `goroam service status` says how it is",
            log.display()
        );
        return Err(ServiceError::NoManager { why });
    }
    let mut args: Vec<OsString> = vec!["-n".into(), logs.lines.to_string().into()];
    // By name: the log may be shortened meanwhile, or not be there yet.
    args.extend(logs.follow.then(|| "-F".into()));
    args.push(log.into());
    Ok(ServiceStep::Run {
        program: "/usr/bin/tail".into(),
        args,
        may_fail: false,
    })
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
            Err(ServiceError::NoManager {
                why: why.to_owned(),
            })
        }
        ServiceRequest::Start => Ok(begin(facts, site, &[])),
        // Kills what runs first.
        ServiceRequest::Restart => Ok(begin(facts, site, &["-k"])),
    }
}

/// A loaded service does not look at its file again, so it is taken out and put in anew.
fn install(facts: &LaunchdFacts, site: &Site) -> Result<Vec<ServiceStep>, ServiceError> {
    let mut steps = Vec::new();
    if !facts.log_folder {
        steps.push(ServiceStep::Write {
            path: plist::log(&site.home),
            text: String::new(),
        });
    }
    steps.push(ServiceStep::Write {
        path: plist::path(&site.home),
        text: plist::text(site, facts.session)?,
    });
    steps.extend(end(facts));
    steps.extend(load(facts, site));
    Ok(steps)
}

fn uninstall(facts: &LaunchdFacts, site: &Site) -> Vec<ServiceStep> {
    let mut steps = end(facts);
    steps.push(ServiceStep::Remove {
        path: plist::path(&site.home),
    });
    steps.push(ServiceStep::Remove {
        path: plist::log(&site.home),
    });
    steps
}

/// Takes the service out of every domain that has it. launchd ends the process then, and kills
/// it if it does not listen; an agent that launchd knows nothing of is asked to end.
fn end(facts: &LaunchdFacts) -> Vec<ServiceStep> {
    let out = |(session, _): &(Session, _)| {
        // 36 ("operation now in progress") is no failure: it goes on by itself.
        launchctl(&["bootout", &session.target(facts.uid)], true)
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

/// Starts what is loaded, and loads what is not, which starts it too (`RunAtLoad`).
fn begin(facts: &LaunchdFacts, site: &Site, kill: &[&str]) -> Vec<ServiceStep> {
    let Some((session, _)) = facts.loaded.first() else {
        return load(facts, site);
    };
    let target = session.target(facts.uid);
    let words = [&["kickstart"], kill, &[target.as_str()]].concat();
    vec![launchctl(&words, false)]
}

fn load(facts: &LaunchdFacts, site: &Site) -> Vec<ServiceStep> {
    let mut steps = Vec::new();
    // Only then: it leaves a note in launchd's database, which nothing takes away again.
    if facts.disabled {
        let target = facts.session.target(facts.uid);
        steps.push(launchctl(&["enable", &target], false));
    }
    let (domain, path) = (facts.session.domain(facts.uid), plist::path(&site.home));
    steps.push(bootstrap(&domain, path.into()));
    steps
}

fn launchctl(args: &[&str], may_fail: bool) -> ServiceStep {
    ServiceStep::Run {
        program: LAUNCHCTL.into(),
        args: args.iter().map(OsString::from).collect(),
        may_fail,
    }
}

/// launchd answers 5 ("input/output error") or 37 ("operation already in progress") until what
/// was taken out has ended; bootout does not wait for that.
fn bootstrap(domain: &str, path: OsString) -> ServiceStep {
    ServiceStep::Insist {
        program: LAUNCHCTL.into(),
        args: vec!["bootstrap".into(), domain.into(), path],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::launchd::facts::tests::{facts, site};
    use crate::service::launchd::printed::Printed;

    /// The steps in a line each, without what is written.
    fn told(wish: ServiceRequest, facts: &LaunchdFacts) -> Vec<String> {
        let steps = steps(wish, facts, &site()).unwrap();
        steps.iter().map(tell).collect()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not launchd's")]
    fn tell(step: &ServiceStep) -> String {
        let (program, args, mark) = match step {
            ServiceStep::Write { path, .. } => return format!("write {}", path.display()),
            ServiceStep::Remove { path } => return format!("remove {}", path.display()),
            ServiceStep::EndAgent => return "end the agent".to_owned(),
            ServiceStep::Run {
                program,
                args,
                may_fail,
            } => (program, args, if *may_fail { "?" } else { "" }),
            ServiceStep::Insist { program, args } => (program, args, "!"),
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
        let ServiceStep::Write { text, .. } =
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
        // Until then it is started where it is.
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
