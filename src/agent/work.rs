//! A round under way.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use tokio::sync::oneshot;

use super::cause::Cause;
use super::command::Reply;
use super::error::Error;
use super::round::Ready;

/// Where an answer to a command goes.
pub(super) type Answer = oneshot::Sender<Reply>;

/// A round under way, and who waits for it.
pub(super) struct Work {
    pub(super) round: Pin<Box<dyn Future<Output = Result<Ready, Error>>>>,
    pub(super) cause: Cause,
    pub(super) dry_run: bool,
    pub(super) answers: Vec<Answer>,
    pub(super) began: Instant,
}

/// Waits for the round; for ever when there is none. Cancel-safe: the round goes on.
pub(super) async fn in_progress(work: &mut Option<Work>) -> Result<Ready, Error> {
    match work {
        Some(work) => work.round.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The answer that an error makes.
pub(super) fn failed(error: &Error) -> Reply {
    Reply::Failed {
        error: error.to_string(),
        exit: error.exit_code(),
    }
}
