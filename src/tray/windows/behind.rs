//! The thread behind the window: the control, and the agent where it is ours.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;

use super::hand::Hand;
use super::host::{Hosting, open};
use super::inbox::{Inbox, Order};
use super::window::Behind;
use crate::agent::{Command, Error};
use crate::ipc;
use crate::policy::Severity;
use crate::tray::control::{Event, control};
use crate::tray::site::Site;

/// Windows waits five seconds for a program at the end of a session (`WM_ENDSESSION`).
const END_OF_SESSION: Duration = Duration::from_secs(4);
/// Idle threads that wait for DNS or files cost memory in a resident agent.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Of a policy; a message that is higher than the screen cannot be closed.
const MOST_FINDINGS: usize = 5;

/// Why there is nothing to show.
pub(super) struct Refused {
    /// In words.
    pub(super) why: String,
    /// The exit code.
    pub(super) exit: u8,
}

/// The running thread.
#[derive(Debug)]
pub(super) struct Thread {
    end: Arc<Notify>,
    ended: Mutex<Receiver<()>>,
}

impl Thread {
    /// Starts it, and waits until it knows whether there is anything to show.
    ///
    /// # Errors
    /// When no agent runs and none can be started.
    pub(super) fn start(
        site: Site,
        inbox: Inbox,
        events: UnboundedReceiver<Event>,
    ) -> Result<Thread, Refused> {
        let end = Arc::new(Notify::new());
        let (ready, is_ready) = sync_channel(1);
        let (over, ended) = sync_channel(1);
        let life = Life {
            site,
            inbox: inbox.clone(),
            events,
            end: Arc::clone(&end),
            ready,
        };
        let started = std::thread::Builder::new()
            .name("agent".to_owned())
            .spawn(move || {
                let ended = catch_unwind(AssertUnwindSafe(|| life.live()));
                let words = "goroam has made a mistake and ends; its log says where".to_owned();
                inbox.put(Order::End(ended.unwrap_or(Err(words))));
                let _ = over.send(());
            });
        if let Err(error) = started {
            return Err(Refused::failed(format!("cannot start: {error}")));
        }
        match is_ready.recv() {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => return Err(refused),
            // It has panicked; the log has it.
            Err(_) => return Err(Refused::failed("goroam has made a mistake".to_owned())),
        }
        Ok(Thread {
            end,
            ended: Mutex::new(ended),
        })
    }
}

impl Behind for Thread {
    fn end_now(&self) {
        self.end.notify_one();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(END_OF_SESSION).is_err() {
            tracing::warn!("not everything was done before the session ended");
        }
    }
}

impl Refused {
    fn failed(why: String) -> Refused {
        Refused {
            why,
            exit: crate::agent::error::EXIT_FAILED,
        }
    }
}

struct Life {
    site: Site,
    inbox: Inbox,
    events: UnboundedReceiver<Event>,
    end: Arc<Notify>,
    ready: SyncSender<Result<(), Refused>>,
}

impl Life {
    fn live(self) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_keep_alive(THREAD_KEEP_ALIVE)
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let refused = Refused::failed(format!("cannot start: {error}"));
                return self.ready.send(Err(refused)).map_err(|_| String::new());
            }
        };
        runtime.block_on(self.whole());
        // A look-up in a black hole would hold up the end by its whole time limit.
        runtime.shutdown_background();
        Ok(())
    }

    async fn whole(self) {
        let Life {
            site,
            inbox,
            events,
            end,
            ready,
        } = self;
        let first = match open(&site) {
            Ok(session) => Some(session),
            // Whoever runs already has a policy of its own.
            Err(_) if ipc::ask(&site.paths, Command::Status).await.is_ok() => None,
            Err(error) => return drop(ready.send(Err(refusal(&error)))),
        };
        if ready.send(Ok(())).is_err() {
            return;
        }
        let hosting = Rc::new(Hosting::default());
        let hand = Hand::new(&site, inbox.clone(), Rc::clone(&hosting));
        let mut hosted = pin!(hosting.host(&site, first, &inbox));
        let control = control(site.clone(), hand, events);
        tokio::select! {
            // It was asked to end, so we end too.
            () = &mut hosted => return,
            () = control => {}
            () = end.notified() => {}
        }
        inbox.closing();
        hosting.end(hosted).await;
    }
}

/// With all that is wrong in a policy: there is no terminal to say it in.
fn refusal(error: &Error) -> Refused {
    let mut why = error.to_string();
    if let Error::Policy { text, findings, .. } = error {
        let errors = findings.iter().filter(|it| it.severity == Severity::Error);
        for finding in errors.take(MOST_FINDINGS) {
            let at = finding.primary.as_ref().map_or(0, |label| label.span.start);
            let line = text
                .get(..at)
                .map_or(1, |before| before.matches('\n').count() + 1);
            why.push_str(&format!("\n\nline {line}: {}", finding.message));
        }
    }
    Refused {
        why,
        exit: error.exit_code(),
    }
}
