//! Keeps the watches as the plan says, and turns their events into hints.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::plan::{Identity, WatchPlan, plan};
use crate::watch::inbox::{Hint, HintInbox};
use crate::watch::source::Backoff;

/// While folders appear faster than they can be watched; the last event starts over anyway.
const MOST_ROUNDS: usize = 8;

/// Why a watch could not be set.
pub(super) type WatchError = Box<dyn Error + Send + Sync>;

/// The system's file watcher.
pub(in crate::watch) trait FileBackend: Sized + Send {
    /// What it is called in troubles.
    const NAME: &'static str;

    /// Starts it; from now on it passes its events to `shared`. Must be called within a tokio
    /// runtime.
    fn open(shared: &Arc<FileWatchState>) -> Result<Self, WatchError>;

    /// Watches one file, or one folder without those below it.
    fn watch(&mut self, path: &Path) -> Result<(), WatchError>;

    /// Watches what becomes of the name of a link or a folder, and nothing that is in it. Only
    /// asked for on Linux.
    fn watch_name(&mut self, path: &Path) -> Result<(), WatchError>;

    /// Ends that. The system may have done so already, with the file.
    fn unwatch(&mut self, path: &Path);
}

/// Watches the files that `targets` names (asked again each time, since a resolver may come to
/// use others), for ever. What cannot be watched is a trouble, and tried again with backoff.
pub(in crate::watch) async fn keep_watching<B: FileBackend>(
    targets: impl Fn() -> Vec<(Hint, PathBuf)> + Send,
    inbox: HintInbox,
) {
    let mut wait = Backoff::default();
    loop {
        let shared = Arc::new(FileWatchState {
            inbox: inbox.clone(),
            plan: Mutex::default(),
            suspects: Mutex::default(),
            changed: Notify::new(),
        });
        match B::open(&shared) {
            Ok(backend) => {
                let watches = Watches {
                    backend,
                    armed: BTreeMap::new(),
                    names: BTreeMap::new(),
                    found: None,
                };
                watches.run(&shared, &targets).await;
            }
            Err(error) => {
                note_trouble::<B>(&inbox, &*error);
            }
        }
        tokio::time::sleep(wait.next()).await;
    }
}

/// What has happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileEvent {
    /// Its contents.
    Data,
    /// It came, or its name, mode or number of names changed.
    Form,
    /// It went; a watch on it goes with it, now or later.
    Gone,
}

/// What the watcher's thread and the task both see.
pub(in crate::watch) struct FileWatchState {
    inbox: HintInbox,
    plan: Mutex<WatchPlan>,
    /// Watches that the system has dropped, or will, since their file went.
    suspects: Mutex<BTreeSet<PathBuf>>,
    /// The plan may have to change.
    changed: Notify,
}

impl FileWatchState {
    /// One event, perhaps on the watcher's own thread: nothing in here may wait.
    pub(super) fn take(&self, path: &Path, event: FileEvent) {
        let plan = lock(&self.plan);
        let hints = plan.files.get(path);
        for hint in hints.into_iter().flatten() {
            self.inbox.send(*hint);
        }
        let known = hints.is_some() || plan.guards.contains(path);
        if known && event != FileEvent::Data {
            if event == FileEvent::Gone {
                lock(&self.suspects).insert(path.to_owned());
            }
            self.changed.notify_one();
        }
    }

    /// Events were lost.
    pub(super) fn look_again(&self) {
        let plan = lock(&self.plan);
        for hint in plan.files.values().flatten() {
            self.inbox.send(*hint);
        }
        self.changed.notify_one();
    }
}

struct Watches<B> {
    backend: B,
    armed: BTreeMap<PathBuf, Identity>,
    /// Of these only the names are watched.
    names: BTreeMap<PathBuf, Identity>,
    /// The plan's `found`, last time; none before the first.
    found: Option<BTreeMap<PathBuf, (Hint, Option<Identity>)>>,
}

impl<B: FileBackend> Watches<B> {
    async fn run(
        mut self,
        shared: &FileWatchState,
        targets: &(impl Fn() -> Vec<(Hint, PathBuf)> + Send),
    ) {
        let mut wait = Backoff::default();
        loop {
            match self.arm(shared, targets) {
                Ok(()) => {
                    shared.inbox.clear_trouble(B::NAME);
                    wait = Backoff::default();
                    shared.changed.notified().await;
                }
                Err(error) => {
                    note_trouble::<B>(&shared.inbox, &error);
                    let pause = tokio::time::timeout(wait.next(), shared.changed.notified());
                    // Either way it is tried again.
                    let _ = pause.await;
                }
            }
        }
    }

    /// Makes the watches as they should be now.
    fn arm(
        &mut self,
        shared: &FileWatchState,
        targets: &(impl Fn() -> Vec<(Hint, PathBuf)> + Send),
    ) -> Result<(), NotWatched> {
        let mut failed = None;
        for _ in 0..MOST_ROUNDS {
            let wanted = plan(&targets());
            lock(&shared.plan).clone_from(&wanted);
            let suspects = std::mem::take(&mut *lock(&shared.suspects));
            failed = self.adjust(&wanted, &suspects);
            self.send_missed(&shared.inbox, &wanted);
            // Something may have appeared before its folder was watched.
            if plan(&targets()) == wanted {
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn adjust(&mut self, wanted: &WatchPlan, suspects: &BTreeSet<PathBuf>) -> Option<NotWatched> {
        let backend = &mut self.backend;
        for (armed, wanted) in [
            (&mut self.armed, &wanted.watches),
            (&mut self.names, &wanted.names),
        ] {
            armed.retain(|path, identity| {
                let keep = wanted.get(path) == Some(identity) && !suspects.contains(path);
                if !keep {
                    backend.unwatch(path);
                }
                keep
            });
        }
        let mut failed = None;
        let contents = wanted.watches.iter().map(|watch| (true, watch));
        let names = wanted.names.iter().map(|watch| (false, watch));
        for (inside, (path, identity)) in contents.chain(names) {
            let armed = if inside {
                &mut self.armed
            } else {
                &mut self.names
            };
            if armed.contains_key(path) {
                continue;
            }
            let done = if inside {
                self.backend.watch(path)
            } else {
                self.backend.watch_name(path)
            };
            match done {
                Ok(()) => {
                    armed.insert(path.clone(), *identity);
                }
                // It went meanwhile; the plan is made again.
                Err(_) if path.symlink_metadata().is_err() => {}
                Err(source) => {
                    let path = path.clone();
                    failed = Some(NotWatched { path, source });
                }
            }
        }
        failed
    }

    /// A file that came, went, or was replaced before its folder was watched sent no event.
    fn send_missed(&mut self, inbox: &HintInbox, wanted: &WatchPlan) {
        if let Some(found) = &self.found {
            for (path, now) in &wanted.found {
                if found.get(path) != Some(now) {
                    inbox.send(now.0);
                }
            }
        }
        self.found = Some(wanted.found.clone());
    }
}

/// A trouble until the files are watched again; logged once.
fn note_trouble<B: FileBackend>(inbox: &HintInbox, error: &dyn Error) {
    if !inbox.has_trouble(B::NAME) {
        tracing::warn!(source = B::NAME, %error, "cannot watch all files");
    }
    inbox.trouble(B::NAME, &error);
}

#[derive(Debug, thiserror::Error)]
#[error("cannot watch {path}: {source}", path = .path.display())]
struct NotWatched {
    path: PathBuf,
    source: WatchError,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)] // the scenarios are functions of their own

    use super::*;
    use std::fs;
    use std::time::Duration;

    use super::super::{ByNotify, Inotify};

    struct Desk {
        root: tempfile::TempDir,
        inbox: HintInbox,
        task: tokio::task::JoinHandle<()>,
    }

    impl Drop for Desk {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    impl Desk {
        /// Watches `policy` (a path below a new folder) as the policy file.
        async fn watching<B: FileBackend + 'static>(
            policy: &str,
            prepare: impl FnOnce(&Path),
        ) -> Desk {
            let root = tempfile::tempdir().unwrap();
            prepare(root.path());
            let target = root.path().join(policy);
            // The second one shows when the watches are there.
            let ready = root.path().join("ready");
            let targets = vec![(Hint::PolicyFile, target), (Hint::EnvFile, ready.clone())];
            let inbox = HintInbox::default();
            let task = tokio::spawn(keep_watching::<B>(move || targets.clone(), inbox.clone()));
            let desk = Desk { root, inbox, task };
            loop {
                fs::write(&ready, "x").unwrap();
                let next = tokio::time::timeout(Duration::from_millis(50), desk.inbox.next());
                if next.await == Ok(Hint::EnvFile) {
                    break;
                }
            }
            desk.quiet().await;
            desk
        }

        fn path(&self, name: &str) -> PathBuf {
            self.root.path().join(name)
        }

        async fn hint_comes(&self) {
            let next = tokio::time::timeout(Duration::from_secs(5), self.inbox.next());
            assert_eq!(next.await.expect("no hint within 5 s"), Hint::PolicyFile);
            self.quiet().await;
        }

        /// Waits until nothing has come for a while; what comes meanwhile is the same event's.
        async fn quiet(&self) {
            let pause = Duration::from_millis(60);
            while tokio::time::timeout(pause, self.inbox.next()).await.is_ok() {}
        }

        async fn silent(&self) {
            let next = tokio::time::timeout(Duration::from_millis(150), self.inbox.next());
            assert_eq!(next.await.ok(), None);
        }
    }

    async fn a_file_is_seen_through_any_number_of_replacements_and_rewrites<
        B: FileBackend + 'static,
    >() {
        let desk = Desk::watching::<B>("policy.toml", |_| {}).await;
        let file = desk.path("policy.toml");
        for round in 0..4 {
            fs::write(desk.path("new"), format!("replaced {round}")).unwrap();
            desk.silent().await;
            fs::rename(desk.path("new"), &file).unwrap();
            desk.hint_comes().await;
            fs::write(&file, format!("rewritten {round}")).unwrap();
            desk.hint_comes().await;
        }
        fs::remove_file(&file).unwrap();
        desk.hint_comes().await;
        fs::write(&file, "back").unwrap();
        desk.hint_comes().await;
    }

    async fn a_file_whose_folders_are_made_later_is_seen_even_when_all_come_at_once<
        B: FileBackend + 'static,
    >() {
        let desk = Desk::watching::<B>("a/b/c/policy.toml", |_| {}).await;
        for _ in 0..3 {
            fs::create_dir_all(desk.path("a/b/c")).unwrap();
            fs::write(desk.path("a/b/c/policy.toml"), "x").unwrap();
            desk.hint_comes().await;
            fs::write(desk.path("a/b/c/policy.toml"), "y").unwrap();
            desk.hint_comes().await;
            fs::remove_dir_all(desk.path("a")).unwrap();
            desk.hint_comes().await;
        }
    }

    async fn neighbours_and_readers_are_no_events<B: FileBackend + 'static>() {
        let desk = Desk::watching::<B>("policy.toml", |root| {
            fs::write(root.join("policy.toml"), "x").unwrap();
        })
        .await;
        fs::write(desk.path("other"), "x").unwrap();
        fs::read(desk.path("policy.toml")).unwrap();
        desk.silent().await;
    }

    async fn a_file_behind_a_symbolic_link_is_seen_at_both_ends<B: FileBackend + 'static>() {
        let desk = Desk::watching::<B>("policy.toml", |root| {
            fs::create_dir(root.join("dotfiles")).unwrap();
            fs::write(root.join("dotfiles/one"), "x").unwrap();
            fs::write(root.join("dotfiles/two"), "x").unwrap();
            std::os::unix::fs::symlink("dotfiles/one", root.join("policy.toml")).unwrap();
        })
        .await;
        fs::write(desk.path("dotfiles/one"), "y").unwrap();
        desk.hint_comes().await;
        std::os::unix::fs::symlink("dotfiles/two", desk.path("new")).unwrap();
        fs::rename(desk.path("new"), desk.path("policy.toml")).unwrap();
        desk.hint_comes().await;
        fs::write(desk.path("dotfiles/two"), "y").unwrap();
        desk.hint_comes().await;
        fs::write(desk.path("dotfiles/one"), "z").unwrap();
        desk.silent().await;
    }

    fn exchange(desk: &Desk, to: &str, link: &str) {
        std::os::unix::fs::symlink(to, desk.path("new")).unwrap();
        fs::rename(desk.path("new"), desk.path(link)).unwrap();
    }

    #[tokio::test]
    async fn a_folder_above_the_file_that_is_exchanged_is_seen() {
        // As kubernetes and home-manager do it, and dotfiles with a `current`.
        let desk = Desk::watching::<Inotify>("etc/policy.toml", |root| {
            for version in ["v1", "v2", "v3"] {
                fs::create_dir_all(root.join("dot").join(version)).unwrap();
                fs::write(root.join("dot").join(version).join("policy.toml"), version).unwrap();
            }
            std::os::unix::fs::symlink("v1", root.join("dot/current")).unwrap();
            fs::create_dir(root.join("etc")).unwrap();
            std::os::unix::fs::symlink("../dot/current/policy.toml", root.join("etc/policy.toml"))
                .unwrap();
        })
        .await;
        for version in ["v2", "v3", "v1"] {
            exchange(&desk, version, "dot/current");
            desk.hint_comes().await;
            fs::write(desk.path("dot").join(version).join("policy.toml"), "edited").unwrap();
            desk.hint_comes().await;
        }
        // Taken away, and made again.
        fs::remove_file(desk.path("dot/current")).unwrap();
        desk.hint_comes().await;
        std::os::unix::fs::symlink("v2", desk.path("dot/current")).unwrap();
        desk.hint_comes().await;
        // A folder is renamed, and another one put in its place.
        fs::create_dir_all(desk.path("next/v2")).unwrap();
        fs::write(desk.path("next/v2/policy.toml"), "next").unwrap();
        std::os::unix::fs::symlink("v2", desk.path("next/current")).unwrap();
        fs::rename(desk.path("dot"), desk.path("old")).unwrap();
        desk.hint_comes().await;
        fs::rename(desk.path("next"), desk.path("dot")).unwrap();
        desk.hint_comes().await;
        fs::write(desk.path("dot/v2/policy.toml"), "edited").unwrap();
        desk.hint_comes().await;
        // What is beside the way is no event.
        fs::write(desk.path("dot/other"), "x").unwrap();
        fs::write(desk.path("old/v2/policy.toml"), "x").unwrap();
        desk.silent().await;
    }

    #[tokio::test]
    async fn the_folder_of_the_file_may_itself_be_a_link() {
        let desk = Desk::watching::<Inotify>("config/goroam/policy.toml", |root| {
            for home in ["a/goroam", "b/goroam"] {
                fs::create_dir_all(root.join(home)).unwrap();
                fs::write(root.join(home).join("policy.toml"), home).unwrap();
            }
            std::os::unix::fs::symlink("a", root.join("config")).unwrap();
        })
        .await;
        exchange(&desk, "b", "config");
        desk.hint_comes().await;
        exchange(&desk, "nowhere", "config");
        desk.hint_comes().await;
        exchange(&desk, "a", "config");
        desk.hint_comes().await;
    }

    async fn a_second_name_of_the_file_is_the_file<B: FileBackend + 'static>() {
        // As a bind mount is: the folder that the file is in says nothing.
        let desk = Desk::watching::<B>("policy.toml", |root| {
            fs::create_dir(root.join("etc")).unwrap();
            fs::write(root.join("etc/source"), "x").unwrap();
            fs::hard_link(root.join("etc/source"), root.join("policy.toml")).unwrap();
        })
        .await;
        fs::write(desk.path("etc/source"), "y").unwrap();
        desk.hint_comes().await;
    }

    macro_rules! with_each_backend {
        ($($day:ident)*) => {
            mod by_notify {
                $(#[tokio::test] async fn $day() { super::$day::<super::ByNotify>().await; })*
            }
            mod quietly {
                $(#[tokio::test] async fn $day() { super::$day::<super::Inotify>().await; })*
            }
        };
    }

    with_each_backend! {
        a_file_is_seen_through_any_number_of_replacements_and_rewrites
        a_file_whose_folders_are_made_later_is_seen_even_when_all_come_at_once
        neighbours_and_readers_are_no_events
        a_file_behind_a_symbolic_link_is_seen_at_both_ends
        a_second_name_of_the_file_is_the_file
    }
}
