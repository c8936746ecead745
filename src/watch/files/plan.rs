//! What to watch, given the files that matter and the file system as it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::watch::inbox::Hint;

/// A symbolic link may lead to another one; more than this is a loop (Linux: `MAXSYMLINKS`).
const MOST_HOPS: usize = 40;
/// Names on the way to one file, those of its links included.
const MOST_STEPS: usize = 256;

/// Which file it is, whatever its name: device and inode.
pub(super) type Identity = (u64, u64);

/// What to watch, and what an event at a path means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct WatchPlan {
    /// Folders and files to hand to the system.
    pub(super) watches: BTreeMap<PathBuf, Identity>,
    /// Links and folders of which only the name matters: they are not looked into.
    pub(super) names: BTreeMap<PathBuf, Identity>,
    /// The files that matter, by the path that an event about them bears.
    pub(super) files: BTreeMap<PathBuf, BTreeSet<Hint>>,
    /// An event at one of these can change this plan.
    pub(super) guards: BTreeSet<PathBuf>,
    /// Which file each target is just now; none if it is not there.
    pub(super) found: BTreeMap<PathBuf, (Hint, Option<Identity>)>,
}

/// Looks at the file system.
pub(super) fn plan(targets: &[(Hint, PathBuf)]) -> WatchPlan {
    let mut plan = WatchPlan::default();
    for (hint, path) in targets {
        let found = plan.follow(*hint, path);
        plan.found.insert(path.clone(), (*hint, found));
    }
    // Who looks into a folder hears of its name, too.
    let watches = &plan.watches;
    plan.names.retain(|path, _| !watches.contains_key(path));
    plan
}

impl WatchPlan {
    /// Adds one file, and every name on the way to it: a folder above it may be a link that is
    /// pointed elsewhere (kubernetes' `..data`, a generation of home-manager), or be renamed.
    fn follow(&mut self, hint: Hint, path: &Path) -> Option<Identity> {
        let path = std::path::absolute(path).ok()?;
        // What is still to be walked, the next one last.
        let mut rest: Vec<PathBuf> = parts(&path);
        let mut real = PathBuf::new();
        let (mut hops, mut steps) = (0, 0);
        while let Some(part) = rest.pop() {
            steps += 1;
            if steps > MOST_STEPS {
                return None;
            }
            match part.components().next() {
                Some(Component::Normal(_)) => {}
                Some(Component::ParentDir) => {
                    real.pop();
                    continue;
                }
                Some(Component::CurDir) | None => continue,
                // An absolute one takes the place of all that was before.
                Some(Component::RootDir | Component::Prefix(_)) => {
                    real.push(part);
                    continue;
                }
            }
            let entry = real.join(part);
            let is_last = rest.is_empty();
            let Ok(metadata) = entry.symlink_metadata() else {
                self.watch(&real);
                if is_last {
                    self.files.entry(entry).or_default().insert(hint)
                } else {
                    self.guards.insert(entry)
                };
                return None;
            };
            if metadata.is_symlink() {
                hops += 1;
                if is_last {
                    self.watch(&real);
                    self.files.entry(entry.clone()).or_default().insert(hint);
                } else {
                    self.watch_name(&real, &entry, &metadata);
                }
                if hops > MOST_HOPS {
                    return None;
                }
                rest.extend(parts(&entry.read_link().ok()?));
            } else if is_last {
                self.watch(&real);
                self.files.entry(entry.clone()).or_default().insert(hint);
                // Elsewhere the folder's events include the file as well.
                if cfg!(target_os = "linux") {
                    self.watches.insert(entry, identity(&metadata));
                }
                return Some(identity(&metadata));
            } else {
                // Elsewhere it would take all events of the folder above.
                if cfg!(target_os = "linux") {
                    self.watch_name(&real, &entry, &metadata);
                }
                real = entry;
            }
        }
        None
    }

    /// Watches a link or a folder on the way: not what is in it, only what becomes of its name.
    fn watch_name(&mut self, folder: &Path, entry: &Path, metadata: &std::fs::Metadata) {
        self.guards.insert(entry.to_owned());
        if cfg!(target_os = "linux") {
            self.names.insert(entry.to_owned(), identity(metadata));
        } else {
            self.watch(folder);
        }
    }

    fn watch(&mut self, folder: &Path) {
        let Ok(metadata) = folder.metadata() else {
            return;
        };
        self.watches.insert(folder.to_owned(), identity(&metadata));
        self.guards.insert(folder.to_owned());
    }
}

/// A path in pieces, the last one first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let mut parts: Vec<PathBuf> = path
        .components()
        .map(|part| part.as_os_str().into())
        .collect();
    parts.reverse();
    parts
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Windows holds a watched folder open, so it cannot become another one; the time of creation
/// shows a replaced file.
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

    #[test]
    fn of_a_file_in_a_missing_folder_the_nearest_folder_is_watched() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        let target = root.join("a/b/policy.toml");
        let made = plan(&[(Hint::PolicyFile, target.clone())]);
        assert_eq!(names(&root, made.watches.into_keys()), [""]);
        let below = made
            .guards
            .into_iter()
            .filter(|path| path.starts_with(&root));
        assert_eq!(names(&root, below), ["", "a"]);
        assert_eq!(made.found[&target], (Hint::PolicyFile, None));
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        let made = plan(&[(Hint::PolicyFile, target.clone())]);
        assert_eq!(names(&root, made.watches.into_keys()), ["a/b"]);
        assert_eq!(names(&root, made.files.into_keys()), ["a/b/policy.toml"]);
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
        assert_eq!(
            names(&root, made.watches.into_keys()),
            ["etc", "run", "run/stub.conf"]
        );
        assert_eq!(
            names(&root, made.files.into_keys()),
            ["etc/resolv.conf", "run/stub.conf"]
        );
    }

    #[test]
    fn links_in_a_circle_end() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        let made = plan(&[(Hint::EnvFile, root.join("a"))]);
        assert_eq!(names(&root, made.watches.into_keys()), [""]);
        assert_eq!(names(&root, made.files.into_keys()), ["a", "b"]);
    }
}
