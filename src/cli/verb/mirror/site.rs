//! Code that the mirror's verbs share: the choice of the mirror, messages for a waiting user, and
//! failures.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use crate::agent::error::{
    EXIT_DONE, EXIT_FAILED, EXIT_MISMATCH, EXIT_NO_GO, EXIT_REFUSED, EXIT_USAGE,
};
use crate::agent::load_policy;
use crate::cli::render;
use crate::cli::{Context, Failure};
use crate::mirror::AddError;

/// The input of each of the mirror's verbs.
pub(super) struct Site {
    /// The mirror's directory; it may not exist yet.
    pub(super) root: PathBuf,
    /// Whether `--mirror` named it: then suggested commands name it, too.
    pub(super) is_named: bool,
    /// `[agent] go` of the policy.
    pub(super) go: Option<PathBuf>,
}

/// Finds the mirror and the go command.
pub(super) fn site(context: &Context, flag: Option<PathBuf>) -> Result<Site, Failure> {
    let paths = context.paths()?;
    let loaded = load_policy(&paths, &context.env)?;
    let is_named = flag.is_some();
    Ok(Site {
        root: context.mirror_of(flag, &loaded.policy)?,
        is_named,
        go: loaded.policy.agent.go,
    })
}

/// Tells the user that a writer waits for another one.
pub(super) fn waits() {
    say("another goroam writes to this mirror; waiting for it");
}

/// Prints a line on standard error, if that is a terminal.
pub(super) fn say(text: &str) {
    if std::io::stderr().is_terminal() {
        let line = format!("goroam: {}\n", render::clean(text));
        drop(anstream::stderr().lock().write_all(line.as_bytes()));
    }
}

/// Creates a failure with exit code 1.
pub(super) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed(error)
}

/// Creates the failure for a mirror that cannot be listed.
pub(super) fn no_mirror(root: &Path, error: &std::io::Error) -> Failure {
    failed(format_args!(
        "{}: {error}; `goroam mirror add` makes a mirror, --mirror names one",
        root.display()
    ))
}

/// Returns the exit code of a report: 6 with a mismatch, 1 when something else is wrong.
pub(super) fn exit(has_mismatch: bool, is_ok: bool) -> u8 {
    match (has_mismatch, is_ok) {
        (true, _) => EXIT_MISMATCH,
        (false, true) => EXIT_DONE,
        (false, false) => EXIT_FAILED,
    }
}

pub(super) fn failure(error: &AddError) -> Failure {
    let exit = match error {
        AddError::Find(_) => EXIT_NO_GO,
        AddError::Usage(_) => EXIT_USAGE,
        AddError::Refused(_) => EXIT_REFUSED,
        AddError::Forked(_) => EXIT_MISMATCH,
        AddError::Failed(_) => EXIT_FAILED,
    };
    Failure::said(error.to_string(), exit)
}
