//! `goroam vendor`: its grammar.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::json::Json;

/// `goroam vendor`
#[derive(Debug, Clone, Args)]
pub struct Vendor {
    /// What to do.
    #[command(subcommand)]
    pub verb: VendorVerb,
    /// The project's folder [default: this one]
    #[arg(short = 'C', long = "project", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub project: Option<PathBuf>,
    /// The mirror's folder [env: GOROAM_MIRROR] [default: the policy's, else goroam's own]
    #[arg(long = "mirror", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub place: Option<PathBuf>,
}

/// What to do with vendor/.
#[derive(Debug, Clone, Subcommand)]
pub enum VendorVerb {
    /// Is vendor/ there, does modules.txt agree, is each file what the verified module holds?
    ///
    /// go compares modules.txt only, and `go mod verify` never looks into vendor/.
    #[command(after_help = after!("goroam vendor check", "goroam vendor check -C ~/src/app --json"))]
    Check(Json),
    /// Keep vendor/, go.mod and go.sum as they are, in git
    ///
    /// Refuses a tree that is dirty or not verified.
    #[command(after_help = after!(
        "goroam vendor snapshot            a tag at the present commit",
        "goroam vendor snapshot --commit   commits vendor/, go.mod and go.sum first"
    ))]
    Snapshot(Snapshot),
    /// The snapshots, newest first
    #[command(after_help = after!("goroam vendor list"))]
    List(Json),
    /// Put vendor/, go.mod and go.sum back to a snapshot
    ///
    /// What was there is kept and named. Refuses to lose uncommitted work.
    #[command(after_help = after!(
        "goroam vendor rollback            the newest good snapshot",
        "goroam vendor rollback goroam-vendor/20260102-150405"
    ))]
    Rollback(Rollback),
}

/// `goroam vendor snapshot`
#[derive(Debug, Clone, Args)]
pub struct Snapshot {
    /// The tag's name [default: goroam-vendor/DATE-TIME]
    #[arg(long, value_name = "NAME")]
    pub tag: Option<String>,
    /// Commit vendor/, go.mod and go.sum first, and nothing else
    #[arg(long)]
    pub commit: bool,
    /// What the commit or the tag says
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam vendor rollback`
#[derive(Debug, Clone, Args)]
pub struct Rollback {
    /// A snapshot, or any commit that holds a vendor/ [default: the newest good snapshot]
    #[arg(value_name = "REF")]
    pub to: Option<String>,
    /// Go back over uncommitted changes, too: they are kept in a ref, which is named
    #[arg(long)]
    pub keep: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}
