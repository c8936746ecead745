//! `goroam mirror list`

use std::path::Path;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::List;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::mirror::{Trust, list};

/// What is in the mirror.
pub(super) fn run(context: &Context, root: &Path, args: &List) -> Result<u8, Failure> {
    let trust =
        Trust::find(&context.env).map_err(|error| Failure::said(error.to_string(), EXIT_FAILED))?;
    let listing = list(root, &args.modules, &trust).map_err(|error| {
        let help = "`goroam mirror add` makes a mirror, --mirror names one";
        Failure::said(format!("{}: {error}; {help}", root.display()), EXIT_FAILED)
    })?;
    if args.format.json {
        context.out.json(&listing)?;
    } else {
        context
            .out
            .text(&render::mirror_list(&listing, &context.page))?;
    }
    Ok(EXIT_DONE)
}
