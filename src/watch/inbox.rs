//! Hints, and the inbox that all sources put them in. Several hints of one kind become one, so a
//! flood takes no memory and a slow reader misses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A source says that something may have changed. Nothing more of its message is trusted: the
/// survey looks again. In the order in which hints are handed out.
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

/// A handle; clones share one box.
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
    /// Puts a hint in. May be called from any thread.
    pub(super) fn send(&self, hint: Hint) {
        lock(&self.shared.waiting).insert(hint);
        self.shared.arrived.notify_one();
    }

    /// Takes a hint out; waits for one. Cancel-safe: a hint leaves only as the result.
    pub(super) async fn next(&self) -> Hint {
        loop {
            if let Some(hint) = lock(&self.shared.waiting).pop_first() {
                return hint;
            }
            self.shared.arrived.notified().await;
        }
    }

    /// Something does not work; `what` names it and keeps its line until
    /// [`HintInbox::clear_trouble`].
    pub(super) fn trouble(&self, what: &str, why: &dyn Display) {
        lock(&self.shared.troubles).insert(what.to_owned(), why.to_string());
    }

    /// It works again.
    pub(super) fn clear_trouble(&self, what: &str) {
        lock(&self.shared.troubles).remove(what);
    }

    /// Is it known already?
    pub(super) fn has_trouble(&self, what: &str) -> bool {
        lock(&self.shared.troubles).contains_key(what)
    }

    /// One line each.
    pub(super) fn troubles(&self) -> Vec<String> {
        let troubles = lock(&self.shared.troubles);
        let lines = troubles.iter().map(|(what, why)| format!("{what}: {why}"));
        lines.collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            // Whether or not this wait is cut short, the hint comes out exactly once.
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
