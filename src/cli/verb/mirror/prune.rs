//! `goroam mirror prune`

use std::path::Path;

use super::site::{failure, waits};
use crate::agent::error::EXIT_DONE;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::mirror::{Prune, prune};

/// Removes what is old, too much or needed by no project.
pub(super) fn run(context: &Context, root: &Path, args: args::Prune) -> Result<u8, Failure> {
    let what = Prune {
        older_than: args.older_than,
        max_size: args.max_size,
        needed_by: args.needed_by,
        dry_run: args.dry_run,
    };
    let pruned = prune(root, &what, context.page.now, &mut waits);
    let pruned = pruned.map_err(|error| failure(&error))?;
    if args.format.json {
        context.out.json(&pruned)?;
    } else {
        context
            .out
            .text(&render::mirror_pruned(&pruned, &context.page))?;
    }
    Ok(EXIT_DONE)
}
