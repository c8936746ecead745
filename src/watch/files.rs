//! Watches the files that matter: the policy, the go env file, the resolver's. Sets the watches
//! that the plan lists, and turns their events into hints.
//!
//! When a watched file is replaced by a rename, as every careful program does, the watch follows
//! the old file. So goroam watches directories, and if a directory does not exist yet, the nearest
//! existing one above it. On Linux the file itself is watched too: a bind-mounted file (`ip netns
//! exec` does that to resolv.conf) changes without an event in its directory.
//!
//! Every link and directory on the path to a file is watched, too, but only its name: a link may be
//! changed to another target, a directory may be renamed.
//!
//! The notify crate also asks the system for every opening of a file. In `/etc` that means a
//! wake-up for each program that starts anywhere (each reads `/etc/ld.so.cache`). So on Linux
//! goroam uses inotify directly, without these events and without a thread.

#[cfg(any(not(target_os = "linux"), test))]
pub(super) mod by_notify;
#[cfg(target_os = "linux")]
pub(super) mod inotify;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::FutureExt as _;

use super::source::{Backoff, Hint, HintInbox};
use plan::{Watch, WatchPlan, plan};

/// The name in problem reports.
const NAME: &str = "files";
/// How often the plan is made again while directories appear faster than they can be watched; the
/// last event starts this again anyway.
const MOST_ROUNDS: usize = 8;

/// Why a watch could not be set.
pub(super) type WatchError = Box<dyn Error + Send + Sync>;

/// The system's file watcher.
pub(super) trait FileBackend: Sized + Send {
    /// Starts the watcher. Must be called within a tokio runtime.
    fn open() -> Result<Self, WatchError>;

    /// Watches one file, or one directory without its subdirectories. `name_only`: reports only
    /// changes to the name of a link or a directory, not to its content; used on Linux only.
    fn watch(&mut self, path: &Path, name_only: bool) -> Result<(), WatchError>;

    /// Stops watching the path. The system may already have done so, when the file disappeared.
    fn unwatch(&mut self, path: &Path);

    /// Waits for the next event. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = io::Result<FileEvent>> + Send;
}

/// A change to a file.
#[derive(Debug)]
pub(super) enum FileEvent {
    /// The contents of a file changed.
    Data(PathBuf),
    /// A file appeared, or its name, mode or number of names changed.
    Form(PathBuf),
    /// A file disappeared; its watch disappears with it, now or later.
    Gone(PathBuf),
    /// Events were lost.
    Lost,
}

/// Watches the files that `targets` returns, forever (it is called again each time, since a
/// resolver may start to use other files). What cannot be watched is reported as a problem, and
/// tried again with backoff.
pub(super) async fn keep_watching<B: FileBackend>(
    targets: impl Fn() -> Vec<(Hint, PathBuf)> + Send + Sync,
    inbox: HintInbox,
) {
    let mut wait = Backoff::default();
    loop {
        let error = match B::open() {
            Ok(backend) => {
                let watches = Watches {
                    backend,
                    inbox: &inbox,
                    armed: BTreeMap::new(),
                    plan: None,
                    suspects: BTreeSet::new(),
                };
                watches.run(&targets).await
            }
            Err(error) => error,
        };
        note_trouble(&inbox, &*error);
        tokio::time::sleep(wait.next()).await;
    }
}

struct Watches<'a, B> {
    backend: B,
    inbox: &'a HintInbox,
    armed: BTreeMap<PathBuf, Watch>,
    /// `None` before the first plan.
    plan: Option<WatchPlan>,
    /// Watches that the system has dropped or will drop, since their file disappeared.
    suspects: BTreeSet<PathBuf>,
}

impl<B: FileBackend> Watches<'_, B> {
    /// Runs until the watcher fails.
    async fn run(mut self, targets: &(impl Fn() -> Vec<(Hint, PathBuf)> + Sync)) -> WatchError {
        let mut wait = Backoff::default();
        loop {
            let done = match self.arm(targets) {
                Ok(()) => {
                    self.inbox.clear_trouble(NAME);
                    wait = Backoff::default();
                    self.pass_on().await
                }
                Err(error) => {
                    note_trouble(self.inbox, &*error);
                    // In both cases this is tried again.
                    let pause = tokio::time::timeout(wait.next(), self.pass_on());
                    pause.await.unwrap_or(Ok(()))
                }
            };
            if let Err(error) = done {
                return error.into();
            }
        }
    }

    /// Passes hints on until the plan may have to change.
    async fn pass_on(&mut self) -> io::Result<()> {
        let mut changed = false;
        loop {
            // Takes all events of a burst before the plan is made again.
            let event = match self.backend.next().now_or_never() {
                Some(event) => event?,
                None if changed => return Ok(()),
                None => self.backend.next().await?,
            };
            changed |= self.take(event);
        }
    }

    /// Handles an event; true if the plan may have to change.
    fn take(&mut self, event: FileEvent) -> bool {
        let Some(plan) = &self.plan else {
            return true;
        };
        let (FileEvent::Data(path) | FileEvent::Form(path) | FileEvent::Gone(path)) = &event else {
            let hints = plan.events.values().flatten();
            hints.for_each(|hint| self.inbox.send(*hint));
            return true;
        };
        let Some(hints) = plan.events.get(path) else {
            return false;
        };
        hints.iter().for_each(|hint| self.inbox.send(*hint));
        if let FileEvent::Gone(path) = &event {
            self.suspects.insert(path.clone());
        }
        !matches!(event, FileEvent::Data(_))
    }

    /// Sets the watches that the current plan requires.
    fn arm(&mut self, targets: &impl Fn() -> Vec<(Hint, PathBuf)>) -> Result<(), WatchError> {
        let mut done = Ok(());
        for _ in 0..MOST_ROUNDS {
            let wanted = plan(&targets());
            done = self.adjust(&wanted.watches);
            // A file that appeared, disappeared or was replaced before its directory was watched
            // sent no event.
            for (path, (hint, file)) in &wanted.found {
                let before = self.plan.as_ref().map(|plan| plan.found.get(path));
                if before.is_some_and(|before| before != Some(&(*hint, *file))) {
                    self.inbox.send(*hint);
                }
            }
            // A file may have appeared before its directory was watched.
            let is_last = plan(&targets()) == wanted;
            self.plan = Some(wanted);
            if is_last {
                break;
            }
        }
        done
    }

    fn adjust(&mut self, wanted: &BTreeMap<PathBuf, Watch>) -> Result<(), WatchError> {
        let suspects = std::mem::take(&mut self.suspects);
        let backend = &mut self.backend;
        self.armed.retain(|path, watch| {
            let keep = wanted.get(path) == Some(watch) && !suspects.contains(path);
            if !keep {
                backend.unwatch(path);
            }
            keep
        });
        let mut done = Ok(());
        for (path, watch) in wanted {
            if self.armed.contains_key(path) {
                continue;
            }
            match self.backend.watch(path, watch.name_only) {
                Ok(()) => drop(self.armed.insert(path.clone(), *watch)),
                // The path disappeared in the meantime; the plan is made again.
                Err(_) if path.symlink_metadata().is_err() => {}
                Err(why) => done = Err(format!("cannot watch {}: {why}", path.display()).into()),
            }
        }
        done
    }
}

/// Reports a problem until the files are watched again; logs it once.
fn note_trouble(inbox: &HintInbox, error: &(dyn Error + Send + Sync)) {
    if !inbox.has_trouble(NAME) {
        tracing::warn!(source = NAME, %error, "cannot watch all files");
    }
    inbox.trouble(NAME, &error);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)] // the scenarios are functions of their own

    use super::*;
    use std::fs;
    use std::time::Duration;

    use super::by_notify::ByNotify;
    use super::inotify::Inotify;

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
        /// Watches `policy` (a path below a new directory) as the policy file.
        async fn watching<B: FileBackend + 'static>(
            policy: &str,
            prepare: impl FnOnce(&Path),
        ) -> Desk {
            let root = tempfile::tempdir().unwrap();
            prepare(root.path());
            let target = root.path().join(policy);
            // The second file shows when the watches are set.
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

        /// Waits until no event has come for a while; events in the meantime belong to the same
        /// change.
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
        // kubernetes and home-manager do this, and dotfiles with a `current` link.
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
        // The link is removed, and created again.
        fs::remove_file(desk.path("dot/current")).unwrap();
        desk.hint_comes().await;
        std::os::unix::fs::symlink("v2", desk.path("dot/current")).unwrap();
        desk.hint_comes().await;
        // A directory is renamed, and another one takes its place.
        fs::create_dir_all(desk.path("next/v2")).unwrap();
        fs::write(desk.path("next/v2/policy.toml"), "next").unwrap();
        std::os::unix::fs::symlink("v2", desk.path("next/current")).unwrap();
        fs::rename(desk.path("dot"), desk.path("old")).unwrap();
        desk.hint_comes().await;
        fs::rename(desk.path("next"), desk.path("dot")).unwrap();
        desk.hint_comes().await;
        fs::write(desk.path("dot/v2/policy.toml"), "edited").unwrap();
        desk.hint_comes().await;
        // A file beside the path causes no event.
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
        // Like a bind mount: the directory of the file sends no event.
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
