//! Decides what to watch, from the files that matter and the current file system.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::watch::source::Hint;

/// How many names there may be on the path to one file, including those of its links; more means
/// that the links form a loop.
const MOST_STEPS: usize = 256;

/// Identifies a file whatever its name: device and inode.
type Identity = (u64, u64);

/// A directory or file for the system to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watch {
    identity: Identity,
    /// Only changes to its name matter, not to its content.
    pub(super) name_only: bool,
}

/// What to watch, and what an event at a path means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct WatchPlan {
    pub(super) watches: BTreeMap<PathBuf, Watch>,
    /// An event at one of these paths can change this plan; if the path is a file that matters, the
    /// event gives these hints.
    pub(super) events: BTreeMap<PathBuf, BTreeSet<Hint>>,
    /// The current identity of each target; `None` if the file does not exist.
    pub(super) found: BTreeMap<PathBuf, (Hint, Option<Identity>)>,
}

/// Makes the plan from the current file system.
pub(super) fn plan(targets: &[(Hint, PathBuf)]) -> WatchPlan {
    let mut plan = WatchPlan::default();
    for (hint, path) in targets {
        let found = plan.follow(*hint, path);
        plan.found.insert(path.clone(), (*hint, found));
    }
    plan
}

impl WatchPlan {
    /// Adds one file, and every name on the path to it: a directory above it may be renamed, or be
    /// a link that changes to another target (kubernetes' `..data`, a generation of home-manager).
    fn follow(&mut self, hint: Hint, path: &Path) -> Option<Identity> {
        // The remaining parts of the path, the next one last.
        let mut rest = parts(&std::path::absolute(path).ok()?);
        let mut real = PathBuf::new();
        for _ in 0..MOST_STEPS {
            let part = rest.pop()?;
            match part.components().next() {
                Some(Component::Normal(_)) => {}
                Some(Component::ParentDir) => {
                    real.pop();
                    continue;
                }
                Some(Component::CurDir) | None => continue,
                // An absolute path replaces all parts before it.
                Some(Component::RootDir | Component::Prefix(_)) => {
                    real.push(part);
                    continue;
                }
            }
            let entry = real.join(part);
            let is_last = rest.is_empty();
            let metadata = entry.symlink_metadata().ok();
            let is_link = metadata.as_ref().is_some_and(std::fs::Metadata::is_symlink);
            // On Linux the names of links and directories on the path are watched directly. On
            // other systems the directory of a link is watched, but not that of each directory:
            // that would report all its events.
            if is_last || metadata.is_none() || (is_link && !cfg!(target_os = "linux")) {
                self.watch(&real, &real.metadata().ok()?, false);
                self.events.entry(real.clone()).or_default();
            }
            let hints = self.events.entry(entry.clone()).or_default();
            hints.extend(is_last.then_some(hint));
            let metadata = metadata?;
            // On other systems the directory's events include the file as well.
            if cfg!(target_os = "linux") && !(is_last && is_link) {
                self.watch(&entry, &metadata, !is_last);
            }
            if is_link {
                rest.extend(parts(&entry.read_link().ok()?));
            } else if is_last {
                return Some(identity(&metadata));
            } else {
                real = entry;
            }
        }
        None
    }

    fn watch(&mut self, path: &Path, metadata: &std::fs::Metadata, name_only: bool) {
        let identity = identity(metadata);
        let watch = Watch {
            identity,
            name_only,
        };
        // A watch on a directory's content reports changes to its name, too.
        let watch = self.watches.entry(path.to_owned()).or_insert(watch);
        watch.name_only &= name_only;
    }
}

/// Splits a path into parts, the last one first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().rev();
    parts.map(|part| part.as_os_str().into()).collect()
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Windows keeps a watched directory open, so it cannot be exchanged; the creation time shows that
/// a file was replaced.
#[cfg(not(unix))]
fn identity(metadata: &std::fs::Metadata) -> Identity {
    let since = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).ok();
    let created = metadata.created().ok().and_then(since);
    (created.map_or(0, |at| at.as_secs()), 0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn names(root: &Path, paths: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
        let name = |path: PathBuf| match path.strip_prefix(root) {
            Ok(inside) => inside.display().to_string(),
            Err(_) => path.display().to_string(),
        };
        paths.into_iter().map(name).collect()
    }

    fn contents(root: &Path, plan: &WatchPlan) -> Vec<String> {
        let watches = plan.watches.iter().filter(|(_, watch)| !watch.name_only);
        names(root, watches.map(|(path, _)| path.clone()))
    }

    fn files(root: &Path, plan: &WatchPlan) -> Vec<String> {
        let files = plan.events.iter().filter(|(_, hints)| !hints.is_empty());
        names(root, files.map(|(path, _)| path.clone()))
    }

    #[test]
    fn of_a_file_in_a_missing_folder_the_nearest_folder_is_watched() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        let target = root.join("a/b/policy.toml");
        let made = plan(&[(Hint::PolicyFile, target.clone())]);
        assert_eq!(contents(&root, &made), [""]);
        let below = made.events.into_keys();
        let below = below.filter(|path| path.starts_with(&root));
        assert_eq!(names(&root, below), ["", "a"]);
        assert_eq!(made.found[&target], (Hint::PolicyFile, None));
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        let made = plan(&[(Hint::PolicyFile, target.clone())]);
        assert_eq!(contents(&root, &made), ["a/b"]);
        assert_eq!(files(&root, &made), ["a/b/policy.toml"]);
    }

    #[test]
    fn a_link_is_watched_at_both_of_its_ends() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        for folder in ["etc", "run"] {
            std::fs::create_dir(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("run/stub.conf"), "x").unwrap();
        symlink("../run/stub.conf", root.join("etc/resolv.conf")).unwrap();
        let made = plan(&[(Hint::Resolver, root.join("etc/resolv.conf"))]);
        assert_eq!(contents(&root, &made), ["etc", "run", "run/stub.conf"]);
        assert_eq!(files(&root, &made), ["etc/resolv.conf", "run/stub.conf"]);
    }

    #[test]
    fn links_in_a_circle_end() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        let made = plan(&[(Hint::EnvFile, root.join("a"))]);
        assert_eq!(contents(&root, &made), [""]);
        assert_eq!(files(&root, &made), ["a", "b"]);
    }
}
