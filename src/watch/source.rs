//! Hints, the inbox that collects the hints of all sources, and the task that keeps an unreliable
//! source open. Several hints of one kind become one, so a flood uses no memory and a slow reader
//! misses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(unix)]
use tokio::io::{Interest, unix::AsyncFd};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A message that something may have changed. goroam trusts nothing else in a source's message: the
/// survey reads the system again. Hints are returned in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hint {
    /// The machine has slept, or its clock was set; [`super::WakeClock`] says which.
    Wake,
    /// Links, addresses, routes, rules.
    Network,
    /// The resolver's configuration.
    Resolver,
    /// Messages were lost: everything may have changed.
    Lost,
    /// The policy file.
    PolicyFile,
    /// The go env file.
    EnvFile,
    /// The agent's own program file.
    Program,
}

/// A handle to the inbox; clones share one inbox.
#[derive(Debug, Clone, Default)]
pub(super) struct HintInbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<BTreeSet<Hint>>,
    arrived: Notify,
    troubles: Mutex<BTreeMap<String, String>>,
}

impl HintInbox {
    /// Adds a hint. May be called from any thread.
    pub(super) fn send(&self, hint: Hint) {
        lock(&self.shared.waiting).insert(hint);
        self.shared.arrived.notify_one();
    }

    /// Removes and returns a hint; waits for one. Cancel-safe: a hint is removed only when it is
    /// returned.
    pub(super) async fn next(&self) -> Hint {
        loop {
            if let Some(hint) = lock(&self.shared.waiting).pop_first() {
                return hint;
            }
            self.shared.arrived.notified().await;
        }
    }

    /// Reports a problem; `what` names it and keeps its line until [`HintInbox::clear_trouble`].
    pub(super) fn trouble(&self, what: &str, why: &dyn Display) {
        lock(&self.shared.troubles).insert(what.to_owned(), why.to_string());
    }

    /// Clears the problem: it works again.
    pub(super) fn clear_trouble(&self, what: &str) {
        lock(&self.shared.troubles).remove(what);
    }

    /// Reports whether the problem is already known.
    pub(super) fn has_trouble(&self, what: &str) -> bool {
        lock(&self.shared.troubles).contains_key(what)
    }

    /// Returns the problems, one line each.
    pub(super) fn troubles(&self) -> Vec<String> {
        let troubles = lock(&self.shared.troubles);
        let lines = troubles.iter().map(|(what, why)| format!("{what}: {why}"));
        lines.collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A part of the system that sends messages.
pub(super) trait HintSource: Sized + Send {
    /// The name in problem reports.
    const NAME: &'static str;

    /// Opens it. Must be called within a tokio runtime.
    fn open() -> io::Result<Self>;

    /// Waits for the next message; an error means that the source has failed.
    fn next(&mut self) -> impl Future<Output = io::Result<Hint>> + Send;
}

/// Opens the source, and starts the task that keeps it open. The source is open when this returns,
/// so that nothing is missed between the first look at the network and the first message.
pub(super) fn start<S: HintSource + 'static>(inbox: &HintInbox) -> AbortHandle {
    tokio::spawn(keep_open::<S>(inbox.clone(), S::open())).abort_handle()
}

/// Waits for data on a non-blocking descriptor.
#[cfg(unix)]
pub(super) fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` keeps the same open descriptor until it is dropped, and the `AsyncFd`
    // drops it only after it has deregistered it.
    let waiting = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    Ok(waiting?)
}

/// Passes on the source's messages, forever. When the source fails, that is reported as a problem
/// until it is open again; it is reopened after 1 s, 2 s … 30 s.
async fn keep_open<S: HintSource>(inbox: HintInbox, mut open: io::Result<S>) {
    let mut wait = Backoff::default();
    loop {
        let new = !inbox.has_trouble(S::NAME);
        let error = match open {
            Ok(mut source) => {
                inbox.clear_trouble(S::NAME);
                loop {
                    match source.next().await {
                        Ok(hint) => inbox.send(hint),
                        Err(error) => break error,
                    }
                    // A source that opens and fails at once does not count as working again.
                    wait = Backoff::default();
                    // A source that always has messages must not starve the others.
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => error,
        };
        let pause = wait.next();
        // Logs one line for a problem, not one for each try.
        if new {
            tracing::warn!(source = S::NAME, %error, "broken; opening it again in {pause:?}");
        } else {
            tracing::debug!(source = S::NAME, %error, "still broken; next try in {pause:?}");
        }
        inbox.trouble(S::NAME, &error);
        tokio::time::sleep(pause).await;
        open = S::open();
        if open.is_ok() {
            // It is unknown which messages were missed.
            inbox.send(Hint::Lost);
        }
    }
}

/// A wait of 1 s, doubled each time, up to 30 s.
#[derive(Debug, Default)]
pub(super) struct Backoff(Duration);

impl Backoff {
    /// Returns the next wait.
    pub(super) fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        self.0
    }
}

/// Addresses, by if-watch: a second source beside our own route messages. On Linux our own netlink
/// socket reports addresses too.
///
/// It must not be the only source. It knows neither links nor routes, confuses the same address on
/// two links, and silently loses messages in a flood (measured: 256 of 4000 seen).
#[cfg(not(target_os = "linux"))]
pub(super) struct Addresses {
    watcher: if_watch::tokio::IfWatcher,
}

#[cfg(not(target_os = "linux"))]
impl HintSource for Addresses {
    const NAME: &'static str = "address messages";

    fn open() -> io::Result<Addresses> {
        let watcher = if_watch::tokio::IfWatcher::new()?;
        Ok(Addresses { watcher })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        std::future::poll_fn(|cx| self.watcher.poll_if_event(cx)).await?;
        Ok(Hint::Network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    /// The moments at which it was opened.
    static OPENED: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

    /// Fails at once six times, then sends one message, fails, and from then on is silent.
    struct Flaky {
        nth: usize,
        spoke: bool,
    }

    impl HintSource for Flaky {
        const NAME: &'static str = "flaky";

        fn open() -> io::Result<Flaky> {
            let mut opened = OPENED.lock().unwrap();
            opened.push(Instant::now());
            match opened.len() {
                2 => Err(io::Error::other("not now")),
                nth => Ok(Flaky { nth, spoke: false }),
            }
        }

        async fn next(&mut self) -> io::Result<Hint> {
            match (self.nth, self.spoke) {
                (7, false) => {
                    self.spoke = true;
                    Ok(Hint::Network)
                }
                (8.., _) => std::future::pending().await,
                _ => Err(io::Error::other("connection lost")),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_source_is_a_trouble_until_it_is_open_again_and_is_tried_ever_slower() {
        let inbox = HintInbox::default();
        let began = Instant::now();
        let task = start::<Flaky>(&inbox);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(inbox.troubles(), ["flaky: connection lost"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(inbox.troubles(), ["flaky: not now"]);
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(inbox.troubles(), [""; 0]);
        let opened: Vec<u64> = OPENED
            .lock()
            .unwrap()
            .iter()
            .map(|at| (*at - began).as_secs())
            .collect();
        // 1, 2, 4, 8, 16, 30 s; after it had sent a message, 1 s again.
        assert_eq!(opened, [0, 1, 3, 7, 15, 31, 61, 62]);
        assert_eq!(inbox.next().await, Hint::Network);
        assert_eq!(inbox.next().await, Hint::Lost);
        task.abort();
    }

    #[tokio::test]
    async fn hints_of_one_sort_melt_and_each_sort_comes_out_once() {
        let inbox = HintInbox::default();
        for _ in 0..1000 {
            inbox.send(Hint::Network);
        }
        inbox.send(Hint::EnvFile);
        inbox.send(Hint::Lost);
        assert_eq!(inbox.next().await, Hint::Network);
        assert_eq!(inbox.next().await, Hint::Lost);
        assert_eq!(inbox.next().await, Hint::EnvFile);
        let more = tokio::time::timeout(std::time::Duration::from_millis(20), inbox.next());
        assert!(more.await.is_err());
    }

    #[tokio::test]
    async fn a_hint_is_not_lost_when_the_wait_is_cancelled() {
        let inbox = HintInbox::default();
        let other = inbox.clone();
        for _ in 0..200 {
            let sender = other.clone();
            let send = tokio::spawn(async move { sender.send(Hint::Network) });
            // Whether or not this wait is cut short, the hint is returned exactly once.
            let early = tokio::time::timeout(std::time::Duration::ZERO, inbox.next()).await;
            send.await.unwrap();
            if early.is_err() {
                assert_eq!(inbox.next().await, Hint::Network);
            }
        }
    }

    #[test]
    fn a_trouble_is_listed_until_it_is_cleared() {
        let inbox = HintInbox::default();
        inbox.trouble("files", &"limit reached");
        inbox.trouble("files", &"limit still reached");
        assert_eq!(inbox.troubles(), ["files: limit still reached"]);
        inbox.clear_trouble("files");
        assert_eq!(inbox.troubles(), [""; 0]);
    }
}
