//! The grammar of `goroam mirror …`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use crate::cli::args::{Json, parse_span};
use crate::model::text::parse_size;

/// Replaces clap's own line, which is 94 columns long.
const PRUNE_USAGE: &str = "goroam mirror prune [OPTIONS] --older-than <TIME>
       goroam mirror prune [OPTIONS] --max-size <SIZE>
       goroam mirror prune [OPTIONS] --needed-by <DIR>";

/// `goroam mirror`
#[derive(Debug, Clone, Args)]
pub struct Mirror {
    /// What to do with it.
    #[command(subcommand)]
    pub verb: MirrorVerb,
    /// Mirror directory [env: GOROAM_MIRROR] [default: the policy's or goroam's own]
    #[arg(long = "mirror", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub place: Option<PathBuf>,
}

/// What to do with the mirror.
#[derive(Debug, Clone, Subcommand)]
pub enum MirrorVerb {
    /// Download modules, verify them and store them
    ///
    /// Takes what the module cache holds (by hard link if possible) and fetches the rest
    /// with `go mod download`. A version is stored completely or not at all.
    #[command(after_help = after!(
        "goroam mirror add --from .                     what this project needs",
        "goroam mirror add --from go.work --tests       also the tests of its modules",
        "goroam mirror add golang.org/x/text@v0.14.0    one version",
        "goroam mirror add golang.org/x/text            the latest one"
    ))]
    Add(Add),
    /// Verify every file against its checksum and its proof
    #[command(after_help = after!("goroam mirror verify", "goroam mirror verify --json | jq .bad"))]
    Verify(Verify),
    /// List the modules and versions in the mirror
    #[command(after_help = after!("goroam mirror list", "goroam mirror list golang.org/x --json"))]
    List(List),
    /// Remove old, surplus or unneeded versions
    #[command(override_usage = PRUNE_USAGE, after_help = after!(
        "goroam mirror prune --needed-by ~/src --dry-run",
        "goroam mirror prune --older-than 180days --max-size 5GB"
    ))]
    Prune(Prune),
    /// Pin `@latest` of a module to a version
    #[command(after_help = after!("goroam mirror pin golang.org/x/text v0.14.0"))]
    Pin(Pin),
    /// Let `@latest` of a module be its highest version again
    #[command(after_help = after!("goroam mirror unpin golang.org/x/text"))]
    Unpin(Unpin),
    /// Write the mirror, or a part of it, to one archive
    #[command(after_help = after!(
        "goroam mirror export modules.tar",
        "goroam mirror export modules.tar --needed-by ~/src/app"
    ))]
    Export(Export),
    /// Check an archive and store what it holds
    #[command(after_help = after!("goroam mirror import modules.tar"))]
    Import(Import),
}

/// `goroam mirror add`
#[derive(Debug, Clone, Args)]
#[group(id = "which", required = true, multiple = true, args = ["modules", "from"])]
pub struct Add {
    /// Modules: PATH, PATH@VERSION or PATH@latest
    #[arg(value_name = "MODULE[@VERSION]")]
    pub modules: Vec<String>,
    /// Everything that a project needs: its directory, go.mod or go.work
    #[arg(long, value_name = "DIR|FILE", value_hint = ValueHint::AnyPath)]
    pub from: Vec<PathBuf>,
    /// Also what the tests of the modules need (`go mod download all`)
    #[arg(long)]
    pub tests: bool,
    /// Also the Go toolchains that the projects require
    #[arg(long)]
    pub toolchain: bool,
    /// Use no network: take only what the module cache holds
    #[arg(long)]
    pub offline: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror verify`
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Only modules at or below these paths [default: all]
    #[arg(value_name = "MODULE")]
    pub modules: Vec<String>,
    /// Number of threads [default: one per processor]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror list`
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Only modules at or below these paths [default: all]
    #[arg(value_name = "MODULE")]
    pub modules: Vec<String>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror prune`
#[derive(Debug, Clone, Args)]
#[group(id = "what", required = true, multiple = true, args = ["older_than", "max_size", "needed_by"])]
pub struct Prune {
    /// Remove what was added longer ago than this (30days, 1year)
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub older_than: Option<Duration>,
    /// Remove the oldest until the rest fits into this size (500MB, 2GB)
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_size: Option<u64>,
    /// Remove what no project in or below these directories needs
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub needed_by: Vec<PathBuf>,
    /// Only print what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror pin`
#[derive(Debug, Clone, Args)]
pub struct Pin {
    /// Module path
    pub module: String,
    /// Version that the mirror holds
    pub version: String,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror unpin`
#[derive(Debug, Clone, Args)]
pub struct Unpin {
    /// Module path
    pub module: String,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror export`
#[derive(Debug, Clone, Args)]
pub struct Export {
    /// Archive to write (a tar file); an existing file is not overwritten
    #[arg(value_hint = ValueHint::FilePath)]
    pub archive: PathBuf,
    /// Only what projects in or below these directories need
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub needed_by: Vec<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror import`
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// Archive to read
    #[arg(value_hint = ValueHint::FilePath)]
    pub archive: PathBuf,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}
