//! Merges all sources into one stream of hints.

use std::path::PathBuf;

use tokio::task::AbortHandle;

#[cfg(not(target_os = "linux"))]
use super::files::by_notify::ByNotify as Files;
#[cfg(target_os = "linux")]
use super::files::inotify::Inotify as Files;
use super::files::keep_watching;
use super::os;
use super::source::{Hint, HintInbox};
use super::wake::WakeClock;

/// The files to watch, besides the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchPaths {
    /// The policy files; they need not exist.
    pub policy: Vec<PathBuf>,
    /// The go env file; neither it nor its directory needs to exist.
    pub go_env: Option<PathBuf>,
    /// goroam's own files that must stay in place: its locks.
    pub own: Vec<PathBuf>,
    /// The agent's own program, which an update replaces.
    pub program: Option<PathBuf>,
}

/// All sources. A source that cannot start, or fails, is listed in [`Watcher::troubles`] and in the
/// log, and is tried again with backoff; the others keep running.
#[derive(Debug)]
pub struct Watcher {
    inbox: HintInbox,
    clock: WakeClock,
    /// The hint to return after the `Wake` hint: a sleep was reported first, and this is the hint
    /// that revealed it.
    after_wake: Option<Hint>,
    tasks: Vec<AbortHandle>,
}

impl Watcher {
    /// Starts all sources. Must be called within a tokio runtime.
    pub fn start(paths: WatchPaths) -> Watcher {
        let inbox = HintInbox::default();
        let mut tasks = os::start_sources(&inbox);
        let files = keep_watching::<Files>(move || targets(&paths), inbox.clone());
        tasks.push(tokio::spawn(files).abort_handle());
        Watcher {
            inbox,
            clock: WakeClock::default(),
            after_wake: None,
            tasks,
        }
    }

    /// Waits for the next hint. Cancel-safe. Costs nothing while nothing happens.
    ///
    /// After a sleep the first hint is [`Hint::Wake`], whichever hint arrived.
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

    /// Returns the current problems, one line each.
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
    let policy = paths.policy.iter().map(|path| (Hint::PolicyFile, path));
    let env = paths.go_env.iter().chain(&paths.own);
    let env = env.map(|path| (Hint::EnvFile, path));
    let program = paths.program.iter().map(|path| (Hint::Program, path));
    let resolver = os::resolver_files();
    let resolver = resolver.iter().map(|path| (Hint::Resolver, path));
    let all = policy.chain(env).chain(program).chain(resolver);
    all.map(|(hint, path)| (hint, path.clone())).collect()
}
