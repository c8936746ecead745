//! What to watch, given the files that matter and the file system as it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::watch::event::Hint;

/// A symbolic link may lead to another one; more than this is a loop.
const MOST_HOPS: usize = 8;

/// Which file it is, whatever its name: device and inode.
pub(super) type Identity = (u64, u64);

/// What to watch, and what an event at a path means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// Folders and files to hand to the system.
    pub(super) watches: BTreeMap<PathBuf, Identity>,
    /// The files that matter, by the path that an event about them bears.
    pub(super) files: BTreeMap<PathBuf, BTreeSet<Hint>>,
    /// An event at one of these can change this plan.
    pub(super) guards: BTreeSet<PathBuf>,
    /// Which file each target is just now; none if it is not there.
    pub(super) found: BTreeMap<PathBuf, (Hint, Option<Identity>)>,
}

/// Looks at the file system.
pub(super) fn plan(targets: &[(Hint, PathBuf)]) -> Plan {
    let mut plan = Plan::default();
    for (hint, path) in targets {
        let found = plan.follow(*hint, path);
        plan.found.insert(path.clone(), (*hint, found));
    }
    plan
}

impl Plan {
    /// Adds one file and what its symbolic links lead to.
    fn follow(&mut self, hint: Hint, path: &Path) -> Option<Identity> {
        let mut path = path.to_owned();
        for _ in 0..MOST_HOPS {
            let folder = match path.parent() {
                Some(folder) if folder != Path::new("") => folder.to_owned(),
                Some(_) | None => PathBuf::from("."),
            };
            let name = path.file_name()?.to_owned();
            let Ok(folder) = folder.canonicalize() else {
                self.wait_for(&folder);
                return None;
            };
            let file = folder.join(name);
            self.watch(&folder);
            self.files.entry(file.clone()).or_default().insert(hint);
            let metadata = file.symlink_metadata().ok()?;
            if !metadata.is_symlink() {
                // Elsewhere the folder's events tell of the file as well.
                if cfg!(target_os = "linux") {
                    self.watches.insert(file, identity(&metadata));
                }
                return Some(identity(&metadata));
            }
            path = folder.join(file.read_link().ok()?);
        }
        None
    }

    /// Watches the nearest folder there is, until the next one below it appears.
    fn wait_for(&mut self, folder: &Path) {
        let mut missing = folder;
        while let Some(above) = missing.parent() {
            let here = if above == Path::new("") {
                Path::new(".")
            } else {
                above
            };
            if let Ok(real) = here.canonicalize() {
                self.watch(&real);
                self.guards
                    .extend(missing.file_name().map(|name| real.join(name)));
                return;
            }
            missing = above;
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

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Windows holds a watched folder open, so it cannot become another one; the time of creation
/// tells a replaced file.
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
        assert_eq!(names(&root, made.guards), ["", "a"]);
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
