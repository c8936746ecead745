//! `goroam ready`: its grammar.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `goroam ready`
#[derive(Debug, Clone, Args)]
pub struct Ready {
    /// Folders with projects in or below them [default: those that are remembered, else this one]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folders: Vec<PathBuf>,
    /// Bring what is missing (`goroam mirror add`)
    #[arg(long)]
    pub fetch: bool,
    /// Do not remember these projects any longer
    #[arg(long, conflicts_with = "fetch")]
    pub forget: bool,
    /// What the agent starts: at low priority, and no more than the policy's `max_size`
    #[arg(long, hide = true, requires = "fetch")]
    pub kept: bool,
    /// The mirror's folder [env: GOROAM_MIRROR] [default: the policy's, else goroam's own]
    #[arg(long = "mirror", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub place: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: super::json::Json,
}
