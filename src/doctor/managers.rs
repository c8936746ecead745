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

/// They answer in some 10 ms; a manager that hangs must not hang the doctor.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Asks what this system has.
pub(super) async fn look(facts: &mut DoctorFacts, env: &Environment, names: &BTreeSet<String>) {
    if cfg!(target_os = "linux") {
        systemd(facts, env, names).await;
    } else if cfg!(target_os = "macos") {
        launchd(facts, names).await;
    } else if cfg!(windows) {
        registry(facts, names).await;
    }
}

async fn systemd(facts: &mut DoctorFacts, env: &Environment, names: &BTreeSet<String>) {
    // It listens there, with or without D-Bus. Another runtime directory has another manager, or
    // none: then there is nothing to ask.
    let folder = env.path("XDG_RUNTIME_DIR").unwrap_or_default();
    if !folder.is_absolute() || !folder.join("systemd/private").exists() {
        return;
    }
    let asked = ask("systemctl", &["--user", "show-environment"]).await;
    let place = "the systemd user manager";
    let Some(text) = answered(facts, place, asked) else {
        return;
    };
    for (name, value) in format::shown(&text, names) {
        facts.seen.push(of_manager(name, &value, place));
    }
}

async fn launchd(facts: &mut DoctorFacts, names: &BTreeSet<String>) {
    for name in names {
        let asked = ask("launchctl", &["getenv", name]).await;
        let Some(text) = answered(facts, "launchd", asked) else {
            return;
        };
        let value = text.trim_end_matches('\n');
        if !value.is_empty() {
            facts.seen.push(of_manager(name.clone(), value, "launchd"));
        }
    }
}

async fn registry(facts: &mut DoctorFacts, names: &BTreeSet<String>) {
    for key in [
        r"HKCU\Environment",
        r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment",
    ] {
        let asked = ask("reg", &["query", key]).await;
        let Some(text) = answered(facts, key, asked) else {
            continue;
        };
        for (name, value) in format::registry(&text, names) {
            let place = format!(r"{key}\{name}");
            let seen = Sighting::new(name, Some(&value), place, Kind::Registry);
            facts
                .seen
                .push(seen.reaching("every program that is started"));
        }
    }
}

fn of_manager(name: String, value: &str, place: &str) -> Sighting {
    let seen = Sighting::new(name, Some(value), place.to_owned(), Kind::Manager);
    seen.reaching("new services and desktop programs")
}

/// The text of an answer; a failure is reported.
fn answered(facts: &mut DoctorFacts, place: &str, asked: Result<String, String>) -> Option<String> {
    match asked {
        Ok(text) => {
            facts.looked(place.to_owned());
            Some(text)
        }
        Err(why) => {
            facts.unread(place, &why);
            None
        }
    }
}

async fn ask(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match timeout(ANSWER_TIME, output).await {
        Ok(Ok(output)) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let first = said.lines().next().unwrap_or("it failed").to_owned();
            Err(mask(&first))
        }
        Ok(Err(error)) => Err(format!("cannot run {program}: {error}")),
        Err(_) => Err(format!(
            "{program} did not answer within {} s",
            ANSWER_TIME.as_secs()
        )),
    }
}
