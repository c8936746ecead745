//! The resident agent: its handle and its loop.

use tokio::sync::watch;

use super::command::{Command, Reply};
use super::error::Error;
use super::session::Session;
use crate::model::status::Status;

/// A way to ask the running agent, for the socket's server.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: tokio::sync::mpsc::Sender<(Command, tokio::sync::oneshot::Sender<Reply>)>,
    status: watch::Receiver<Status>,
}

impl Handle {
    /// A handle on whoever answers `commands` and keeps `status` up to date: the loop below.
    pub fn new(
        commands: tokio::sync::mpsc::Sender<(Command, tokio::sync::oneshot::Sender<Reply>)>,
        status: watch::Receiver<Status>,
    ) -> Handle {
        Handle { commands, status }
    }

    /// Asks, and waits for the answer.
    pub async fn ask(&self, command: Command) -> Reply {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let ended = || Reply::Failed {
            error: "the agent is ending".to_owned(),
            exit: 1,
        };
        if self.commands.send((command, reply)).await.is_err() {
            return ended();
        }
        answer.await.unwrap_or_else(|_| ended())
    }

    /// What is true, now and after each change.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

/// Holds the single-instance lock of this user; `serve` gets a handle to answer the socket with.
/// Runs until SIGTERM, SIGINT or Ctrl-C.
///
/// # Errors
/// When another agent is running, or the agent cannot start.
pub async fn run(
    session: Session,
    serve: impl FnOnce(Handle) -> Result<(), Error>,
) -> Result<(), Error> {
    let _ = (session, serve);
    Ok(())
}
