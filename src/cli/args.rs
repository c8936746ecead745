//! The command line's grammar and its help.

/// Examples of a verb, then what scripts can rely on; last, where they differ, the exit codes that
/// are the verb's own.
macro_rules! after {
    ($($example:literal),+ $(; $own:literal)?) => {
        concat!(
            "Examples:\n",
            $("  ", $example, "\n",)+
            "\nExit codes:\n",
            "  0 done  1 failed  2 bad usage or bad policy  3 no usable go command\n",
            "  4 refused for safety  5 no agent is running  6 a checksum does not match"
            $(, "\n", $own)?
        )
    };
}

mod init;
mod json;
mod mirror;
pub(super) mod size;
pub(super) mod span;

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueHint};

pub use super::verb::check::Check;
pub use super::verb::doctor::Doctor;
pub use super::verb::exec::{Exec, Step, SummaryForm};
pub use super::verb::history::History;
pub use super::verb::probe::Probe;
pub use super::verb::ready::Ready;
pub use super::verb::service::{Logs, Service, ServiceVerb, Uninstall};
pub use super::verb::status::StatusArgs;
pub use super::verb::take_turn::{Once, Use};
pub use super::verb::vendor::{Rollback, Snapshot, Vendor, VendorVerb};
pub use init::{Init, TemplateName};
pub use json::Json;
pub use mirror::{Add, Export, Import, List, Mirror, MirrorVerb, Pin, Prune, Unpin, Verify};

/// A verb's own options stand apart from those that every verb has.
const EVERYWHERE: &str = "Options of every verb";

/// Keeps `go env` right on whatever network the machine is on
///
/// goroam watches the network, asks Go proxies and checksum databases what they
/// really answer, picks the first profile of your policy that holds, and sets its
/// variables with `go env -w`: at once, with a reason, and so that `goroam restore`
/// brings back what was there before.
#[derive(Debug, Parser)]
#[command(
    name = "goroam",
    version,
    max_term_width = 80,
    after_help = after!(
        "goroam probe          what answers from here?",
        "goroam once           set what is right here, now",
        "goroam agent          and keep it right",
        "goroam why            why this profile?",
        "goroam exec -- go build ./...     build, whatever the network does",
        "goroam mirror add --from .        modules for a day without a network"
    )
)]
pub struct Cli {
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The policy file [env: GOROAM_CONFIG] [default: goroam.toml in the config folder]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// When to use colours; NO_COLOR and CLICOLOR_FORCE are heeded
    #[arg(
        long,
        global = true, help_heading = EVERYWHERE,
        value_name = "WHEN",
        value_enum,
        default_value = "auto"
    )]
    pub color: ColorChoice,
    /// Tell more on standard error (or GOROAM_LOG=goroam=debug)
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Look, probe, decide and set what is right, once
    #[command(after_help = after!(
        "goroam once              set what is right here",
        "goroam once --dry-run    only say what would be set"
    ))]
    Once(Once),
    /// Stay and keep it right on every change of the network
    ///
    /// Runs in the foreground until it is interrupted; one agent a user. Tells of
    /// every switch on standard error.
    #[command(after_help = after!(
        "goroam agent",
        "GOROAM_LOG=goroam=debug goroam agent    also why it did not switch"
    ))]
    Agent,
    /// What is in force, and what goroam knows of the network
    ///
    /// Asks the agent, or tells what the last turn found. Sends no packet. On a terminal
    /// `--watch` is a screen that keeps itself up to date (`q` ends it); else a line a change.
    #[command(after_help = after!(
        "goroam status",
        "goroam status --json | jq -r .profile",
        "goroam status --watch    again on each change, needs an agent"
    ))]
    Status(StatusArgs),
    /// Ask the policy's targets what they answer from here
    ///
    /// A report: the exit code is 0 even if some are down.
    #[command(after_help = after!(
        "goroam probe              all targets",
        "goroam probe corp proxy   these two"
    ))]
    Probe(Probe),
    /// Why this profile: every condition, its value and the evidence
    #[command(after_help = after!("goroam why", "goroam why --json | jq .decision"))]
    Why(Json),
    /// Choose a profile by hand
    #[command(after_help = after!(
        "goroam use offline          until `goroam auto`",
        "goroam use office --for 2h  for two hours"
    ))]
    Use(Use),
    /// Choose by the network again, after `use` or `restore`
    #[command(after_help = after!("goroam auto"))]
    Auto(Json),
    /// Leave everything as it is until `once`, `use` or `auto`
    ///
    /// The agent goes on watching, and writes nothing: what it has set beside a value
    /// (GONOPROXY=none and the like) stays even if you set that value by hand, and
    /// `goroam status` warns of it.
    #[command(after_help = after!("goroam pause", "goroam auto     and it goes on"))]
    Pause(Json),
    /// There after every login: install, start, stop, look at the logs
    #[command(after_help = after!(
        "goroam service install      at every login, and now",
        "goroam service status",
        "goroam service logs -f",
        "goroam service uninstall --restore"
    ))]
    Service(Service),
    /// Run a command, and save it when the network fails it: proxies, mirror, vendor
    ///
    /// Reads what go says on standard error, ends a go that hangs, and runs the command
    /// again a step lower. A failure of the code is passed through; a checksum that does
    /// not match ends it at once. Options of goroam stand before the command.
    #[command(after_help = after!(
        "goroam exec -- go build ./...",
        "goroam exec --tiers mirror,vendor -- go test ./...",
        "goroam exec --summary json -- make";
        "  else the command's own; 126 or 127 when it cannot be started, 1 when it was\n  \
         ended in the last step"
    ))]
    Exec(Exec),
    /// A local copy of modules, with the proofs of their checksums
    #[command(after_help = after!(
        "goroam mirror add --from .",
        "goroam mirror verify",
        "goroam mirror list"
    ))]
    Mirror(Mirror),
    /// Could these projects be built without a network?
    ///
    /// Reads go.mod, go.work and go.sum, looks into the module cache, the mirror and
    /// vendor/, and says what is missing and which command brings it. The exit code is
    /// 0 when all is there, else 1.
    #[command(after_help = after!(
        "goroam ready ~/src/app",
        "goroam ready            every project that it has seen",
        "goroam ready --fetch    and bring what is missing"
    ))]
    Ready(Ready),
    /// Check vendor/, keep it in git, put it back
    #[command(after_help = after!(
        "goroam vendor check",
        "goroam vendor snapshot",
        "goroam vendor rollback"
    ))]
    Vendor(Vendor),
    /// Why does go not do what goroam has set?
    ///
    /// Looks for what wins over the go env file (variables of this shell, of its start-up
    /// files, of the service manager and of editors) and at the project. Changes nothing
    /// but with --cache --fix. The exit code is 0 when nothing is in the way, else 1.
    #[command(after_help = after!(
        "goroam doctor",
        "goroam doctor ~/src/app --json",
        "goroam doctor --cache --fix    take a login page out of the module cache"
    ))]
    Doctor(Doctor),
    /// Check a policy file: every error and warning, with its place
    ///
    /// Without FILE: the policy in force, or the built-in default. The exit code is 2 when
    /// there is an error, else 0. With --strict every warning is an error; notes stay notes.
    #[command(after_help = after!(
        "goroam check",
        "goroam check corporate.toml --json",
        "goroam check --strict goroam.toml    in CI"
    ))]
    Check(Check),
    /// Write a commented policy file to start from
    ///
    /// At a terminal it looks at `go env` and at the network, and asks at most three
    /// questions: the company's proxy, its CA, start at login. Elsewhere it asks
    /// nothing. Never overwrites a file.
    #[command(after_help = after!(
        "goroam init",
        "goroam init --proxy https://goproxy.corp.example --service",
        "goroam init --template corporate",
        "goroam init --stdout | less"
    ))]
    Init(Init),
    /// Put the go env file back to what it was before goroam
    #[command(after_help = after!("goroam restore"))]
    Restore(Json),
    /// The journal: what was switched, when and why
    #[command(after_help = after!(
        "goroam history -n 5",
        "goroam history --verify    has anybody changed it?"
    ))]
    History(History),
    /// Print a shell's completions
    #[command(after_help = after!(
        "goroam completions bash > ~/.local/share/bash-completion/completions/goroam",
        "goroam completions fish > ~/.config/fish/completions/goroam.fish"
    ))]
    Completions(Completions),
    /// Print the manual page, or write all of them to a folder
    #[command(after_help = after!("goroam man | man -l -", "goroam man ~/.local/share/man/man1"))]
    Man(Man),
}

/// `goroam completions`
#[derive(Debug, Clone, Copy, Args)]
pub struct Completions {
    /// Whose
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `goroam man`
#[derive(Debug, Clone, Args)]
pub struct Man {
    /// Write goroam.1 and a page for each verb there [default: print goroam.1]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Verb};

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn config_may_stand_before_and_after_the_verb() {
        for words in [["--config", "p", "why"], ["why", "--config", "p"]] {
            let cli = Cli::try_parse_from(std::iter::once("goroam").chain(words)).unwrap();
            assert_eq!(cli.global.config, Some("p".into()));
            assert!(matches!(cli.verb, Verb::Why(_)));
        }
    }
}
