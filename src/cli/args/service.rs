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
    ///
    /// Says each thing that it does. Again, after an update or in a shell whose
    /// variables have changed: brings it up to date.
    #[command(after_help = after!(
        "goroam service install",
        "goroam --config team.toml service install    with this policy"
    ))]
    Install,
    /// Stop it and leave nothing of it behind
    ///
    /// The policy is yours and stays. What goroam has set stays too, unless you say
    /// otherwise: on a terminal it asks.
    #[command(after_help = after!(
        "goroam service uninstall",
        "goroam service uninstall --restore           and go env as it was before",
        "goroam service uninstall --restore --purge   and the journal goes as well"
    ))]
    Uninstall(Uninstall),
    /// Start it now
    #[command(after_help = after!("goroam service start"))]
    Start,
    /// End it until the next login
    #[command(after_help = after!("goroam service stop"))]
    Stop,
    /// End it and start it
    #[command(after_help = after!("goroam service restart"))]
    Restart,
    /// How it is
    ///
    /// The exit code is 0 when it is installed and an agent answers, else 5.
    #[command(after_help = after!(
        "goroam service status",
        "goroam service status --json | jq .enabled"
    ))]
    Status(super::json::Json),
    /// What it has told
    #[command(after_help = after!("goroam service logs", "goroam service logs -n 200 -f"))]
    Logs(Logs),
}

/// `goroam service uninstall`
#[derive(Debug, Clone, Copy, Args)]
pub struct Uninstall {
    /// Also put the go env file back to what it was before goroam
    #[arg(long)]
    pub restore: bool,
    /// Also remove the journal and what goroam remembers
    #[arg(long, requires = "restore")]
    pub purge: bool,
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
