//! `goroam status --watch` for a person: one screen, redrawn when something on it changes. Between
//! changes the program waits; the only timer is the one for "2 h 04 min".

use std::path::Path;
use std::time::{Duration, Instant};

use crate::agent::error::EXIT_DONE;
use crate::agent::{Error, until};
use crate::cli::render::{self, Glyphs, Page, View, columns_of_painted};
use crate::cli::terminal::{CAN_STOP, Event, Events, Screen, stop_until_continued};
use crate::cli::{Context, Failure};
use crate::gocmd::shadows;
use crate::ipc::{self, Followed, Watching};
use crate::mirror::ready::tally;
use crate::model::plural;
use crate::model::status::Status;

/// Longest wait between two attempts to find an agent: a user who starts one watches the screen for
/// about this long.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

const CTRL_C: char = '\x03';
const CTRL_D: char = '\x04';
const CTRL_L: char = '\x0c';
const CTRL_Z: char = '\x1a';

/// Shows the agent's status until `q`, Ctrl-C or a signal.
pub(super) async fn run(
    context: &Context,
    watching: Watching,
    first: Status,
) -> Result<u8, Failure> {
    let mut events = Events::listen()?;
    let mut screen = Screen::take()?;
    let mut following = ipc::follow(context.paths()?, Some(watching), LONGEST_WAIT);
    let mut picture = Picture {
        glyphs: render::glyphs(&context.env),
        colors: anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        status: first,
        away: None,
    };
    loop {
        let page = context.page.later();
        picture.draw(&mut screen, &page)?;
        // Only the time since the last switch changes if nothing happens.
        let since = picture.status.since;
        let stays = since.map(|since| Instant::now() + page.stays(since));
        let happening = tokio::select! {
            event = events.next() => Happening::Terminal(event),
            seen = following.next() => Happening::Agent(seen),
            () = until(stays) => continue,
        };
        match happening {
            Happening::Agent(Some(Followed::Status(status))) => {
                picture.status = of_caller(context, *status);
                picture.away = None;
            }
            Happening::Agent(Some(Followed::Ended)) => {
                let why = "the agent has ended; this is its last state. Waiting for it to return.";
                picture.away = Some(why.to_owned());
            }
            // The agent has ended; the screen already says so.
            Happening::Agent(Some(Followed::Failed(Error::NoAgent))) => {}
            Happening::Agent(Some(Followed::Failed(error))) => {
                picture.away = Some(format!("{error}; trying again."));
            }
            Happening::Agent(None) => {
                return Err(Failure::failed(
                    "what the agent tells cannot be followed any more",
                ));
            }
            Happening::Terminal(Event::End(code)) => return Ok(code),
            Happening::Terminal(Event::Key('q' | 'Q' | CTRL_C | CTRL_D)) => return Ok(EXIT_DONE),
            Happening::Terminal(Event::Key(CTRL_Z)) if CAN_STOP => {
                drop(screen);
                stop_until_continued();
                screen = Screen::take()?;
            }
            Happening::Terminal(Event::Key(CTRL_L)) => screen.forget(),
            Happening::Terminal(Event::Key(_)) => following.ask_now(),
            // After a stop and a continue, the shell has written over the screen.
            Happening::Terminal(Event::Changed) => screen.forget(),
        }
    }
}

enum Happening {
    Terminal(Event),
    /// `None`: the agent cannot be followed any longer.
    Agent(Option<Followed>),
}

/// The content of the screen.
struct Picture {
    glyphs: &'static Glyphs,
    colors: bool,
    status: Status,
    away: Option<String>,
}

impl Picture {
    fn draw(&self, screen: &mut Screen, page: &Page) -> Result<(), Failure> {
        let size = screen.size();
        let mut lines = render::live(&View {
            status: &self.status,
            away: self.away.as_deref(),
            size,
            page,
            glyphs: self.glyphs,
        });
        if !self.colors {
            for line in &mut lines {
                *line = anstream::adapter::strip_str(line).to_string();
            }
        }
        Ok(screen.show(size, lines, columns_of_painted)?)
    }
}

/// Computes the shadowed variables again: they depend on the asking shell, not on the agent's.
pub(super) fn of_caller(context: &Context, mut status: Status) -> Status {
    status.shadowed = shadows(&context.env, &status.lines());
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
