//! `goroam mirror …`: one file for each of its verbs.

mod add;
mod archive;
mod list;
mod pin;
mod prune;
mod site;
mod verify;

use site::site;

use crate::cli::args::{Mirror, MirrorVerb};
use crate::cli::context::Context;
use crate::cli::failure::Failure;

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
