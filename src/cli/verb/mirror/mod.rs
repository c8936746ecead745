//! `goroam mirror …`: one file for each of its verbs.

mod add;
mod archive;
mod verify;

use std::path::PathBuf;

use crate::agent::error::{EXIT_FAILED, EXIT_MISMATCH, EXIT_NO_GO, EXIT_REFUSED, EXIT_USAGE};
use crate::agent::load_policy;
use crate::cli::args::{Mirror, MirrorVerb};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::job::mirror::{AddError, Asked, place};

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
        MirrorVerb::List(_) => not_yet(&site),
        MirrorVerb::Prune(_) => not_yet(&site),
        MirrorVerb::Pin(_) => not_yet(&site),
        MirrorVerb::Unpin(_) => not_yet(&site),
        MirrorVerb::Export(args) => archive::export(context, &site.root, &args),
        MirrorVerb::Import(args) => Box::pin(archive::import(context, &site.root, &args)).await,
    }
}

fn not_yet(site: &Site) -> Result<u8, Failure> {
    let _ = (&site.root, &site.go);
    Err(Failure::said("not built yet", EXIT_FAILED))
}

fn site(context: &Context, flag: Option<PathBuf>) -> Result<Site, Failure> {
    let paths = context.paths()?;
    let loaded = load_policy(&paths, &context.env)?;
    let asked = Asked {
        flag,
        policy: loaded.policy.mirror.path.clone(),
    };
    Ok(Site {
        root: place(asked, &context.env, &paths),
        go: loaded.policy.agent.go,
    })
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
