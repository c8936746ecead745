//! Following the agent through its restarts: it is watched while it is there, and asked for
//! again, less and less often, while it is not.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::agent::Error;
use crate::ipc::{self, Watching};
use crate::model::status::Status;
use crate::paths::Paths;

/// A restart takes less; asking costs one system call that fails.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Somebody who starts an agent looks at the screen for about this long.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What there is to tell of the agent.
#[derive(Debug)]
pub(super) enum News {
    /// What is true now.
    Status(Box<Status>),
    /// It is gone: what to say of that.
    Away(String),
}

/// Whoever follows the agent; ends when this is dropped.
#[derive(Debug)]
pub(super) struct Following {
    news: mpsc::Receiver<News>,
    hurry: Arc<Notify>,
    _task: JoinSet<()>,
}

impl Following {
    /// The next news. Dropping the future loses none. `None`: nobody follows any more.
    pub(super) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }

    /// If the agent is away, asks for it now.
    pub(super) fn ask_now(&self) {
        self.hurry.notify_one();
    }
}

/// Follows the agent from an open connection on. It is a task of its own, for an answer that
/// has half arrived must not be dropped for a key that was pressed.
pub(super) fn follow(paths: Paths, watching: Watching) -> Following {
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
async fn told_all(watching: &mut Watching, tell: &mpsc::Sender<News>) -> bool {
    let away = loop {
        match watching.next().await {
            Ok(Some(status)) => {
                if tell.send(News::Status(Box::new(status))).await.is_err() {
                    return false;
                }
            }
            Ok(None) => break "the agent has ended".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    let away = format!("{away}; this is what it told last. Waiting for it to come back.");
    tell.send(News::Away(away)).await.is_ok()
}

/// Asks until there is an agent again. `None`: nobody waits for it any more.
async fn again(paths: &Paths, tell: &mpsc::Sender<News>, hurry: &Notify) -> Option<Watching> {
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
                    tell.send(News::Away(why)).await.ok()?;
                }
            }
        }
    }
}
