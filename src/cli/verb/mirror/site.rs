//! What the mirror's verbs share: which mirror, a message for a person who waits, and how a
//! failure ends.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use crate::agent::error::{EXIT_FAILED, EXIT_MISMATCH, EXIT_NO_GO, EXIT_REFUSED, EXIT_USAGE};
use crate::agent::load_policy;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::mirror::AddError;

/// What each of the mirror's verbs is given.
pub(super) struct Site {
    /// The mirror's folder; it need not exist.
    pub(super) root: PathBuf,
    /// It was named by `--mirror`: a command that is told names it, too.
    pub(super) is_named: bool,
    /// `[agent] go` of the policy.
    pub(super) go: Option<PathBuf>,
}

/// Which mirror, and which go.
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

/// What a writer says when it has to wait for another one.
pub(super) fn waits() {
    say("another goroam writes to this mirror; waiting for it");
}

/// A word on standard error, if somebody looks at it.
pub(super) fn say(text: &str) {
    if std::io::stderr().is_terminal() {
        let line = format!("goroam: {}\n", render::clean(text));
        drop(anstream::stderr().lock().write_all(line.as_bytes()));
    }
}

pub(super) fn failure(error: &AddError) -> Failure {
    let exit = match error {
        AddError::Find(_) => EXIT_NO_GO,
        AddError::Usage(_) => EXIT_USAGE,
        AddError::Refused { .. } => EXIT_REFUSED,
        AddError::Forked(_) => EXIT_MISMATCH,
        AddError::Run(_) | AddError::File { .. } => EXIT_FAILED,
    };
    Failure::said(error.to_string(), exit)
}
