//! `goroam mirror`: its grammar.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::json::Json;

/// clap's own line is 94 columns long.
const PRUNE_USAGE: &str = "goroam mirror prune [OPTIONS] --older-than <TIME>
       goroam mirror prune [OPTIONS] --max-size <SIZE>
       goroam mirror prune [OPTIONS] --needed-by <DIR>";

/// `goroam mirror`
#[derive(Debug, Clone, Args)]
pub struct Mirror {
    /// What to do with it.
    #[command(subcommand)]
    pub verb: MirrorVerb,
    /// The mirror's folder [env: GOROAM_MIRROR] [default: the policy's, else goroam's own]
    #[arg(long = "mirror", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub place: Option<PathBuf>,
}

/// What to do with the mirror.
#[derive(Debug, Clone, Subcommand)]
pub enum MirrorVerb {
    /// Bring modules, with what proves them
    ///
    /// Takes what the module cache holds (by hard link where that is possible) and has
    /// `go mod download` fetch the rest. A version is there as a whole or not at all.
    #[command(after_help = after!(
        "goroam mirror add --from .                     what this project needs",
        "goroam mirror add --from go.work --tests       and the tests of its modules",
        "goroam mirror add golang.org/x/text@v0.14.0    one version",
        "goroam mirror add golang.org/x/text            the latest one"
    ))]
    Add(Add),
    /// Is every file what its checksum says, and is each checksum proven?
    #[command(after_help = after!("goroam mirror verify", "goroam mirror verify --json | jq .bad"))]
    Verify(Verify),
    /// What is in it
    #[command(after_help = after!("goroam mirror list", "goroam mirror list golang.org/x --json"))]
    List(List),
    /// Remove what is old, too much, or needed by no project
    #[command(override_usage = PRUNE_USAGE, after_help = after!(
        "goroam mirror prune --needed-by ~/src --dry-run",
        "goroam mirror prune --older-than 180days --max-size 5GB"
    ))]
    Prune(Prune),
    /// Let `@latest` of a module say this version
    #[command(after_help = after!("goroam mirror pin golang.org/x/text v0.14.0"))]
    Pin(Pin),
    /// Let `@latest` of a module say its highest version again
    #[command(after_help = after!("goroam mirror unpin golang.org/x/text"))]
    Unpin(Unpin),
    /// Write the mirror, or what projects need of it, to one archive
    #[command(after_help = after!(
        "goroam mirror export modules.tar",
        "goroam mirror export modules.tar --needed-by ~/src/app"
    ))]
    Export(Export),
    /// Take what an archive holds, after every checksum and proof has been checked
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
    /// All that a project needs: its folder, go.mod or go.work
    #[arg(long, value_name = "DIR|FILE", value_hint = ValueHint::AnyPath)]
    pub from: Vec<PathBuf>,
    /// Also what the tests of the modules themselves need (`go mod download all`)
    #[arg(long)]
    pub tests: bool,
    /// Also the go toolchains that the projects ask for; a go that is too old reads them as those
    #[arg(long)]
    pub toolchain: bool,
    /// Ask nobody: take only what the module cache holds
    #[arg(long)]
    pub offline: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror verify`
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Only modules below these paths [default: all]
    #[arg(value_name = "MODULE")]
    pub modules: Vec<String>,
    /// How many at once [default: one for each processor]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror list`
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Only modules below these paths [default: all]
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
    /// What was brought longer ago than this (30days, 1year)
    #[arg(long, value_name = "TIME", value_parser = super::span::parse_span)]
    pub older_than: Option<Duration>,
    /// The oldest ones, until the rest is no larger than this (500MB, 2GB)
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse_size)]
    pub max_size: Option<u64>,
    /// What no project in or below these folders needs
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub needed_by: Vec<PathBuf>,
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror pin`
#[derive(Debug, Clone, Args)]
pub struct Pin {
    /// The module's path
    pub module: String,
    /// A version that the mirror holds
    pub version: String,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror unpin`
#[derive(Debug, Clone, Args)]
pub struct Unpin {
    /// The module's path
    pub module: String,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror export`
#[derive(Debug, Clone, Args)]
pub struct Export {
    /// The archive to write (a tar file); never overwrites
    #[arg(value_hint = ValueHint::FilePath)]
    pub archive: PathBuf,
    /// Only what projects in or below these folders need
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub needed_by: Vec<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam mirror import`
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// The archive
    #[arg(value_hint = ValueHint::FilePath)]
    pub archive: PathBuf,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}
