//! What the system hands to every program that it starts: asked of the systemd user manager,
//! of launchd, of the registry.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::facts::{Facts, Kind, Sighting};
use super::format;
use crate::environment::Environment;
use crate::model::mask;

/// They answer in some 10 ms; a manager that hangs must not hang the doctor.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Asks what there is to ask on this system.
pub(super) async fn look(facts: &mut Facts, env: &Environment, names: &BTreeSet<String>) {
    if cfg!(target_os = "linux") {
        systemd(facts, env, names).await;
    } else if cfg!(target_os = "macos") {
        launchd(facts, names).await;
    } else if cfg!(windows) {
        registry(facts, names).await;
    }
}

async fn systemd(facts: &mut Facts, env: &Environment, names: &BTreeSet<String>) {
    // Where it listens, whether or not a D-Bus runs. Another runtime folder has another
    // manager, or none: then there is nothing to ask.
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
        facts
            .seen
            .push(sighting(name, &value, place.to_owned(), Kind::Manager));
    }
}

async fn launchd(facts: &mut Facts, names: &BTreeSet<String>) {
    for name in names {
        let asked = ask("launchctl", &["getenv", name]).await;
        let Some(text) = answered(facts, "launchd", asked) else {
            return;
        };
        let value = text.trim_end_matches('\n');
        if !value.is_empty() {
            let place = "launchd".to_owned();
            facts
                .seen
                .push(sighting(name.clone(), value, place, Kind::Manager));
        }
    }
}

async fn registry(facts: &mut Facts, names: &BTreeSet<String>) {
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
            facts
                .seen
                .push(sighting(name, &value, place, Kind::Registry));
        }
    }
}

fn sighting(name: String, value: &str, place: String, kind: Kind) -> Sighting {
    let reaches = if kind == Kind::Registry {
        "every program that is started"
    } else {
        "new services and programs of the desktop"
    };
    Sighting {
        name,
        value: Some(mask(value)),
        place,
        kind,
        certain: true,
        reaches: vec![reaches.to_owned()],
        foreign: false,
    }
}

/// The text of an answer; what went wrong is noted.
fn answered(facts: &mut Facts, place: &str, asked: Result<String, String>) -> Option<String> {
    match asked {
        Ok(text) => {
            if !facts.looked.iter().any(|known| known == place) {
                facts.looked.push(place.to_owned());
            }
            Some(text)
        }
        Err(why) => {
            facts.unread.push((place.to_owned(), why));
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
        Ok(Err(error)) => Err(format!("{program} cannot be run: {error}")),
        Err(_) => Err(format!(
            "{program} has not answered in {} s",
            ANSWER_TIME.as_secs()
        )),
    }
}
