//! Merges all sources into one stream of hints.

use std::path::PathBuf;

use tokio::task::AbortHandle;

#[cfg(not(target_os = "linux"))]
use super::address::Addresses;
#[cfg(target_os = "macos")]
use super::calendar::Calendar;
#[cfg(target_os = "linux")]
use super::clock_set::ClockSet;
#[cfg(target_os = "macos")]
use super::configd::Configd;
use super::event::Hint;
use super::files::{Files, keep_watching};
use super::inbox::Inbox;
#[cfg(windows)]
use super::power_windows::Resumes;
#[cfg(windows)]
use super::registry_windows::Settings;
use super::source::keep_open;
use super::wake::WakeClock;
use super::{resolver, route};

/// The files that are watched beside the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchPaths {
    /// The policy file; it need not exist.
    pub policy: Option<PathBuf>,
    /// The go env file; it need not exist, nor need its folder.
    pub go_env: Option<PathBuf>,
    /// Files of goroam's own that must stay where they are: its locks.
    pub own: Vec<PathBuf>,
    /// The agent's own program, which an update replaces.
    pub program: Option<PathBuf>,
}

/// All sources. A source that cannot start, or breaks, is told in [`Watcher::troubles`] and
/// in the log, and tried again with backoff; the others go on.
#[derive(Debug)]
pub struct Watcher {
    inbox: Inbox,
    clock: WakeClock,
    /// Told already that the machine has slept; what woke us comes next.
    after_wake: Option<Hint>,
    tasks: Vec<AbortHandle>,
}

impl Watcher {
    /// Starts all sources. Must be called within a tokio runtime.
    pub fn start(paths: WatchPaths) -> Watcher {
        let inbox = Inbox::default();
        let program = paths.program.clone();
        let all = move || [targets(&paths), other_targets(program.as_ref())].concat();
        let files = keep_watching::<Files>(all, inbox.clone());
        let tasks = vec![
            tokio::spawn(keep_open::<route::Messages>(inbox.clone())).abort_handle(),
            #[cfg(not(target_os = "linux"))]
            tokio::spawn(keep_open::<Addresses>(inbox.clone())).abort_handle(),
            tokio::spawn(files).abort_handle(),
            #[cfg(target_os = "linux")]
            tokio::spawn(keep_open::<ClockSet>(inbox.clone())).abort_handle(),
            #[cfg(target_os = "macos")]
            tokio::spawn(keep_open::<Calendar>(inbox.clone())).abort_handle(),
            #[cfg(target_os = "macos")]
            tokio::spawn(keep_open::<Configd>(inbox.clone())).abort_handle(),
            #[cfg(windows)]
            tokio::spawn(keep_open::<Resumes>(inbox.clone())).abort_handle(),
            #[cfg(windows)]
            tokio::spawn(keep_open::<Settings>(inbox.clone())).abort_handle(),
        ];
        Watcher {
            inbox,
            clock: WakeClock::new(),
            after_wake: None,
            tasks,
        }
    }

    /// Waits for the next hint. Cancel-safe. Costs nothing while nothing happens.
    ///
    /// After a sleep the first hint is [`Hint::Wake`], whatever it was that came.
    pub async fn next(&mut self) -> Hint {
        if let Some(hint) = self.after_wake.take() {
            return hint;
        }
        let hint = self.inbox.next().await;
        if self.clock.has_slept() && hint != Hint::Wake {
            self.after_wake = Some(hint);
            return Hint::Wake;
        }
        hint
    }

    /// What does not work just now, one line each.
    pub fn troubles(&self) -> Vec<String> {
        self.inbox.troubles()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn targets(paths: &WatchPaths) -> Vec<(Hint, PathBuf)> {
    let policy = paths.policy.iter().cloned();
    let go_env = paths.go_env.iter().cloned();
    policy
        .map(|path| (Hint::PolicyFile, path))
        .chain(go_env.map(|path| (Hint::EnvFile, path)))
        .chain(paths.own.iter().map(|path| (Hint::EnvFile, path.clone())))
        .collect()
}

fn other_targets(program: Option<&PathBuf>) -> Vec<(Hint, PathBuf)> {
    let files = resolver::files().into_iter();
    let program = program.map(|path| (Hint::Program, path.clone()));
    files
        .map(|path| (Hint::Resolver, path))
        .chain(program)
        .collect()
}
