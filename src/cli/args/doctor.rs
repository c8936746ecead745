//! `goroam doctor`: its grammar.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `goroam doctor`
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    /// A project, to look at its go.mod, vendor and settings as well [default: this folder]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub project: Option<PathBuf>,
    /// Look for broken entries in the module cache: a login page in the place of a go.mod
    #[arg(long)]
    pub cache: bool,
    /// Remove them, and nothing else
    #[arg(long, requires = "cache")]
    pub fix: bool,
    /// Also hash every zip in it, as `go mod verify` does for one project (reads all of it)
    #[arg(long, requires = "cache")]
    pub hash: bool,
    /// How to print.
    #[command(flatten)]
    pub format: super::json::Json,
}
