//! `goroam status`. With `--watch`, a person sees one screen, redrawn when something on it changes.
//! Between changes the program waits; the only timer is the one for "2 h 04 min".

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;

use crate::agent::error::EXIT_DONE;
use crate::agent::{Command, Error, Reply, Session, until, user_env};
use crate::cli::args::Json;
use crate::cli::render::{self, View};
use crate::cli::terminal::{CAN_STOP, Event, Events, Screen, stop_until_continued};
use crate::cli::{Context, Failure};
use crate::gocmd::shadows;
use crate::ipc::{self, Followed, Watching};
use crate::mirror::ready::tally;
use crate::model::plural;
use crate::model::status::{AgentState, Status};

/// `goroam status`
#[derive(Debug, Clone, Copy, Args)]
pub struct StatusArgs {
    /// Follow each change until interrupted
    #[arg(long)]
    pub watch: bool,
    /// Only the profile, with * if it was chosen by hand and ! if something is wrong
    #[arg(long, conflicts_with_all = ["watch", "json"])]
    pub short: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// Shows the present state, from the agent or from the last turn.
pub(in crate::cli) async fn run(context: &Context, args: StatusArgs) -> Result<u8, Failure> {
    let json = args.format.json;
    if args.watch {
        return watch(context, json).await;
    }
    if args.short {
        let status = of_caller(context, ask(context, true).await?);
        let segment = render::segment(&status);
        let line = if segment.is_empty() {
            segment
        } else {
            segment + "\n"
        };
        context.out.text(&line)?;
        return Ok(EXIT_DONE);
    }
    let status = of_caller(context, ask(context, false).await?);
    context.show(json, &status, render::status)?;
    Ok(EXIT_DONE)
}

/// Asks the agent. `quickly`: without one, only what the last turn has left.
pub(super) async fn ask(context: &Context, quickly: bool) -> Result<Status, Failure> {
    let paths = context.paths()?;
    match ipc::ask(&paths, Command::Status).await {
        Ok(Reply::Status(status)) => Ok(Status {
            agent: AgentState::Running,
            ..*status
        }),
        Ok(Reply::Turn(report)) => Ok(report.status),
        Ok(Reply::Failed { error, exit }) => Err(Failure::said(error, exit)),
        Err(Error::NoAgent) => {
            let session = Session::open(context.config.clone(), context.env.clone())?;
            Ok(match quickly {
                true => session.remembered(),
                false => session.status(),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows a screen on a terminal, and otherwise one line for each change.
async fn watch(context: &Context, json: bool) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let mut watching = ipc::watch(&paths).await?;
    let mut told = String::new();
    let mut status = next(context, &mut watching).await?;
    if !json && context.out.is_screen(&context.env) {
        return live(context, watching, status).await;
    }
    loop {
        let page = context.page.later();
        if json {
            context.out.json_line(&status)?;
        } else {
            let line = render::status_line(&status, &page);
            if line != told {
                context.out.text(&line)?;
                told = line;
            }
        }
        status = next(context, &mut watching).await?;
    }
}

async fn next(context: &Context, watching: &mut Watching) -> Result<Status, Failure> {
    let Some(status) = watching.next().await? else {
        let message = "the agent has ended; start one with `goroam agent`";
        return Err(Failure::said(message, Error::NoAgent.exit_code()));
    };
    Ok(of_caller(context, status))
}

/// Longest wait between two attempts to find an agent: a user who starts one watches the screen for
/// about this long.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

const CTRL_C: char = '\x03';
const CTRL_D: char = '\x04';
const CTRL_L: char = '\x0c';
const CTRL_Z: char = '\x1a';

/// Shows the agent's status until `q`, Ctrl-C or a signal.
async fn live(context: &Context, watching: Watching, mut status: Status) -> Result<u8, Failure> {
    let glyphs = render::glyphs(&context.env);
    let stdout = std::io::stdout();
    let colors = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    let mut events = Events::listen()?;
    let mut screen = Screen::take()?;
    let mut following = ipc::follow(context.paths()?, Some(watching), LONGEST_WAIT);
    let mut away = None;
    loop {
        let (page, size) = (context.page.later(), screen.size());
        let mut lines = render::live(&View {
            status: &status,
            away: away.as_deref(),
            size,
            page: &page,
            glyphs,
        });
        if !colors {
            for line in &mut lines {
                *line = anstream::adapter::strip_str(line).to_string();
            }
        }
        screen.show(size, lines)?;
        // Only the time since the last switch changes if nothing happens.
        let stays = status.since.map(|since| Instant::now() + page.stays(since));
        tokio::select! {
            event = events.next() => match event {
                Event::End(code) => return Ok(code),
                Event::Key('q' | 'Q' | CTRL_C | CTRL_D) => return Ok(EXIT_DONE),
                Event::Key(CTRL_Z) if CAN_STOP => {
                    drop(screen);
                    stop_until_continued();
                    screen = Screen::take()?;
                }
                // After a stop and a continue, the shell has written over the screen.
                Event::Key(CTRL_L) | Event::Changed => screen.forget(),
                Event::Key(_) => following.ask_now(),
            },
            seen = following.next() => match seen {
                Some(Followed::Status(seen)) => {
                    status = of_caller(context, *seen);
                    away = None;
                }
                Some(Followed::Ended) => {
                    let why = "the agent has ended; this is its last state. Waiting for it to \
                               return.";
                    away = Some(why.to_owned());
                }
                // The agent has ended; the screen already says so.
                Some(Followed::Failed(Error::NoAgent)) => {}
                Some(Followed::Failed(error)) => away = Some(format!("{error}; trying again.")),
                None => {
                    let message = "what the agent tells cannot be followed any more";
                    return Err(Failure::failed(message));
                }
            },
            () = until(stays) => {}
        }
    }
}

/// Computes the shadowed variables again: they depend on the asking shell, not on the agent's.
fn of_caller(context: &Context, mut status: Status) -> Status {
    status.shadowed = shadows(&user_env(context.env.clone()), &status.lines());
    counted(status)
}

/// Adds the count: "the mirror /m, 41 modules". The client counts, so that the agent does not have
/// to for each message.
fn counted(mut status: Status) -> Status {
    if let Some(from) = &mut status.from
        && let Some(path) = from.strip_prefix("the mirror ")
    {
        let (modules, _) = tally(Path::new(path));
        *from = format!("{from}, {}", plural(modules, "module"));
    }
    status
}
