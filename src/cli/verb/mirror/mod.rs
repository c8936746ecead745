//! `goroam mirror …`: one file for each of its verbs.

mod add;
mod archive;
mod list;
mod pin;
mod prune;
mod verify;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use crate::agent::error::{EXIT_FAILED, EXIT_MISMATCH, EXIT_NO_GO, EXIT_REFUSED, EXIT_USAGE};
use crate::agent::load_policy;
use crate::cli::args::{Mirror, MirrorVerb};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::job::mirror::AddError;

/// What each of the mirror's verbs is given.
struct Site {
    /// The mirror's folder; it need not exist.
    root: PathBuf,
    /// `[agent] go` of the policy.
    go: Option<PathBuf>,
}

/// Does with the mirror what is asked.
pub(in crate::cli) async fn run(context: &Context, args: Mirror) -> Result<u8, Failure> {
    let site = site(context, args.place)?;
    match args.verb {
        MirrorVerb::Add(args) => Box::pin(add::run(context, &site, args)).await,
        MirrorVerb::Verify(args) => verify::run(context, &site.root, args),
        MirrorVerb::List(args) => list::run(context, &site.root, &args),
        MirrorVerb::Prune(args) => prune::run(context, &site.root, args),
        MirrorVerb::Pin(args) => pin::pin(context, &site.root, &args),
        MirrorVerb::Unpin(args) => pin::unpin(context, &site.root, &args),
        MirrorVerb::Export(args) => archive::export(context, &site.root, &args),
        MirrorVerb::Import(args) => Box::pin(archive::import(context, &site.root, &args)).await,
    }
}

fn site(context: &Context, flag: Option<PathBuf>) -> Result<Site, Failure> {
    let paths = context.paths()?;
    let loaded = load_policy(&paths, &context.env)?;
    Ok(Site {
        root: context.mirror_of(flag, &loaded.policy)?,
        go: loaded.policy.agent.go,
    })
}

/// What a writer says when it has to wait for another one.
fn waits() {
    say("another goroam writes to this mirror; waiting for it");
}

/// A word on standard error, if somebody looks at it.
fn say(text: &str) {
    if std::io::stderr().is_terminal() {
        let line = ["goroam: ", &render::clean(text), "\n"].concat();
        drop(anstream::stderr().lock().write_all(line.as_bytes()));
    }
}

fn failure(error: &AddError) -> Failure {
    let exit = match error {
        AddError::Find(_) => EXIT_NO_GO,
        AddError::Usage(_) => EXIT_USAGE,
        AddError::Refused { .. } => EXIT_REFUSED,
        AddError::Forked(_) => EXIT_MISMATCH,
        AddError::Run(_) | AddError::File { .. } => EXIT_FAILED,
    };
    Failure::said(error.to_string(), exit)
}
