//! Follows whichever agent runs, through its end and the start of the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::client::{Watching, watch};
use crate::agent::Error;
use crate::model::status::Status;
use crate::paths::Paths;

/// The first wait for an agent that is gone: a service manager that starts it again needs about
/// as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// What is seen of an agent that is followed.
#[derive(Debug)]
pub enum Followed {
    /// What is true now.
    Status(Box<Status>),
    /// It has ended. One that restarts is back in a moment.
    Ended,
    /// There is none, or it cannot be understood.
    Failed(Error),
}

/// Follows whichever agent runs, until it is dropped.
#[derive(Debug)]
pub struct Following {
    seen: mpsc::Receiver<Followed>,
    hurry: Arc<Notify>,
    _task: JoinSet<()>,
}

impl Following {
    /// What is seen next. Dropping the future loses nothing. `None`: it cannot be followed.
    pub async fn next(&mut self) -> Option<Followed> {
        self.seen.recv().await
    }

    /// If there is no agent, looks for it now.
    pub fn ask_now(&self) {
        self.hurry.notify_one();
    }
}

/// Follows the agent, from an open connection on if there is one. While there is no agent it is
/// looked for after 250 ms, then after twice that time, up to `longest`. In a task, for an answer
/// that has half arrived must not be dropped for another event.
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

/// Each status of one agent, of which one `was_there` before or not; how that has ended.
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
