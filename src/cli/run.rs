//! Runs the command: from arguments to an exit code.

use std::ffi::OsString;
use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::{ColorChoice, CommandFactory as _, Parser};
use serde::Serialize;
use tracing::Level;

use super::args::{Cli, Json, Once, Verb};
use super::complete;
use super::context::{Context, Output};
use super::failure::Failure;
use super::instead::instead;
use super::render::{Found, findings, found};
use super::verb::{self, take_turn::take_turn};
use crate::agent::error::{EXIT_DONE, EXIT_USAGE};
use crate::agent::{Command, Error, record_panics};
use crate::paths::Paths;
use crate::policy::PolicyFinding;
use crate::relay::observed;
use crate::telemetry;

/// Threads for DNS or files end after this idle time: they cost memory in a resident agent.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(2);
/// Most threads: `getaddrinfo` blocks a thread for each name. In a policy with more names, the
/// others wait.
const MOST_THREADS: usize = 64;

/// Runs the whole command: arguments in, output and exit code out.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = Vec::from_iter(args);
    if args.get(1).is_some_and(|verb| verb == complete::VERB) {
        let text = complete::answer(&Context::new(None), Cli::command(), &args[2..]);
        drop(Output.raw(text.as_bytes()));
        return ExitCode::SUCCESS;
    }
    let json = wants_json(&args);
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            let message = instead(&error, &args);
            let is_failure = error.use_stderr() && json;
            if let Some(message) = message.or_else(|| is_failure.then(|| misuse(&error))) {
                say(json, &message, EXIT_USAGE, &[]);
                return ExitCode::from(EXIT_USAGE);
            }
            // `--help | head` must not report an error.
            drop(error.print());
            let usage = error.use_stderr();
            return ExitCode::from(if usage { EXIT_USAGE } else { EXIT_DONE });
        }
    };
    choose_color(cli.global.color);
    let context = Context::new(cli.global.config.clone());
    let env = &context.env;
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    telemetry::start(level(&cli), told(&cli), color, env);
    if let Ok(paths) = Paths::find(None, env) {
        record_panics(paths.panic_log());
    }
    match dispatch(&context, cli.verb) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            complain(&context, &failure, json);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Reports whether the arguments ask for JSON, also if they cannot be parsed. What follows `exec` or
/// `--` is the command line of another program.
fn wants_json(args: &[OsString]) -> bool {
    let mut words = args.windows(2).filter_map(|pair| match pair {
        [before, word] if before != "--config" && before != "--color" => Some(word),
        _ => None,
    });
    let verb = words.find(|word| !word.as_encoded_bytes().starts_with(b"-"));
    let is_exec = verb.is_some_and(|verb| verb == "exec");
    let mut own = args.iter().skip(1);
    own.by_ref()
        .take_while(|arg| *arg != "--" && !(is_exec && *arg == "exec"))
        .any(|arg| arg == "--json")
}

/// Returns what clap says of the arguments, without the usage that it prints below.
fn misuse(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let ends = ["\n\nUsage:", "\n\nFor more information"].map(|end| text.find(end));
    let end = ends.into_iter().flatten().min().unwrap_or(text.len());
    let text = text.get(..end).unwrap_or_default();
    text.trim().trim_start_matches("error: ").to_owned()
}

fn dispatch(context: &Context, verb: Verb) -> Result<u8, Failure> {
    match verb {
        Verb::Check(args) => verb::check::run(context, &args),
        Verb::Test(args) => verb::test::run(context, &args),
        Verb::Init(args) => block_on(Box::pin(verb::init::run(context, args))),
        Verb::History(args) => verb::history::run(context, &args),
        Verb::Metrics(args) => block_on(Box::pin(verb::metrics::run(context, args))),
        Verb::Completions(args) => verb::completions::run(context, &args),
        Verb::Man(args) => verb::man::run(context, Cli::command(), &args),
        Verb::Once(Once { dry_run, format }) => turn(context, Command::Once { dry_run }, format),
        Verb::Agent => block_on(Box::pin(verb::agent::run(context))),
        Verb::Status(args) => block_on(Box::pin(verb::status::run(context, args))),
        Verb::Probe(args) => block_on(Box::pin(verb::probe::run(context, &args))),
        Verb::Chain(args) => block_on(Box::pin(verb::chain::run(context, args))),
        Verb::Why(args) => block_on(Box::pin(verb::why::run(context, args))),
        Verb::Use(args) => block_on(Box::pin(verb::choose::run(context, &args))),
        Verb::Auto(format) => turn(context, Command::Auto, format),
        Verb::Pause(args) => block_on(Box::pin(verb::take_turn::pause(context, args))),
        Verb::Service(args) => block_on(Box::pin(verb::service::run(context, &args))),
        Verb::Exec(args) => block_on(Box::pin(verb::exec::run(context, args))),
        Verb::Mirror(args) => block_on(Box::pin(verb::mirror::run(context, args))),
        Verb::Ready(args) => block_on(Box::pin(verb::ready::run(context, args))),
        Verb::Explain(args) => verb::explain::run(context, &args),
        Verb::Fleet(args) => block_on(Box::pin(verb::fleet::run(context, args))),
        Verb::Env(args) => block_on(Box::pin(verb::env::run(context, &args))),
        Verb::Hook(args) => verb::hook::run(context, &args),
        Verb::Replay(args) => verb::replay::run(context, &args),
        Verb::Relay(args) => block_on(Box::pin(verb::relay::run(context, args))),
        Verb::Vendor(args) => verb::vendor::run(context, &args),
        Verb::Doctor(args) => block_on(Box::pin(verb::doctor::run(context, args))),
        Verb::Restore(format) => turn(context, Command::Restore, format),
    }
}

fn turn(context: &Context, command: Command, format: Json) -> Result<u8, Failure> {
    block_on(Box::pin(take_turn(context, command, format.json)))
}

/// Runs the verb on this thread only: it mostly waits, and a DNS lookup gets its own thread when
/// needed. The future is boxed, so that one copy of the runtime's loop serves all verbs.
fn block_on(work: Pin<Box<dyn Future<Output = Result<u8, Failure>> + '_>>) -> Result<u8, Failure> {
    enough_descriptors()?;
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = observed(&mut builder)
        .enable_all()
        .thread_keep_alive(THREAD_KEEP_ALIVE)
        .max_blocking_threads(MOST_THREADS)
        .build()
        .map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    let done = runtime.block_on(work);
    // A look-up without an answer would delay the end by its whole time limit.
    runtime.shutdown_background();
    done
}

/// Checks that enough file descriptors are free. Otherwise the runtime would not start, or would
/// panic when it creates a pipe for signals.
#[cfg(unix)]
fn enough_descriptors() -> Result<(), Failure> {
    /// Enough for the runtime, one child and some sockets.
    const NEEDED: usize = 16;
    let spare: Result<Vec<_>, std::io::Error> = (0..NEEDED)
        .map(|_| std::os::unix::net::UnixDatagram::unbound())
        .collect();
    spare.map(drop).map_err(|error| {
        Failure::failed(format_args!(
            "cannot start: {error}; goroam needs {NEEDED} more open files than there are, raise \
             the limit with `ulimit -n 256`"
        ))
    })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
fn enough_descriptors() -> Result<(), Failure> {
    Ok(())
}

fn choose_color(choice: ColorChoice) {
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

fn level(cli: &Cli) -> Level {
    match (cli.global.verbose, &cli.verb) {
        (0, Verb::Agent) => Level::INFO,
        (0, _) => Level::WARN,
        (1, _) => Level::DEBUG,
        (_, _) => Level::TRACE,
    }
}

/// The part of the program whose log lines are left out: amid go's output they would be taken for its
/// own, and `exec` says in its summary what the relay did.
fn told(cli: &Cli) -> Option<&'static str> {
    let is_exec = cli.global.verbose == 0 && matches!(cli.verb, Verb::Exec(_));
    is_exec.then_some("goroam::relay")
}

/// Prints the failure on standard error. If that is closed too, the message is lost.
fn complain(context: &Context, failure: &Failure, json: bool) {
    let Some(message) = failure.message() else {
        return;
    };
    if let Failure::Goroam(Error::Policy {
        texts,
        findings: all,
        ..
    }) = failure
    {
        // Only errors are printed here; `check` also prints the warnings.
        let errors = all.iter().filter(|one| one.is_error());
        let errors: Vec<PolicyFinding> = errors.cloned().collect();
        if json {
            let found = found(texts, &errors);
            return say(json, &message, failure.exit_code(), &found);
        }
        let text = findings(texts, &errors, &context.page);
        drop(anstream::stderr().lock().write_all(text.as_bytes()));
    }
    say(json, &message, failure.exit_code(), &[]);
}

/// A failure for scripts. Fields are added, never renamed.
#[derive(Serialize)]
struct Failed<'a> {
    error: Said<'a>,
}

#[derive(Serialize)]
struct Said<'a> {
    message: &'a str,
    exit_code: u8,
    /// The errors of the policy, if it is refused: as in `check --json`.
    #[serde(skip_serializing_if = "<[Found<'_>]>::is_empty")]
    findings: &'a [Found<'a>],
}

/// Prints what went wrong, with the program's name, or as one line of JSON.
fn say(json: bool, message: &str, exit_code: u8, findings: &[Found<'_>]) {
    let style: Style = AnsiColor::Red.on_default().bold();
    let plain = anstream::adapter::strip_str(message).to_string();
    let error = Said {
        message: &plain,
        exit_code,
        findings,
    };
    let text = match serde_json::to_string(&Failed { error }) {
        Ok(line) if json => format!("{line}\n"),
        Ok(_) | Err(_) => format!("{style}goroam:{style:#} {message}\n"),
    };
    drop(anstream::stderr().lock().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::wants_json;

    #[test]
    fn json_is_asked_for_before_what_another_program_gets() {
        for (line, wants) in [
            ("goroam status --json", true),
            ("goroam --config exec explain exec --json", true),
            ("goroam probe exec --json", true),
            ("goroam exec go list --json", false),
            ("goroam --color never exec --json", false),
            ("goroam env -- --json", false),
            ("goroam", false),
        ] {
            let args = Vec::from_iter(line.split(' ').map(Into::into));
            assert_eq!(wants_json(&args), wants, "{line}");
        }
    }
}
