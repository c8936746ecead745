//! `goroam man`

use clap::CommandFactory;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::{Cli, Man};
use crate::cli::context::Context;
use crate::cli::failure::Failure;

/// Prints the manual page, or writes one for each verb.
pub(in crate::cli) fn run(context: &Context, args: &Man) -> Result<u8, Failure> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        context.out.raw(&page)?;
        return Ok(EXIT_DONE);
    };
    let failed = |error| Failure::said(format!("{}: {error}", folder.display()), EXIT_FAILED);
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    context.out.text(&format!(
        "goroam.1 and a page for each verb are in {}\n",
        folder.display()
    ))?;
    Ok(EXIT_DONE)
}
