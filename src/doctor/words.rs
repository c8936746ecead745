//! How a cause is told, and what is to be done about it.

use super::cause::Cause;
use super::facts::{Kind, Sighting};

/// "GOPROXY is set to off in ~/.bashrc:12"
pub(super) fn says(root: &Sighting) -> String {
    let name = &root.name;
    let place = &root.place;
    let value = match &root.value {
        Some(value) => format!("set to {value}"),
        None => "set to something that is known only when it runs,".to_owned(),
    };
    match root.kind {
        Kind::Here => {
            format!("{name} is {value} in this shell; no start-up file known here sets it")
        }
        Kind::Process => {
            let value = root.value.as_deref().unwrap_or("?");
            format!("{place} still has {name}={value}")
        }
        Kind::Shell
        | Kind::Login
        | Kind::Manager
        | Kind::Registry
        | Kind::Editor
        | Kind::Folder => {
            if root.certain {
                format!("{name} is {value} in {place}")
            } else {
                format!("{name} may be {value} in {place}, under a condition")
            }
        }
    }
}

/// What to do.
pub(super) fn mend(cause: &Cause<'_>) -> String {
    let root = cause.root;
    let name = &root.name;
    let mut steps = vec![match root.kind {
        Kind::Shell | Kind::Login if of_nix(&root.place) => {
            format!("take {name} out of home.sessionVariables and switch to it")
        }
        Kind::Shell if root.place.contains("fish_variables") => {
            format!("run `set -Ue {name}` in fish")
        }
        Kind::Shell if of_system(&root.place) => "delete that line, as root".to_owned(),
        Kind::Shell => "delete that line".to_owned(),
        Kind::Login if of_system(&root.place) => {
            "delete that line, as root; log out and in".to_owned()
        }
        Kind::Login => "delete that line; log out and in".to_owned(),
        Kind::Manager if cfg!(target_os = "macos") => format!("run `launchctl unsetenv {name}`"),
        Kind::Manager => format!("run `systemctl --user unset-environment {name}`"),
        Kind::Registry => {
            let key = root
                .place
                .rsplit_once('\\')
                .map_or("HKCU\\Environment", |(key, _)| key);
            format!("run `reg delete \"{key}\" /v {name}`; log out and in")
        }
        Kind::Editor => "delete that setting and restart the editor".to_owned(),
        Kind::Folder if root.place.contains(".env") => {
            "delete that line; run `direnv allow`".to_owned()
        }
        Kind::Folder => "delete that line".to_owned(),
        Kind::Here => unset(name),
        Kind::Process => "restart it".to_owned(),
    }];
    let has = |kind: Kind| cause.echoes.iter().any(|echo| echo.kind == kind);
    if has(Kind::Manager) && root.kind != Kind::Manager {
        steps.push(if cfg!(target_os = "macos") {
            format!("`launchctl unsetenv {name}`")
        } else {
            format!("`systemctl --user unset-environment {name}`")
        });
    }
    if has(Kind::Here) && root.kind != Kind::Here {
        steps.push(format!("{} in shells that are open", unset(name)));
    }
    if has(Kind::Process) {
        let more = if root.kind == Kind::Process {
            "so with the others named here"
        } else {
            "restart the programs that have it"
        };
        steps.push(more.to_owned());
    }
    steps.join("; ")
}

/// The way to be rid of a variable in an open shell.
fn unset(name: &str) -> String {
    if cfg!(windows) {
        format!("`Remove-Item Env:{name}`")
    } else {
        format!("`unset {name}` (fish: `set -e {name}`)")
    }
}

fn of_nix(place: &str) -> bool {
    place.contains("hm-session-vars") || place.starts_with("/nix/")
}

fn of_system(place: &str) -> bool {
    place.starts_with("/etc/") || place.starts_with("/usr/")
}
