//! The arguments of `goroam fleet …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::cli::args::{Json, parse_span};

/// `goroam fleet`
#[derive(Debug, Clone, Args)]
pub struct Fleet {
    /// What to do.
    #[command(subcommand)]
    pub verb: FleetVerb,
}

/// What to do with the policy of a fleet.
#[derive(Debug, Clone, Subcommand)]
pub enum FleetVerb {
    /// Fetch the policy now and apply it
    ///
    /// On any network, whatever its profile says. The exit code is 1 if no store answers,
    /// 4 if its policy is refused: what was in force stays.
    #[command(after_help = after!("goroam fleet update"))]
    Update(Json),
    /// Show version, age and what was refused
    #[command(after_help = after!("goroam fleet status", "goroam fleet status --json | jq .version"))]
    Status(Json),
    /// Verify a policy and its signature, as machines do
    ///
    /// Reads FILE and FILE.minisig. Without --key, the keys of `[fleet]` count. The exit
    /// code is 4 if the signature is wrong or verification would get weaker, 2 if the
    /// policy has errors.
    #[command(after_help = after!(
        "goroam fleet verify policy.toml",
        "goroam fleet verify policy.toml --key minisign.pub    in CI"
    ))]
    Verify(VerifyPolicy),
    /// Check, number and sign a policy with the minisign tool
    ///
    /// Raises `version`, sets `issued`, `expires` and the roll-out in FILE, checks the
    /// result, and runs `minisign -S`. FILE changes only after minisign has signed it.
    /// A copy goes to FILE-VERSION: machines outside of a roll-out fetch it.
    #[command(after_help = after!(
        "goroam fleet sign policy.toml",
        "goroam fleet sign policy.toml --percent 10     for a tenth of the machines",
        "goroam fleet sign policy.toml --percent 100    for all of them"
    ))]
    Sign(Sign),
}

/// `goroam fleet verify`
#[derive(Debug, Clone, Args)]
pub struct VerifyPolicy {
    /// Policy to verify
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Public key, or its .pub file; may be repeated
    #[arg(long = "key", value_name = "KEY", value_hint = ValueHint::FilePath)]
    pub keys: Vec<String>,
    /// Accept a policy that weakens verification
    #[arg(long)]
    pub allow_weaker: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam fleet sign`
#[derive(Debug, Clone, Args)]
pub struct Sign {
    /// Policy to sign
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Secret key for minisign [default: minisign's own]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub secret_key: Option<PathBuf>,
    /// Share of the machines that apply it
    #[arg(long, value_name = "0-100", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub percent: Option<u32>,
    /// Time until it expires [default: 6w, or what the file says]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub expires: Option<std::time::Duration>,
    /// Sign although it weakens verification
    #[arg(long)]
    pub allow_weaker: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}
