//! `goroam status --watch` for a person: one screen, drawn anew when something on it changes.
//! In between everything waits; the only timer is the one for "2 h 04 min".

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::caller::of_caller;
use crate::agent::Error;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{self, Glyphs, Page, View, columns_of_painted};
use crate::cli::terminal::{Event, Events, Screen, can_stop, stop_until_continued};
use crate::ipc::{self, Watching};
use crate::model::status::Status;
use crate::paths::Paths;

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_L: u8 = 12;
const CTRL_Z: u8 = 26;

/// Shows what the agent tells until `q`, Ctrl-C or a signal.
pub(super) async fn run(
    context: &Context,
    watching: Watching,
    first: Status,
) -> Result<u8, Failure> {
    let mut events = Events::listen()?;
    let mut screen = Screen::take()?;
    let mut following = follow(context.paths()?, watching);
    let mut picture = Picture {
        glyphs: render::glyphs(&context.env),
        colors: anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        status: first,
        away: None,
    };
    loop {
        let page = context.page.later();
        picture.draw(&mut screen, &page)?;
        let news = tokio::select! {
            event = events.next() => Happening::Terminal(event),
            news = following.next() => Happening::Agent(news),
            () = at(picture.stays(&page)) => continue,
        };
        match news {
            Happening::Agent(Some(AgentNews::Status(status))) => {
                picture.status = of_caller(context, *status);
                picture.away = None;
            }
            Happening::Agent(Some(AgentNews::Away(why))) => picture.away = Some(why),
            Happening::Agent(None) => {
                let message = "what the agent tells cannot be followed any more";
                return Err(Failure::said(message, EXIT_FAILED));
            }
            Happening::Terminal(Event::End(code)) => return Ok(code),
            Happening::Terminal(Event::Key(b'q' | b'Q' | CTRL_C | CTRL_D)) => return Ok(EXIT_DONE),
            Happening::Terminal(Event::Key(CTRL_Z)) if can_stop() => {
                drop(screen);
                stop_until_continued();
                screen = Screen::take()?;
            }
            Happening::Terminal(Event::Key(CTRL_L)) => screen.forget(),
            Happening::Terminal(Event::Key(_)) => following.ask_now(),
            // Continued after a stop, the shell has written where we had drawn.
            Happening::Terminal(Event::Changed) => screen.forget(),
        }
    }
}

enum Happening {
    Terminal(Event),
    /// `None`: whoever follows the agent has ended.
    Agent(Option<AgentNews>),
}

/// What is shown.
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

    /// How long it stays as it is if nothing happens; `None`: nothing on it grows old.
    fn stays(&self, page: &Page) -> Option<Duration> {
        self.status.since.map(|since| page.stays(since))
    }
}

async fn at(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep_until(Instant::now() + wait).await,
        None => std::future::pending().await,
    }
}

/// A restart takes less; asking costs one system call that fails.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Somebody who starts an agent looks at the screen for about this long.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What there is to show of the agent.
#[derive(Debug)]
enum AgentNews {
    /// What is true now.
    Status(Box<Status>),
    /// It is gone: what to say of that.
    Away(String),
}

/// Whoever follows the agent; ends when this is dropped.
#[derive(Debug)]
struct Following {
    news: mpsc::Receiver<AgentNews>,
    hurry: Arc<Notify>,
    _task: JoinSet<()>,
}

impl Following {
    /// The next news. Dropping the future loses none. `None`: nobody follows any more.
    async fn next(&mut self) -> Option<AgentNews> {
        self.news.recv().await
    }

    /// If the agent is away, asks for it now.
    fn ask_now(&self) {
        self.hurry.notify_one();
    }
}

/// Follows the agent from an open connection on. It is a task of its own, for an answer that
/// has half arrived must not be dropped for a key that was pressed.
fn follow(paths: Paths, watching: Watching) -> Following {
    let (tell, news) = mpsc::channel(1);
    let hurry = Arc::new(Notify::new());
    let mut task = JoinSet::new();
    let asked = Arc::clone(&hurry);
    task.spawn(async move {
        let mut watching = watching;
        while told_all(&mut watching, &tell).await {
            match again(&paths, &tell, &asked).await {
                Some(found) => watching = found,
                None => return,
            }
        }
    });
    Following {
        news,
        hurry,
        _task: task,
    }
}

/// Hands on what the agent tells until it ends. `false`: nobody listens any more.
async fn told_all(watching: &mut Watching, tell: &mpsc::Sender<AgentNews>) -> bool {
    let away = loop {
        match watching.next().await {
            Ok(Some(status)) => {
                if tell
                    .send(AgentNews::Status(Box::new(status)))
                    .await
                    .is_err()
                {
                    return false;
                }
            }
            Ok(None) => break "the agent has ended".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    let away = format!("{away}; this is its last state. Waiting for it to return.");
    tell.send(AgentNews::Away(away)).await.is_ok()
}

/// Asks until there is an agent again. `None`: nobody waits for it any more.
async fn again(paths: &Paths, tell: &mpsc::Sender<AgentNews>, hurry: &Notify) -> Option<Watching> {
    let mut wait = FIRST_WAIT;
    let mut said = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = LONGEST_WAIT.min(wait * 2),
            () = hurry.notified() => wait = FIRST_WAIT,
            () = tell.closed() => return None,
        }
        match ipc::watch(paths).await {
            Ok(watching) => return Some(watching),
            Err(Error::NoAgent) => {}
            Err(error) => {
                let why = format!("{error}; trying again.");
                if said.as_ref() != Some(&why) {
                    said = Some(why.clone());
                    tell.send(AgentNews::Away(why)).await.ok()?;
                }
            }
        }
    }
}
