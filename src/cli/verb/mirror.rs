//! `goroam mirror …`: one file for each of its verbs.

mod add;
mod archive;
mod args;
mod list;
mod site;
mod verify;

use crate::agent::Command;
use crate::cli::{Context, Failure};
use crate::ipc;

pub use args::{Add, Export, Import, List, Mirror, MirrorVerb, Pin, Prune, Unpin, Verify};
use site::site;

/// Runs a verb of the mirror.
pub(in crate::cli) async fn run(context: &Context, args: Mirror) -> Result<u8, Failure> {
    let site = site(context, args.place)?;
    let changes = matches!(
        args.verb,
        MirrorVerb::Add(_) | MirrorVerb::Prune(_) | MirrorVerb::Import(_)
    );
    let exit = match args.verb {
        MirrorVerb::Add(args) => Box::pin(add::run(context, &site, args)).await,
        MirrorVerb::Verify(args) => verify::run(context, &site.root, args),
        MirrorVerb::List(args) => list::run(context, &site.root, &args),
        MirrorVerb::Prune(args) => list::run_prune(context, &site.root, args),
        MirrorVerb::Pin(args) => {
            let (module, version) = (&args.module, Some(args.version.as_str()));
            list::run_pin(context, &site.root, module, version, args.format.json)
        }
        MirrorVerb::Unpin(args) => {
            list::run_pin(context, &site.root, &args.module, None, args.format.json)
        }
        MirrorVerb::Export(args) => archive::export(context, &site.root, &args),
        MirrorVerb::Import(args) => Box::pin(archive::import(context, &site.root, &args)).await,
    };
    // Without a network, an agent decides by what the mirror holds, and no event reports a change
    // of that. If no agent runs, or it does not answer, the next turn notices it.
    if changes && let Ok(paths) = context.paths() {
        let _ = ipc::ask(&paths, Command::Reload).await;
    }
    exit
}
