//! The resident agent: one loop that only routes. A round runs beside it and is dropped when
//! something newer happens; nothing of a round is visible before it is finished.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::info;

use super::command::{Command, Reply};
use super::error::Error;
use super::last_good;
use super::pulse::Pulse;
use super::resident::Agent;
use super::round::Ready;
use super::session::Session;
use super::signals::{Signal, Signals};
use super::single::SingleInstance;
use super::supervisor::{Ended, Life, Supervisor};
use super::timers::until;
use super::trim::trim_memory;
use super::work::{Answer, in_progress};
use crate::model::Observation;
use crate::model::status::Status;
use crate::watch::Hint;

/// An agent that has had nothing to do for so long gives memory back: after each event at once
/// would cost more than it brings.
const REST: Duration = Duration::from_secs(2);

/// A way to ask the running agent, for the socket's server.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<(Command, Answer)>,
    status: watch::Receiver<Status>,
    places: Arc<Notify>,
}

impl Handle {
    /// A handle on whoever answers `commands` and keeps `status` up to date: the loop below.
    pub fn new(
        commands: tokio::sync::mpsc::Sender<(Command, tokio::sync::oneshot::Sender<Reply>)>,
        status: watch::Receiver<Status>,
    ) -> Handle {
        Handle {
            commands,
            status,
            places: Arc::default(),
        }
    }

    /// Waits until something has happened to the files of the agent, of which the socket is one.
    pub async fn places(&self) {
        self.places.notified().await;
    }

    /// Asks, and waits for the answer.
    pub async fn ask(&self, command: Command) -> Reply {
        let (answer, reply) = oneshot::channel();
        let ended = || Reply::Failed {
            error: "the agent is ending".to_owned(),
            exit: 1,
        };
        if self.commands.send((command, answer)).await.is_err() {
            return ended();
        }
        reply.await.unwrap_or_else(|_| ended())
    }

    /// What is true, now and after each change.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

/// Holds the locks of the one agent of this go env file; `serve` gets a handle to answer the socket with.
/// Runs until SIGTERM, SIGINT or Ctrl-C, or until somebody asks it to end.
///
/// # Errors
/// When another agent is running, or the agent cannot start.
pub async fn run(
    session: Session,
    serve: impl FnOnce(Handle) -> Result<(), Error>,
    supervisor: &mut dyn Supervisor,
) -> Result<Ended, Error> {
    // Neither the environment nor whose home it is changes while the agent runs.
    let env_file = session.file()?.path;
    session.keep_folder()?;
    let mut single = SingleInstance::take(&session.paths, &env_file)?;
    if session.last_good.is_none() {
        last_good::keep(&session.paths, &session.loaded);
    }
    let mut signals = Signals::listen().map_err(|source| Error::State {
        what: "signals".to_owned(),
        source: source.into(),
    })?;
    let (commands, mut asked) = mpsc::channel(16);
    let (publish, status) = watch::channel(session.status());
    let handle = Handle::new(commands, status);
    let places = Arc::clone(&handle.places);
    serve(handle)?;

    // A pipe of Windows is no file.
    let socket = cfg!(unix).then(|| session.paths.socket());
    let own = single.files().cloned().chain(socket).collect();
    let mut agent = Agent::new(session, publish, own);
    agent.start();
    let mut pulse = Pulse::begin(supervisor, &agent);
    let mut trim_at = None;
    loop {
        // At rest, and with the watchdog running: a successor that hangs is started anew.
        if agent.work.is_none()
            && let Some(program) = agent.successor.take_over()
        {
            if signals.hand_over().await {
                info!("ends, and not as the new {}", program.display());
                pulse.tell(Life::Ending, &agent);
                return Ok(Ended::Asked);
            }
            info!("goes on as the new {}", program.display());
            return Ok(Ended::Replaced(program));
        }
        pulse.rest(&agent);
        let event = tokio::select! {
            biased;
            signal = signals.next() => Event::Signal(signal),
            Some((command, answer)) = asked.recv() => Event::Asked(command, answer),
            hint = agent.watcher.next() => Event::Hint(hint),
            seen = agent.late.next() => Event::Late(Box::new(seen)),
            ready = in_progress(&mut agent.work) => Event::Done(Box::new(ready)),
            () = until(agent.timers.next()) => Event::Time,
            () = until(pulse.next()) => Event::Beat,
            () = until(agent.successor.due) => Event::Successor,
            () = until(agent.keeper.due) => Event::Keep,
            status = agent.keeper.ended() => Event::Kept(status),
            () = until(trim_at) => {
                trim_memory();
                trim_at = None;
                continue;
            }
        };
        if !matches!(event, Event::Beat) {
            trim_at = Some(Instant::now() + REST);
        }
        pulse.work(&agent);
        single.keep();
        match event {
            Event::Signal(Signal::End) => {
                info!("ends");
                pulse.tell(Life::Ending, &agent);
                return Ok(Ended::Asked);
            }
            Event::Signal(Signal::Reload) => {
                pulse.tell(Life::Reloading, &agent);
                agent.reload(true);
                pulse.tell(Life::Ready, &agent);
            }
            Event::Asked(command, answer) => {
                let ends = command == Command::End;
                agent.asked(command, answer).await;
                if ends {
                    info!("ends, as it was asked to");
                    pulse.tell(Life::Ending, &agent);
                    return Ok(Ended::Asked);
                }
            }
            Event::Hint(hint) => {
                places.notify_one();
                agent.hint(hint).await;
            }
            Event::Done(ready) => agent.done(*ready).await,
            Event::Late(seen) => agent.answered_late(*seen),
            Event::Time => agent.time().await,
            Event::Successor => agent.look_for_successor(pulse.starts_again()).await,
            Event::Keep => agent.begin_keeping(),
            Event::Kept(status) => agent.kept(status).await,
            Event::Beat => {}
        }
    }
}

enum Event {
    Signal(Signal),
    Asked(Command, Answer),
    Hint(Hint),
    Done(Box<Result<Ready, Error>>),
    Late(Box<Observation>),
    Time,
    Beat,
    Successor,
    Keep,
    Kept(std::io::Result<std::process::ExitStatus>),
}
