//! `goroam init`: its grammar.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

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
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// What to start from, as it is [default: default]
    #[arg(long, value_enum, conflicts_with_all = ["proxy", "ca", "private"])]
    pub template: Option<TemplateName>,
    /// The company's module proxy; it is asked, and its key is pinned ("none": there is none)
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub proxy: Option<String>,
    /// A PEM file that vouches for the proxy beside the system's roots
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca: Option<PathBuf>,
    /// Module paths that only the company has, as GOPRIVATE takes them
    #[arg(long, value_name = "PATTERNS")]
    pub private: Option<String>,
    /// Start at login as well (`goroam service install`)
    #[arg(long, conflicts_with_all = ["no_service", "stdout"])]
    pub service: bool,
    /// Do not start at login, and do not ask
    #[arg(long)]
    pub no_service: bool,
    /// Ask nothing: what `go env` says of a proxy holds, and it starts at login
    #[arg(short, long)]
    pub yes: bool,
    /// Print it, write nothing
    #[arg(long)]
    pub stdout: bool,
    /// Print JSON for scripts; fields are added, never renamed. Asks nothing
    #[arg(long, conflicts_with = "stdout")]
    pub json: bool,
}
