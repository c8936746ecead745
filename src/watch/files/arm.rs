//! Keeps the watches as the plan says, and turns their events into hints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use super::plan::{Identity, Plan, plan};
use crate::watch::event::Hint;
use crate::watch::inbox::Inbox;
use crate::watch::source::Backoff;

const NAME: &str = "files";
/// While folders appear faster than they can be watched; the last event starts over anyway.
const MOST_ROUNDS: usize = 8;

/// Watches the files that `targets` names (asked again each time, since a resolver may come to
/// use others), for ever. What cannot be watched is a trouble, and tried again with backoff.
pub(in crate::watch) async fn keep_watching(
    targets: impl Fn() -> Vec<(Hint, PathBuf)> + Send,
    inbox: Inbox,
) {
    let mut wait = Backoff::default();
    loop {
        let shared = Arc::new(Shared {
            inbox: inbox.clone(),
            plan: Mutex::default(),
            suspects: Mutex::default(),
            changed: Notify::new(),
        });
        let handler = Arc::clone(&shared);
        match notify::recommended_watcher(move |event| handler.take(event)) {
            Ok(watcher) => {
                let watches = Watches {
                    watcher,
                    armed: BTreeMap::new(),
                    found: None,
                };
                watches.run(&shared, &targets).await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot watch files");
                inbox.trouble(NAME, &error);
            }
        }
        tokio::time::sleep(wait.next()).await;
    }
}

/// What the watcher's thread and the task both see.
struct Shared {
    inbox: Inbox,
    plan: Mutex<Plan>,
    /// Watches that the system has dropped, or will, since their file went.
    suspects: Mutex<BTreeSet<PathBuf>>,
    /// The plan may have to change.
    changed: Notify,
}

impl Shared {
    /// One event, on the watcher's own thread: nothing in here may wait.
    fn take(&self, event: notify::Result<Event>) {
        let Ok(event) = event else {
            return self.look_again();
        };
        if event.need_rescan() {
            return self.look_again();
        }
        // Somebody has read the file, perhaps goroam itself.
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        let data = matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)));
        let plan = lock(&self.plan);
        for path in &event.paths {
            let hints = plan.files.get(path);
            for hint in hints.into_iter().flatten() {
                self.inbox.send(*hint);
            }
            let known = hints.is_some() || plan.guards.contains(path);
            if known && !data {
                if matches!(
                    event.kind,
                    EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
                ) {
                    lock(&self.suspects).insert(path.clone());
                }
                self.changed.notify_one();
            }
        }
    }

    /// Events were lost.
    fn look_again(&self) {
        let plan = lock(&self.plan);
        for hint in plan.files.values().flatten() {
            self.inbox.send(*hint);
        }
        self.changed.notify_one();
    }
}

struct Watches {
    watcher: RecommendedWatcher,
    armed: BTreeMap<PathBuf, Identity>,
    /// The plan's `found`, last time; none before the first.
    found: Option<BTreeMap<PathBuf, (Hint, Option<Identity>)>>,
}

impl Watches {
    async fn run(mut self, shared: &Shared, targets: &(impl Fn() -> Vec<(Hint, PathBuf)> + Send)) {
        let mut wait = Backoff::default();
        loop {
            match self.arm(shared, targets) {
                Ok(()) => {
                    shared.inbox.mend(NAME);
                    wait = Backoff::default();
                    shared.changed.notified().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot watch files");
                    shared.inbox.trouble(NAME, &error);
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
        shared: &Shared,
        targets: &(impl Fn() -> Vec<(Hint, PathBuf)> + Send),
    ) -> Result<(), NotWatched> {
        let mut failed = None;
        for _ in 0..MOST_ROUNDS {
            let wanted = plan(&targets());
            lock(&shared.plan).clone_from(&wanted);
            let suspects = std::mem::take(&mut *lock(&shared.suspects));
            failed = self.adjust(&wanted, &suspects);
            self.tell(&shared.inbox, &wanted);
            // Something may have appeared before its folder was watched.
            if plan(&targets()) == wanted {
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn adjust(&mut self, wanted: &Plan, suspects: &BTreeSet<PathBuf>) -> Option<NotWatched> {
        let keep = |path: &Path, identity: &Identity| {
            wanted.watches.get(path) == Some(identity) && !suspects.contains(path)
        };
        let old: Vec<PathBuf> = self
            .armed
            .iter()
            .filter(|(path, identity)| !keep(path, identity))
            .map(|(path, _)| path.clone())
            .collect();
        for path in old {
            self.armed.remove(&path);
            // Fails if the file went, and the watch with it.
            let _ = self.watcher.unwatch(&path);
        }
        let mut failed = None;
        for (path, identity) in &wanted.watches {
            if self.armed.contains_key(path) {
                continue;
            }
            match self.watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.armed.insert(path.clone(), *identity);
                }
                // It went meanwhile; the plan is made again.
                Err(_) if !path.exists() => {}
                Err(source) => {
                    let path = path.clone();
                    failed = Some(NotWatched { path, source });
                }
            }
        }
        failed
    }

    /// A file that came, went, or was replaced before its folder was watched sent no event.
    fn tell(&mut self, inbox: &Inbox, wanted: &Plan) {
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

#[derive(Debug, thiserror::Error)]
#[error("cannot watch {path}: {source}", path = .path.display())]
struct NotWatched {
    path: PathBuf,
    source: notify::Error,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    struct Desk {
        root: tempfile::TempDir,
        inbox: Inbox,
        task: tokio::task::JoinHandle<()>,
    }

    impl Drop for Desk {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    impl Desk {
        /// Watches `policy` (a path below a new folder) as the policy file.
        async fn watching(policy: &str, prepare: impl FnOnce(&Path)) -> Desk {
            let root = tempfile::tempdir().unwrap();
            prepare(root.path());
            let target = root.path().join(policy);
            // The second one tells when the watches are there.
            let ready = root.path().join("ready");
            let targets = vec![(Hint::PolicyFile, target), (Hint::EnvFile, ready.clone())];
            let inbox = Inbox::default();
            let task = tokio::spawn(keep_watching(move || targets.clone(), inbox.clone()));
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

        async fn told(&self) {
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

    #[tokio::test]
    async fn a_file_is_seen_through_any_number_of_replacements_and_rewrites() {
        let desk = Desk::watching("policy.toml", |_| {}).await;
        let file = desk.path("policy.toml");
        for round in 0..4 {
            fs::write(desk.path("new"), format!("replaced {round}")).unwrap();
            desk.silent().await;
            fs::rename(desk.path("new"), &file).unwrap();
            desk.told().await;
            fs::write(&file, format!("rewritten {round}")).unwrap();
            desk.told().await;
        }
        fs::remove_file(&file).unwrap();
        desk.told().await;
        fs::write(&file, "back").unwrap();
        desk.told().await;
    }

    #[tokio::test]
    async fn a_file_whose_folders_are_made_later_is_seen_even_when_all_come_at_once() {
        let desk = Desk::watching("a/b/c/policy.toml", |_| {}).await;
        for _ in 0..3 {
            fs::create_dir_all(desk.path("a/b/c")).unwrap();
            fs::write(desk.path("a/b/c/policy.toml"), "x").unwrap();
            desk.told().await;
            fs::write(desk.path("a/b/c/policy.toml"), "y").unwrap();
            desk.told().await;
            fs::remove_dir_all(desk.path("a")).unwrap();
            desk.told().await;
        }
    }

    #[tokio::test]
    async fn neighbours_and_readers_are_no_events() {
        let desk = Desk::watching("policy.toml", |root| {
            fs::write(root.join("policy.toml"), "x").unwrap();
        })
        .await;
        fs::write(desk.path("other"), "x").unwrap();
        fs::read(desk.path("policy.toml")).unwrap();
        desk.silent().await;
    }

    #[tokio::test]
    async fn a_file_behind_a_symbolic_link_is_seen_at_both_ends() {
        let desk = Desk::watching("policy.toml", |root| {
            fs::create_dir(root.join("dotfiles")).unwrap();
            fs::write(root.join("dotfiles/one"), "x").unwrap();
            fs::write(root.join("dotfiles/two"), "x").unwrap();
            std::os::unix::fs::symlink("dotfiles/one", root.join("policy.toml")).unwrap();
        })
        .await;
        fs::write(desk.path("dotfiles/one"), "y").unwrap();
        desk.told().await;
        std::os::unix::fs::symlink("dotfiles/two", desk.path("new")).unwrap();
        fs::rename(desk.path("new"), desk.path("policy.toml")).unwrap();
        desk.told().await;
        fs::write(desk.path("dotfiles/two"), "y").unwrap();
        desk.told().await;
        fs::write(desk.path("dotfiles/one"), "z").unwrap();
        desk.silent().await;
    }

    #[tokio::test]
    async fn a_second_name_of_the_file_is_the_file() {
        // As a bind mount is: the folder that the file is in says nothing.
        let desk = Desk::watching("policy.toml", |root| {
            fs::create_dir(root.join("etc")).unwrap();
            fs::write(root.join("etc/source"), "x").unwrap();
            fs::hard_link(root.join("etc/source"), root.join("policy.toml")).unwrap();
        })
        .await;
        fs::write(desk.path("etc/source"), "y").unwrap();
        desk.told().await;
    }
}
