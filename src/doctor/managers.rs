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

/// Asks the manager of this system.
pub(super) async fn look(facts: &mut DoctorFacts, env: &Environment, names: &BTreeSet<String>) {
    if cfg!(target_os = "linux") {
        // The manager listens there, with or without D-Bus. If there is another runtime directory,
        // its manager is another one, or does not exist: then there is nothing to ask.
        let folder = env.path("XDG_RUNTIME_DIR").unwrap_or_default();
        if folder.is_absolute() && folder.join("systemd/private").exists() {
            let place = "the systemd user manager";
            let text = ask(facts, place, "systemctl", &["--user", "show-environment"]).await;
            for (name, value) in format::shown(&text.unwrap_or_default(), names) {
                add(facts, name, &value, place);
            }
        }
    } else if cfg!(target_os = "macos") {
        for name in names {
            let Some(text) = ask(facts, "launchd", "launchctl", &["getenv", name]).await else {
                return;
            };
            let value = text.trim_end_matches('\n');
            if !value.is_empty() {
                add(facts, name.clone(), value, "launchd");
            }
        }
    } else if cfg!(windows) {
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

fn add(facts: &mut DoctorFacts, name: String, value: &str, place: &str) {
    let seen = Sighting::new(name, Some(value), place.to_owned(), Kind::Manager);
    let seen = seen.reaching("new services and desktop programs");
    facts.seen.push(seen);
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
