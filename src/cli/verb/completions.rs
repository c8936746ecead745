//! `goroam completions`

use clap::Args;

use crate::agent::error::EXIT_DONE;
use crate::cli::{Context, Failure};

/// `goroam completions`
#[derive(Debug, Clone, Copy, Args)]
pub struct Completions {
    /// Shell to complete for
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Prints a shell's completions.
pub(in crate::cli) fn run(
    context: &Context,
    mut grammar: clap::Command,
    args: Completions,
) -> Result<u8, Failure> {
    // Written into memory first: clap panics when a pipe closes.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut grammar, "goroam", &mut text);
    context.out.raw(&text)?;
    Ok(EXIT_DONE)
}
