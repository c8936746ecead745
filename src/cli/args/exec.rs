//! `goroam exec`: its grammar.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::span::{parse_limit, parse_span};

/// `goroam exec`
#[derive(Debug, Clone, Args)]
pub struct Exec {
    /// The steps to try, in this order
    #[arg(
        long,
        value_name = "STEP,…",
        value_enum,
        value_delimiter = ',',
        default_value = "proxy,mirror,vendor"
    )]
    pub tiers: Vec<Step>,
    /// Give a connection up after this time
    #[arg(long, value_name = "TIME", value_parser = parse_limit, default_value = "3s")]
    pub connect: Duration,
    /// Give a request up when nothing has come after this time
    #[arg(long, value_name = "TIME", value_parser = parse_limit, default_value = "8s")]
    pub first_byte: Duration,
    /// Give a download up when nothing more has come for this time
    #[arg(long, value_name = "TIME", value_parser = parse_limit, default_value = "30s")]
    pub stall: Duration,
    /// How long to wait in all for servers that are busy (503, 429)
    #[arg(long, value_name = "TIME", value_parser = parse_span, default_value = "60s")]
    pub retry_budget: Duration,
    /// What to say at the end
    #[arg(long, value_name = "FORM", value_enum, default_value = "text")]
    pub summary: Summary,
    /// The mirror's folder [env: GOROAM_MIRROR] [default: the policy's, else goroam's own]
    #[arg(long = "mirror", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub place: Option<PathBuf>,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// A step of `goroam exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// The proxies that `go env` names.
    Proxy,
    /// The mirror and the module cache, no network.
    Mirror,
    /// The project's vendor folder.
    Vendor,
}

/// What `goroam exec` says at the end, as its last line on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Summary {
    /// One line, when a step was left.
    Text,
    /// One line of JSON, always.
    Json,
    /// Nothing.
    None,
}
