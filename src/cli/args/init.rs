//! `goroam init`: its grammar.

use clap::{Args, ValueEnum};

/// The policies that goroam carries with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TemplateName {
    /// Public proxies by what answers, the local cache when nothing does
    Default,
    /// An intranet proxy with private modules, proven by its key
    Corporate,
    /// Fixed choices by network, as the classic switchers did it
    Classic,
}

/// `goroam init`
#[derive(Debug, Clone, Copy, Args)]
pub struct Init {
    /// What to start from
    #[arg(long, value_enum, default_value = "default")]
    pub template: TemplateName,
    /// Print it, write nothing
    #[arg(long)]
    pub stdout: bool,
}
