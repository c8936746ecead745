//! How the service is, from what there is.

use std::path::Path;

use super::facts::{LaunchdFacts, look};
use super::plist;
use super::plist::LABEL;
use crate::service::error::ServiceError;
use crate::service::site::Site;
use crate::service::step::ServiceState;

/// Folders that macOS lets no background program read without the user's leave (TCC).
const GUARDED: [&str; 4] = [
    "Desktop",
    "Documents",
    "Downloads",
    "Library/Mobile Documents",
];

/// How the service is.
///
/// # Errors
/// When launchctl cannot be asked.
pub(in crate::service) fn state(site: &Site) -> Result<ServiceState, ServiceError> {
    let facts = look(site)?;
    let program = program(&facts);
    let runs = program.as_deref().is_none_or(Path::is_file);
    Ok(from_facts(&facts, site, runs))
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
        // It follows a policy that this caller has not named: nothing to judge it by.
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

/// What launchd has loaded, else what the file says.
fn program(facts: &LaunchdFacts) -> Option<std::path::PathBuf> {
    let loaded = facts.loaded.first();
    let loaded = loaded.and_then(|(_, printed)| printed.program.clone());
    loaded.or_else(|| plist::program(facts.installed.as_ref()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::launchd::facts::tests::{facts, site};
    use crate::service::launchd::plist::Session;
    use crate::service::launchd::printed::Printed;

    fn installed(site: &Site) -> LaunchdFacts {
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
        let mut facts = installed(&site);
        // What the run before it ended with matters no more.
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
        let mut facts = installed(&named);
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
            installed(&site)
        };
        let mut crashed = installed(&home);
        crashed.loaded = vec![running(None, "spawn scheduled", Some("exit code 2"))];
        let mut off = installed(&home);
        off.disabled = true;
        let mut twice = installed(&home);
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
                installed(&home),
                false,
                "is not there; install goroam again",
            ),
        ] {
            let troubles = from_facts(&facts, &home, there).troubles;
            assert_eq!(troubles.len(), 1, "{troubles:?}");
            assert!(troubles[0].contains(word), "{troubles:?}");
        }
        home.program = "/Users/dev/Documents/goroam/target/release/goroam".into();
        let troubles = from_facts(&installed(&home), &home, true).troubles;
        assert!(troubles[0].contains("guards"), "{troubles:?}");
    }
}
