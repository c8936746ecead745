//! `--json`: the same for every verb that has it.

use clap::Args;

/// `--json`
#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// Print JSON for scripts; fields are added, never renamed
    #[arg(long)]
    pub json: bool,
}
