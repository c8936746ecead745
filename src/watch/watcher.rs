//! Merges all sources into one stream of hints.

use std::path::PathBuf;

use tokio::task::AbortHandle;

use super::files::{Files, keep_watching};
use super::inbox::{Hint, HintInbox};
#[cfg(target_os = "linux")]
use super::linux as os;
#[cfg(target_os = "macos")]
use super::macos as os;
use super::source::start;
use super::wake::WakeClock;
#[cfg(windows)]
use super::windows as os;
use super::{resolver, route};

/// Other systems have no sources of their own.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod os {
    pub(super) fn start_sources(
        _: &crate::watch::inbox::HintInbox,
    ) -> Vec<tokio::task::AbortHandle> {
        Vec::new()
    }
}

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

/// All sources. A source that cannot start, or breaks, is listed in [`Watcher::troubles`] and
/// in the log, and tried again with backoff; the others keep running.
#[derive(Debug)]
pub struct Watcher {
    inbox: HintInbox,
    clock: WakeClock,
    /// Told already that the machine has slept; what woke us comes next.
    after_wake: Option<Hint>,
    tasks: Vec<AbortHandle>,
}

impl Watcher {
    /// Starts all sources. Must be called within a tokio runtime.
    pub fn start(paths: WatchPaths) -> Watcher {
        let inbox = HintInbox::default();
        let program = paths.program.clone();
        let all = move || [targets(&paths), other_targets(program.as_ref())].concat();
        let files = keep_watching::<Files>(all, inbox.clone());
        let mut tasks = vec![
            start::<route::RouteMessages>(&inbox),
            #[cfg(not(target_os = "linux"))]
            start::<super::source::Addresses>(&inbox),
            tokio::spawn(files).abort_handle(),
        ];
        tasks.extend(os::start_sources(&inbox));
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
