//! The grammar of `goroam init`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// The policies that goroam carries with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TemplateName {
    /// Public proxies that answer; the local cache if none does
    Default,
    /// An intranet proxy with private modules, proven by its key
    Corporate,
    /// Fixed choices by network, as classic switchers make them
    Classic,
}

/// `goroam init`
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// Template to write unchanged [default: default]
    #[arg(long, value_enum, conflicts_with_all = ["proxy", "ca", "private"])]
    pub template: Option<TemplateName>,
    /// The company's module proxy; it is probed and its key pinned ("none": no proxy)
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub proxy: Option<String>,
    /// PEM file with a CA to trust for the proxy besides the system's roots
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca: Option<PathBuf>,
    /// Module paths that are private to the company, as in GOPRIVATE
    #[arg(long, value_name = "PATTERNS")]
    pub private: Option<String>,
    /// Also start at login (`goroam service install`)
    #[arg(long, conflicts_with_all = ["no_service", "stdout"])]
    pub service: bool,
    /// Do not start at login, and do not ask
    #[arg(long)]
    pub no_service: bool,
    /// Ask nothing: use the proxy of `go env` and start at login
    #[arg(short, long)]
    pub yes: bool,
    /// Print the policy instead of writing it
    #[arg(long)]
    pub stdout: bool,
    /// Print JSON for scripts; fields are added, never renamed. Asks nothing
    #[arg(long, conflicts_with = "stdout")]
    pub json: bool,
}
