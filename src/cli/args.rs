//! Defines the command line's grammar and its help.

/// The exit codes of every verb: in the help of the whole program, and in each manual page.
macro_rules! exit_codes {
    () => {
        "  0 done  1 failed  2 bad usage or bad policy  3 no usable go command\n  \
         4 refused for safety  5 no agent is running  6 a checksum does not match"
    };
}

/// Formats the end of a verb's help: examples, and the verb's own exit codes if they differ.
macro_rules! after {
    ($($example:literal),+ $(; $own:expr)?) => {
        concat!("Examples:" $(, "\n  ", $example)+ $(, "\n\nExit codes:\n", $own)?)
    };
}

mod common;

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueHint};

pub use super::verb::chain::ChainArgs;
pub use super::verb::check::Check;
pub use super::verb::choose::Use;
pub use super::verb::completions::Completions;
pub use super::verb::doctor::Doctor;
pub use super::verb::env::Env;
pub use super::verb::exec::{Exec, Step, SummaryForm};
pub use super::verb::explain::Explain;
pub use super::verb::fleet::{Fleet, FleetVerb, Sign, VerifyPolicy};
pub use super::verb::history::History;
pub use super::verb::hook::Hook;
pub use super::verb::init::{Init, TemplateName};
pub use super::verb::man::Man;
pub use super::verb::metrics::Metrics;
pub use super::verb::mirror::{
    Add, Export, Import, List, Mirror, MirrorVerb, Pin, Prune, Unpin, Verify,
};
pub use super::verb::probe::Probe;
pub use super::verb::ready::Ready;
pub use super::verb::relay::Relay;
pub use super::verb::replay::Replay;
pub use super::verb::service::{Logs, Service, ServiceVerb, Uninstall};
pub use super::verb::status::StatusArgs;
pub use super::verb::take_turn::Once;
pub use super::verb::test::Test;
pub use super::verb::vendor::{Rollback, Snapshot, Vendor, VendorVerb};
pub use common::Json;
pub use common::Moment;
pub(in crate::cli) use common::{EXIT_CODES, parse_limit, parse_moment, parse_span};

/// The heading that separates the options of every verb from a verb's own.
const EVERYWHERE: &str = "Options of every verb";

/// Keep `go env` right on whatever network the machine is on
///
/// goroam watches the network, probes Go proxies and checksum databases, picks the
/// first profile of your policy whose conditions hold, and sets its variables with
/// `go env -w`. It gives the reason for each switch, and `goroam restore` brings back
/// the values from before.
#[derive(Debug, Parser)]
#[command(
    name = "goroam",
    version,
    max_term_width = 80,
    after_help = after!(
        "goroam probe          show what answers from here",
        "goroam once           set what is right here, now",
        "goroam agent          keep it right on every network",
        "goroam why            explain the choice of the profile",
        "goroam exec -- go build ./...     build even if the network fails",
        "goroam mirror add --from .        store modules for work offline";
        exit_codes!()
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
    /// Policy file [env: GOROAM_CONFIG] [default: goroam.toml in the config directory]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// When to use colours; NO_COLOR and CLICOLOR_FORCE also count
    #[arg(
        long,
        global = true, help_heading = EVERYWHERE,
        value_name = "WHEN",
        value_enum,
        default_value = "auto"
    )]
    pub color: ColorChoice,
    /// Log more to standard error (or GOROAM_LOG=goroam=debug)
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Probe the network and set the right profile once
    #[command(after_help = after!(
        "goroam once              set what is right here",
        "goroam once --dry-run    only print what would be set"
    ))]
    Once(Once),
    /// Run the agent: switch profiles when the network changes
    ///
    /// Runs in the foreground until it is interrupted. There is one agent per user.
    /// It logs every switch to standard error.
    #[command(after_help = after!(
        "goroam agent",
        "GOROAM_LOG=goroam=debug goroam agent    also log why it did not switch"
    ))]
    Agent,
    /// Show the active profile and the state of the network
    ///
    /// Asks the agent; without an agent, shows what the last turn found. Sends no packet.
    /// With `--watch`, a terminal shows a live screen (`q` ends it); a pipe gets one line
    /// per change.
    #[command(after_help = after!(
        "goroam status",
        "goroam status --json | jq -r .profile",
        "goroam status --short    for a prompt or a status bar",
        "goroam status --watch    follow each change; needs an agent"
    ))]
    Status(StatusArgs),
    /// Probe targets or proxies and show what they answer
    ///
    /// With --speed, or if one is not in the policy, also fetches a small zip from each
    /// proxy and checks it. The proxies with the right content come first, the fastest of
    /// them on top, those that send something else last. The exit code is 0 even if all
    /// are down.
    #[command(after_help = after!(
        "goroam probe              all targets",
        "goroam probe corp proxy   only these two",
        "goroam probe --speed      the policy's proxies, the fastest first",
        "goroam probe cn io aliyun https://goproxy.corp.example"
    ))]
    Probe(Probe),
    /// Predict what go does with a GOPROXY chain here
    ///
    /// Asks each hop what go would ask it, and says whether go moves on, how long it
    /// waits, and which chain is better here. A name that GOPRIVATE or GONOPROXY matches
    /// is sent to private proxies only. The exit code is 0 even if the chain fails.
    #[command(after_help = after!(
        "goroam chain",
        "goroam chain 'https://goproxy.corp.example|https://proxy.golang.org,direct'",
        "goroam chain --module golang.org/x/text@v0.3.0 --json"
    ))]
    Chain(ChainArgs),
    /// Explain the chosen profile: conditions and evidence
    #[command(after_help = after!("goroam why", "goroam why --json | jq .decision"))]
    Why(Json),
    /// Choose a profile or a mirror by hand, or list them
    ///
    /// NAME is looked up among the policy's profiles, then among the mirrors, then as
    /// a URL. A mirror replaces GOPROXY alone: GOPRIVATE, GONOPROXY, GONOSUMDB,
    /// GOSUMDB and all else stay as the profile in force has them. It is refused where
    /// private names would reach it, or less would be verified.
    #[command(after_help = after!(
        "goroam use                  lists profiles and mirrors",
        "goroam use offline          until `goroam auto`",
        "goroam use cn --for 2h      https://goproxy.cn,direct for two hours",
        "goroam use https://goproxy.corp.example"
    ))]
    Use(Use),
    /// Choose by the network again after `use`, `pause`, `restore`
    #[command(after_help = after!("goroam auto"))]
    Auto(Json),
    /// Change nothing until `once`, `use` or `auto`
    ///
    /// The agent keeps watching but writes nothing. Variables that it has set together
    /// with a value (such as GONOPROXY=none) stay even if you change that value by hand;
    /// `goroam status` then warns.
    #[command(after_help = after!("goroam pause", "goroam auto     resume"))]
    Pause(Json),
    /// Run goroam at every login: install, start, stop, logs
    #[command(after_help = after!(
        "goroam service install      start now and at every login",
        "goroam service status",
        "goroam service logs -f",
        "goroam service uninstall --restore"
    ))]
    Service(Service),
    /// Run a command, and get its modules from whatever works
    ///
    /// go asks a relay for each file: the relay asks the proxies of `go env`, then the
    /// mirror, and gives up a silent one. The command runs once; only vendor/, the last
    /// step, runs it again. A failure of the code is passed through. Put goroam's options
    /// before the command.
    #[command(after_help = after!(
        "goroam exec -- go build ./...",
        "goroam exec --tiers mirror,vendor -- go test ./...",
        "goroam exec --summary json -- make";
        "  the command's own; 126 or 127 if it cannot be started, 1 if it was stopped in\n  \
         the last step; before it starts, those of `goroam --help`"
    ))]
    Exec(Exec),
    /// Print what go uses here, and where each value comes from
    ///
    /// Asks go in the directory, and says of each value whether the environment, the
    /// policy's `[[project]]`, the go env file (which profile) or a default sets it. The list masks
    /// credentials; named values and `--shell` do not, as they are meant for programs.
    /// With `--no-relay`, GOPROXY is the chain that the agent's relay walks: in a
    /// container or on another machine, 127.0.0.1 is not this machine.
    #[command(after_help = after!(
        "goroam env",
        "goroam env GOPROXY -C ~/src/app",
        "eval \"$(goroam env --shell bash)\"    keep what holds now in this shell",
        "docker build --build-arg GOPROXY=\"$(goroam env --no-relay GOPROXY)\" ."
    ))]
    Env(Env),
    /// Print code that keeps a shell's exports out of the way
    ///
    /// For the end of a start-up file. Unsets GOPROXY and GOSUMDB while the profile in
    /// force sets them, if they were exported before this line, and puts them back when
    /// it does not; never GOPRIVATE or GONO…, and never what you export later. Exports the
    /// variables of the policy's `[[project]]` that holds in the directory. Sets
    /// GOROAM_PROFILE, for the prompt. A prompt starts no process, except after a turn or
    /// a pause, and in a new directory if the policy has projects.
    #[command(after_help = after!(
        "goroam hook fish | source      in ~/.config/fish/config.fish",
        "eval \"$(goroam hook bash)\"     in ~/.bashrc",
        "eval \"$(goroam hook zsh)\"      in ~/.zshrc",
        "goroam hook pwsh | Out-String | Invoke-Expression      in $PROFILE"
    ))]
    Hook(Hook),
    /// Serve a local module proxy that fails over by itself
    ///
    /// Walks the chain of GOPROXY for each request of go: a proxy that fails or is silent
    /// costs seconds, not the build, and is left alone for a while. What a hash is known
    /// of is verified before go gets it. Prints the URL for GOPROXY, and runs until it is
    /// interrupted.
    #[command(after_help = after!(
        "goroam relay",
        "goroam relay --listen 127.0.0.1:7777",
        "goroam relay --chain 'https://proxy.golang.org,https://goproxy.io'"
    ))]
    Relay(Relay),
    /// Manage a local mirror of modules and checksum proofs
    #[command(after_help = after!(
        "goroam mirror add --from .",
        "goroam mirror verify",
        "goroam mirror list"
    ))]
    Mirror(Mirror),
    /// Check whether projects can be built without a network
    ///
    /// Reads go.mod, go.work and go.sum, looks into the module cache, the mirror and
    /// vendor/, and prints what is missing and the command that fetches it. The exit code
    /// is 0 if nothing is missing, otherwise 1.
    #[command(after_help = after!(
        "goroam ready ~/src/app",
        "goroam ready            every project that was checked before",
        "goroam ready --fetch    fetch what is missing"
    ))]
    Ready(Ready),
    /// Check vendor/, snapshot it in git, roll it back
    #[command(after_help = after!(
        "goroam vendor check",
        "goroam vendor snapshot",
        "goroam vendor rollback"
    ))]
    Vendor(Vendor),
    /// Find what overrides goroam's settings
    ///
    /// Looks for variables that win over the go env file (in this shell, its start-up
    /// files, the service manager and editors) and checks the project. Changes nothing
    /// without --fix. The exit code is 0 if nothing overrides, otherwise 1. With --fix: 0 if
    /// all that it shows is done, 1 if something is left, 4 without a yes.
    #[command(after_help = after!(
        "goroam doctor",
        "goroam doctor ~/src/app --json",
        "goroam doctor --fix            show what is safe to fix, ask, and do it",
        "goroam doctor --undo           take it back",
        "goroam doctor --cache --fix    remove login pages from the module cache"
    ))]
    Doctor(Doctor),
    /// Explain what go printed, or a code, and what to type
    ///
    /// Reads what go or goroam printed: the words after it, or standard input. Names the
    /// one cause that decides, what it means, and the commands that help. Asks no server
    /// and changes nothing. The exit code is 1 if it knows neither text nor code.
    #[command(after_help = after!(
        "goroam explain              lists the symptoms",
        "goroam explain loosens-unproven",
        "go build ./... 2>&1 | goroam explain"
    ))]
    Explain(Explain),
    /// Check a policy file and show every error and warning
    ///
    /// Checks FILE alone. Without FILE, checks the policy in force: the machine's file
    /// and yours, or else the built-in default. The exit code is 2 if there is an error,
    /// otherwise 0. With --strict, warnings are errors; notes stay notes. With --tests,
    /// also runs `goroam test`; the exit code is 1 if a scenario is not as expected.
    #[command(after_help = after!(
        "goroam check",
        "goroam check corporate.toml --json",
        "goroam check --layers               names the file and line of each part",
        "goroam check --strict goroam.toml --tests tests/    in CI"
    ))]
    Check(Check),
    /// Test a policy: networks and answers in, profile out
    ///
    /// Decides each scenario of the files as the agent would, without a network and
    /// without go, and compares with what it expects. A fact that a scenario does not
    /// give is unknown, never guessed. The exit code is 0 if all is as expected, 1 if not,
    /// 2 if a file cannot be used.
    #[command(after_help = after!(
        "goroam test goroam.toml tests/",
        "goroam test goroam.toml office.toml --json"
    ))]
    Test(Test),
    /// Tell what another policy would have done in past turns
    ///
    /// Reads the journal, also its rotated file, and decides each turn again with what its
    /// line holds. What a turn did not wait for, and the agent's environment, are not
    /// known, never guessed. A target of another meaning than in the active policy (or
    /// --was) counts as not known, too. Changes nothing; the exit code is 0 even if turns
    /// would differ.
    #[command(after_help = after!(
        "goroam replay --policy new.toml",
        "goroam replay --policy new.toml --since 30days --json",
        "goroam replay laptop.jsonl --policy new.toml --was old.toml"
    ))]
    Replay(Replay),
    /// Write a commented policy file to start from
    ///
    /// On a terminal, reads `go env` and the network, asks for the company's proxy (and
    /// its CA), lists the profiles, and asks before it writes, starts at login or applies.
    /// Elsewhere asks nothing and does what the flags say. A host that DNS does not know
    /// is refused (exit code 2) until it is confirmed, with --yes in a script. An existing
    /// policy stays (exit code 1), except with --force.
    #[command(after_help = after!(
        "goroam init",
        "goroam init --proxy https://goproxy.corp.example --service",
        "goroam init --template corporate",
        "goroam init --proxy https://goproxy.corp.example --print | less",
        "goroam init --force --apply     start over, with a backup, and use it now"
    ))]
    Init(Init),
    /// Follow a signed policy: fetch, show, verify, sign
    ///
    /// `[fleet]` in the machine's file names a URL and the keys that may sign. The agent
    /// fetches the policy by itself on networks whose profile has `fleet = true`.
    #[command(after_help = after!(
        "goroam fleet update                 fetch it now",
        "goroam fleet status",
        "goroam fleet verify policy.toml --key minisign.pub",
        "goroam fleet sign policy.toml --secret-key minisign.key"
    ))]
    Fleet(Fleet),
    /// Restore the go env file to its state before goroam
    #[command(after_help = after!("goroam restore"))]
    Restore(Json),
    /// Show what was switched, when and why
    ///
    /// With --csv, one row for each turn: what was in force, and what was done. With
    /// --verify, checks that each line follows from the one before, and prints the end of
    /// the journal: kept elsewhere, and given to --anchor later, it shows whether lines
    /// were cut off since.
    #[command(after_help = after!(
        "goroam history -n 5",
        "goroam history --since 2026-11-01 --csv > november.csv",
        "goroam history --verify    check that it was not changed"
    ))]
    History(History),
    /// Print metrics in Prometheus' text format
    ///
    /// Counts of turns, switches, probes and failures, and the present state. `[metrics]
    /// textfile` writes the same to a file after each turn; `[telemetry] otlp` sends it to
    /// an OpenTelemetry collector.
    #[command(after_help = after!(
        "goroam metrics | grep goroam_switches_total"
    ))]
    Metrics(Metrics),
    /// Print completions for a shell
    #[command(after_help = after!(
        "goroam completions bash > ~/.local/share/bash-completion/completions/goroam",
        "goroam completions fish > ~/.config/fish/completions/goroam.fish"
    ))]
    Completions(Completions),
    /// Print the manual page, or write all pages to a directory
    #[command(after_help = after!("goroam man | man -l -", "goroam man ~/.local/share/man/man1"))]
    Man(Man),
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

    #[test]
    fn help_starts_with_a_short_sentence_for_every_verb() {
        fn check(command: &clap::Command) {
            let about = command.get_about().map(ToString::to_string);
            let about = about.unwrap_or_default();
            let name = command.get_name();
            assert!((1..=60).contains(&about.chars().count()), "{name}: {about}");
            assert!(!about.contains('?'), "{name}: {about}");
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
