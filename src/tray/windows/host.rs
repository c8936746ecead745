//! The agent within the tray: one process is all there is on Windows. Where another agent of
//! this user runs already, the tray is its client until that one ends; then it takes over.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::inbox::{Inbox, Order};
use crate::agent::{self, Command, Error, Handle, Session, Unattended};
use crate::ipc;
use crate::tray::face::Notification;
use crate::tray::site::Site;

/// After a failure, and after each further one twice as long: whatever it is, the user is told,
/// and may have to mend it.
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);
/// Between an agent's lock and its pipe, or between its pipe and its end.
const MOMENT: Duration = Duration::from_millis(300);
/// A turn that is just writing is carried through.
const END_TIME: Duration = Duration::from_secs(3);

/// How it stands with our agent.
#[derive(Debug, Default)]
pub(super) struct Hosting {
    agent: RefCell<Option<Handle>>,
    waiting: Cell<bool>,
    again: Notify,
}

impl Hosting {
    /// Does it wait after a failure?
    pub(super) fn waits(&self) -> bool {
        self.waiting.get()
    }

    /// Ends the wait after a failure.
    pub(super) fn try_now(&self) {
        self.again.notify_one();
    }

    /// Asks our agent to end, if there is one, and sees `hosting` through to its end.
    pub(super) async fn end(&self, hosting: impl Future<Output = ()>) {
        let agent = self.agent.borrow().clone();
        let Some(agent) = agent else { return };
        let ended = async {
            tokio::join!(agent.ask(Command::End), hosting);
        };
        if timeout(END_TIME, ended).await.is_err() {
            tracing::warn!("the agent does not end; it is left behind");
        }
    }

    /// Runs an agent whenever no other does, until it is asked to end. `first` is its session
    /// where that is open already.
    pub(super) async fn host(&self, site: &Site, first: Option<Session>, inbox: &Inbox) {
        let (mut next, mut pause) = (first, SHORTEST);
        let mut told = String::new();
        loop {
            let session = next.take().map_or_else(|| open(site), Ok);
            let ended = match session {
                Ok(session) => self.run(session, inbox).await,
                Err(error) => Err(error.to_string()),
            };
            let why = match ended {
                Ok(Ended::Asked) => return,
                Ok(Ended::Second) => {
                    tracing::info!("another agent of this user is running; follows that");
                    other_ends(site).await;
                    (pause, told) = (SHORTEST, String::new());
                    continue;
                }
                Err(why) => why,
            };
            tracing::error!("the agent has failed: {why}");
            if told != why {
                let news = Notification::new("goroam's agent has ended", &why, true);
                inbox.put(Order::Notify(news));
                told = why;
            }
            self.waiting.set(true);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.again.notified() => pause = SHORTEST,
            }
            self.waiting.set(false);
            pause = LONGEST.min(pause * 2);
        }
    }

    async fn run(&self, session: Session, inbox: &Inbox) -> Result<Ended, String> {
        let paths = session.paths.clone();
        let mut serving = None;
        let serve = |handle: Handle| {
            serving = Some(ipc::serve(&paths, handle.clone())?);
            self.agent.replace(Some(handle));
            Ok(())
        };
        let mut unattended = Unattended;
        let running = agent::run(session, serve, &mut unattended);
        // It is large; and a mistake in it must not take the icon away.
        let ended = AssertUnwindSafe(Box::pin(running)).catch_unwind().await;
        self.agent.replace(None);
        if let Ok(Ok(_)) = &ended {
            // Before its clients see it gone: one of them may be about to start a new tray.
            inbox.closing();
        }
        if let Some(serving) = serving {
            serving.end().await;
        }
        match ended {
            Ok(Ok(agent::Ended::Asked)) => Ok(Ended::Asked),
            Ok(Ok(agent::Ended::Replaced(program))) => succeed(&program).map(|()| Ended::Asked),
            Ok(Err(Error::SecondAgent { .. })) => Ok(Ended::Second),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("a mistake in goroam; the log says where".to_owned()),
        }
    }
}

enum Ended {
    Asked,
    Second,
}

/// Starts the new program in the place of this one; it waits until this one has ended.
fn succeed(program: &std::path::Path) -> Result<(), String> {
    let mut command = std::process::Command::new(program);
    let started = command.args(std::env::args_os().skip(1)).spawn();
    started
        .map(drop)
        .map_err(|error| format!("cannot go on as {}: {error}", program.display()))
}

/// The policy and what is remembered, as they are now.
pub(super) fn open(site: &Site) -> Result<Session, Error> {
    let named = site.paths.policy_named;
    Session::open(named.then(|| site.paths.policy.clone()), site.env.clone())
}

/// Waits for the end of the agent that holds the lock.
async fn other_ends(site: &Site) {
    if let Ok(mut watching) = ipc::watch(&site.paths).await {
        while let Ok(Some(_)) = watching.next().await {}
    }
    sleep(MOMENT).await;
}
