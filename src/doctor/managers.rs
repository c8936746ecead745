//! Asks the systemd user manager, launchd or the registry which variables the system passes to
//! every program that it starts.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::facts::{DoctorFacts, Kind, Sighting};
use super::format;
use crate::environment::Environment;
use crate::model::mask;

/// Time limit for an answer. They answer in some 10 ms; doctor must not hang with a manager that
/// hangs.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// The manager of this system.
pub(super) const MANAGER: &str = if cfg!(target_os = "macos") {
    "launchd"
} else {
    "the systemd user manager"
};

/// Asks the manager of this system.
pub(super) async fn look(facts: &mut DoctorFacts, env: &Environment, names: &BTreeSet<String>) {
    for (name, value) in variables(facts, env, names).await {
        let seen = Sighting::new(name, Some(&value), MANAGER.to_owned(), Kind::Manager);
        facts
            .seen
            .push(seen.reaching("new services and desktop programs"));
    }
    if cfg!(windows) {
        for key in [
            r"HKCU\Environment",
            r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment",
        ] {
            let text = ask(facts, key, "reg", &["query", key]).await;
            for (name, value) in format::registry(&text.unwrap_or_default(), names) {
                let place = format!(r"{key}\{name}");
                let seen = Sighting::new(name, Some(&value), place, Kind::Registry);
                let seen = seen.reaching("every program that is started");
                facts.seen.push(seen);
            }
        }
    }
}

/// Returns the variables that systemd or launchd passes on, with their credentials.
pub(super) async fn variables(
    facts: &mut DoctorFacts,
    env: &Environment,
    names: &BTreeSet<String>,
) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if cfg!(target_os = "linux") {
        // The manager listens there, with or without D-Bus. If there is another runtime directory,
        // its manager is another one, or does not exist: then there is nothing to ask.
        let folder = env.path("XDG_RUNTIME_DIR").unwrap_or_default();
        if folder.is_absolute() && folder.join("systemd/private").exists() {
            let text = ask(facts, MANAGER, "systemctl", &["--user", "show-environment"]).await;
            found = format::shown(&text.unwrap_or_default(), names);
        }
    } else if cfg!(target_os = "macos") {
        for name in names {
            let Some(text) = ask(facts, MANAGER, "launchctl", &["getenv", name]).await else {
                break;
            };
            let value = text.trim_end_matches('\n');
            if !value.is_empty() {
                found.push((name.clone(), value.to_owned()));
            }
        }
    }
    found
}

/// Returns the output of a program; reports a failure.
async fn ask(facts: &mut DoctorFacts, place: &str, program: &str, args: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let command = command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let why = match timeout(ANSWER_TIME, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            facts.looked(place.to_owned());
            return Some(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            mask(said.lines().next().unwrap_or("it failed"))
        }
        Ok(Err(error)) => format!("cannot run {program}: {error}"),
        Err(_) => {
            let seconds = ANSWER_TIME.as_secs();
            format!("{program} did not answer within {seconds} s")
        }
    };
    facts.unread(place, &why);
    None
}
