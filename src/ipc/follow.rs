//! Follows the running agent, through its end and the start of the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::client::{Watching, watch};
use crate::agent::Error;
use crate::model::status::Status;
use crate::paths::Paths;

/// The first wait after an agent has ended. A service manager needs about as long to restart it.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// An event of the agent that is followed.
#[derive(Debug)]
pub enum Followed {
    /// The current status.
    Status(Box<Status>),
    /// The agent has ended. One that restarts is back in a moment.
    Ended,
    /// No agent runs, or its answer cannot be parsed.
    Failed(Error),
}

/// Follows the running agent, and its successors, until this is dropped.
#[derive(Debug)]
pub struct Following {
    seen: mpsc::Receiver<Followed>,
    hurry: Arc<Notify>,
    _task: JoinSet<()>,
}

impl Following {
    /// Returns the next event, or `None` if the agent cannot be followed. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Followed> {
        self.seen.recv().await
    }

    /// Looks for an agent now, if none is connected.
    pub fn ask_now(&self) {
        self.hurry.notify_one();
    }
}

/// Follows the agent, starting with an open connection if there is one. While no agent runs, this
/// looks for one after 250 ms, then after twice that time, up to `longest`. It runs in a task,
/// because an answer that has half arrived must not be dropped for another event.
pub fn follow(paths: Paths, watching: Option<Watching>, longest: Duration) -> Following {
    let (tell, seen) = mpsc::channel(1);
    let hurry = Arc::new(Notify::new());
    let asked = Arc::clone(&hurry);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut wait = FIRST_WAIT;
        let mut found = watching.map(Ok);
        loop {
            let ended = match found.take() {
                Some(watching) => hand_on(watching, true, &tell).await,
                None => hand_on(watch(&paths).await, false, &tell).await,
            };
            if matches!(ended, Followed::Ended) {
                wait = FIRST_WAIT;
            }
            let _ = tell.send(ended).await;
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = longest.min(wait * 2),
                () = asked.notified() => wait = FIRST_WAIT,
            }
        }
    });
    Following {
        seen,
        hurry,
        _task: task,
    }
}

/// Passes on each status of one agent and returns how that agent ended. `was_there`: an agent was
/// connected before this one.
async fn hand_on(
    watching: Result<Watching, Error>,
    mut was_there: bool,
    tell: &mpsc::Sender<Followed>,
) -> Followed {
    let mut watching = match watching {
        Ok(watching) => watching,
        Err(error) => return Followed::Failed(error),
    };
    loop {
        match watching.next().await {
            Ok(Some(status)) => {
                was_there = true;
                let _ = tell.send(Followed::Status(Box::new(status))).await;
            }
            Ok(None) if was_there => return Followed::Ended,
            Ok(None) => return Followed::Failed(Error::NoAgent),
            Err(error) => return Followed::Failed(error),
        }
    }
}
