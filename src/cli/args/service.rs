//! `goroam service`: its grammar.

use clap::{Args, Subcommand};

/// `goroam service`
#[derive(Debug, Clone, Args)]
pub struct Service {
    /// What to do with it.
    #[command(subcommand)]
    pub verb: ServiceVerb,
}

/// What to do with the service.
#[derive(Debug, Clone, Subcommand)]
pub enum ServiceVerb {
    /// There after every login, and started now
    Install,
    /// Stop it and leave nothing of it behind
    Uninstall(Uninstall),
    /// Start it now
    Start,
    /// End it until the next login
    Stop,
    /// End it and start it
    Restart,
    /// How it is
    Status(super::json::Json),
    /// What it has told
    Logs(Logs),
}

/// `goroam service uninstall`
#[derive(Debug, Clone, Copy, Args)]
pub struct Uninstall {
    /// Also put the go env file back to what it was before goroam
    #[arg(long)]
    pub restore: bool,
}

/// `goroam service logs`
#[derive(Debug, Clone, Copy, Args)]
pub struct Logs {
    /// How many lines, the last ones
    #[arg(short = 'n', long, value_name = "N", default_value = "50")]
    pub lines: u32,
    /// Go on with what comes, until interrupted
    #[arg(short, long)]
    pub follow: bool,
}
