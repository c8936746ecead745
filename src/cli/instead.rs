//! What to type in place of a verb that other programs have and goroam does not.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::policy::goproxy_of;

/// Words by their meaning, and what does that here.
const INSTEAD: [(&[&str], &str); 10] = [
    (
        &["list", "ls"],
        "`goroam use` lists profiles and mirrors, `goroam mirror list` modules",
    ),
    (
        &["switch", "select", "set"],
        "`goroam use NAME` takes a profile or a mirror, `goroam use` lists them",
    ),
    (
        &["logs", "log", "journal"],
        "`goroam history` shows each switch, `goroam service logs` the agent's log",
    ),
    (&["version"], "`goroam --version` prints it"),
    (
        &["update", "upgrade"],
        "update it as you installed it, and the agent goes on with the new program",
    ),
    (
        &["install", "enable"],
        "`goroam service install` starts it at every login",
    ),
    (
        &["uninstall", "remove", "disable"],
        "`goroam service uninstall --restore` ends it and puts everything back",
    ),
    (
        &["start", "stop"],
        "`goroam service start` and `stop`, or `goroam agent` in a terminal",
    ),
    (
        &["reset", "undo"],
        "`goroam restore` puts back what was before goroam",
    ),
    (
        &["config", "edit"],
        "`goroam init` writes a policy, `goroam check` checks it",
    ),
];

/// Returns what to say of an unknown verb that has a meaning; `None`: it has none here.
pub(super) fn instead(error: &clap::Error, args: &[OsString]) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    // A verb of a verb, such as `goroam mirror update`, means something else.
    let mut words = args.iter().skip(1).filter_map(|arg| arg.to_str());
    let first = words.find(|arg| !arg.starts_with('-'));
    if first != Some(word.as_str()) {
        return None;
    }
    let mut rows = INSTEAD.iter();
    let hint = match rows.find(|(words, _)| words.contains(&word.as_str())) {
        Some((_, hint)) => (*hint).to_owned(),
        // A URL may hold a password, so it is not repeated.
        None if goproxy_of(word).is_some() => {
            return Some("a mirror is chosen with `goroam use`".to_owned());
        }
        None => return None,
    };
    Some(format!("there is no `{word}`; {hint}"))
}
