//! `goroam doctor`: its grammar.

use clap::Args;

/// `goroam doctor`
#[derive(Debug, Clone, Copy, Args)]
pub struct Doctor {
    /// How to print.
    #[command(flatten)]
    pub format: super::json::Json,
}
