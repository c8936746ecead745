//! `goroam mirror pin` and `goroam mirror unpin`

use std::path::Path;

use super::site::{failure, waits};
use crate::agent::error::EXIT_DONE;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::mirror::{AddError, Pinned, pin as pin_version, unpin as unpin_module};

/// Lets `@latest` say this version.
pub(super) fn pin(context: &Context, root: &Path, args: &args::Pin) -> Result<u8, Failure> {
    let done = pin_version(root, &args.module, &args.version, &mut waits);
    told(context, done, args.format.json)
}

/// Lets `@latest` say the highest version again.
pub(super) fn unpin(context: &Context, root: &Path, args: &args::Unpin) -> Result<u8, Failure> {
    let done = unpin_module(root, &args.module, &mut waits);
    told(context, done, args.format.json)
}

fn told(context: &Context, done: Result<Pinned, AddError>, json: bool) -> Result<u8, Failure> {
    let pinned = done.map_err(|error| failure(&error))?;
    if json {
        context.out.json(&pinned)?;
    } else {
        context
            .out
            .text(&render::mirror_pinned(&pinned, &context.page))?;
    }
    Ok(EXIT_DONE)
}
