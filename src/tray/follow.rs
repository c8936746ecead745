//! Follows the agent's status, and finds the agent again when it has been away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::agent::Error;
use crate::ipc::watch;
use crate::model::status::Status;
use crate::paths::Paths;

/// The first wait for an agent that is gone: a service manager that starts it again needs about
/// as long. Each wait is twice the one before.
const SHORTEST: Duration = Duration::from_millis(250);
/// One wake-up a minute while there is no agent. With one, there is none at all.
const LONGEST: Duration = Duration::from_secs(60);

/// What is seen of the agent.
#[derive(Debug)]
pub(super) enum Seen {
    /// It answers.
    Status(Box<Status>),
    /// It does not; with words where there is one that cannot be understood.
    Gone(Option<String>),
}

/// Tells what it sees, until nobody listens. `hurry` ends a wait: somebody looks at the menu.
pub(super) async fn follow(paths: Paths, seen: mpsc::Sender<Seen>, hurry: Arc<Notify>) {
    let mut wait = SHORTEST;
    loop {
        let was_there = match watch_once(&paths, &seen).await {
            Ok(was_there) => was_there,
            Err(Some(error)) => {
                let words = (!matches!(error, Error::NoAgent)).then(|| error.to_string());
                if seen.send(Seen::Gone(words)).await.is_err() {
                    return;
                }
                false
            }
            Err(None) => return,
        };
        if was_there {
            wait = SHORTEST;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = LONGEST.min(wait * 2),
            () = hurry.notified() => wait = SHORTEST,
            () = seen.closed() => return,
        }
    }
}

/// Follows one agent to its end: has it told anything? `Err(None)`: nobody listens any more.
async fn watch_once(paths: &Paths, seen: &mpsc::Sender<Seen>) -> Result<bool, Option<Error>> {
    let mut watching = watch(paths).await?;
    let mut was_there = false;
    loop {
        let status = tokio::select! {
            status = watching.next() => status?,
            () = seen.closed() => return Err(None),
        };
        let Some(status) = status else {
            break;
        };
        was_there = true;
        let status = Seen::Status(Box::new(status));
        seen.send(status).await.map_err(|_| None)?;
    }
    // One that is being restarted is back in a moment, and nobody need see a gap.
    if was_there {
        Ok(true)
    } else {
        Err(Some(Error::NoAgent))
    }
}
