//! The journal of a rollback, and its steps, which use only renames. After a kill the next `goroam
//! vendor …` undoes a rollback that had only begun, or completes one that was decided: each step
//! can be repeated, and a path that was changed since then is left alone.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{About, Error, Result};
use super::repo::Repo;
use crate::bounded;
use crate::gocmd::rename;
use crate::gomod::sum::sha256_hex;
use crate::state::file::{lock_within, open_lock, remove_tree, replace};

/// How long to wait for another goroam; writing a large vendor/ takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// The prefix of every stage's name.
pub(super) const STAGE: &str = ".goroam-rollback-";
/// The names that a rollback restores.
const PLACES: [&str; 5] = ["vendor", "go.mod", "go.sum", "go.work", "go.work.sum"];
/// Maximum size of a journal in bytes.
const MOST: u64 = 8 << 20;

/// A rollback in progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RollbackJournal {
    /// The directory beside vendor/ in which the new files are prepared, relative to the top.
    pub(super) stage: String,
    /// The rollback's target, as the user named it.
    pub(super) target: String,
    /// The ref that keeps the previous state. Empty until the rollback is decided: nothing has been
    /// changed.
    pub(super) kept: String,
    /// The steps. Cleared as soon as everything is in place; then only the stage must be removed.
    pub(super) steps: Vec<SwapStep>,
    /// When it was decided, in nanoseconds of the file system's clock.
    pub(super) since: i128,
}

/// The step for one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SwapStep {
    /// The path, relative to the top.
    pub(super) path: String,
    /// The [`identity`] of the old content when the rollback was decided.
    old: Option<String>,
    /// The identity of the new content.
    new: Option<String>,
}

impl RollbackJournal {
    /// Reports whether the journal names only what a rollback may change. An unpacked archive can
    /// contain a .git with a journal that names any directory as the stage (which is removed), or a
    /// path that leads outside through a link.
    fn is_ours(&self, top: &Path) -> bool {
        let is_within = |path: &str| {
            let mut above = Path::new(path).ancestors().skip(1);
            above.all(|folder| !top.join(folder).is_symlink())
                && Path::new(path)
                    .components()
                    .all(|part| matches!(part, Component::Normal(_)))
        };
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        is_within(&self.stage)
            && name(&self.stage).starts_with(STAGE)
            && !top.join(&self.stage).is_symlink()
            && self
                .steps
                .iter()
                .all(|step| is_within(&step.path) && PLACES.contains(&name(&step.path).as_str()))
    }

    /// Adds the step that moves this path into place, unless it is there already.
    ///
    /// # Errors
    /// When one of the files cannot be read.
    pub(super) fn add(&mut self, top: &Path, path: &str) -> io::Result<()> {
        let old = identity(&top.join(path))?;
        let new = identity(&fresh(&top.join(&self.stage), path))?;
        if old != new {
            let path = path.to_owned();
            self.steps.push(SwapStep { path, old, new });
        }
        Ok(())
    }

    /// Executes every step. Returns the paths that were left alone.
    ///
    /// # Errors
    /// When a rename fails; executing the steps again continues from there.
    pub(super) fn take(&self, top: &Path) -> Result<Vec<String>> {
        let stage = top.join(&self.stage);
        let mut foreign = Vec::new();
        for step in &self.steps {
            let target = top.join(&step.path);
            if !step.take(&stage, &target).about(&target)? {
                foreign.push(step.path.clone());
            }
        }
        Ok(foreign)
    }

    /// Returns the old vendor/ in the stage, if anything has been written into it since.
    ///
    /// # Errors
    /// When its files cannot be listed.
    pub(super) fn written_since(&self, top: &Path) -> io::Result<Option<PathBuf>> {
        let stage = top.join(&self.stage);
        for step in self.steps.iter().filter(|step| step.old.is_some()) {
            for place in [fresh(&stage, &step.path), aside(&stage, &step.path)] {
                let is_folder = fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_dir());
                if is_folder && identity(&place)? == step.old {
                    return Ok(is_younger(&place, self.since)?.then_some(place));
                }
            }
        }
        Ok(None)
    }
}

impl SwapStep {
    /// Executes the step. `Ok(false)`: the path has neither the old nor the new content; another
    /// program changed it.
    fn take(&self, stage: &Path, target: &Path) -> io::Result<bool> {
        let new = fresh(stage, &self.path);
        let there = identity(target)?;
        if there == self.new {
            return Ok(true);
        }
        if there.is_some() && there != self.old || identity(&new)? != self.new {
            return Ok(false);
        }
        if there.is_some() {
            if self.new.is_some() && exchange(&new, target)? {
                return Ok(true);
            }
            let aside = aside(stage, &self.path);
            fs::create_dir_all(aside.parent().unwrap_or(stage))?;
            fs::rename(target, &aside)?;
        }
        if self.new.is_some() {
            fs::rename(&new, target)?;
        }
        Ok(true)
    }
}

/// The lock of a work tree's rollbacks, held by this process alone; the journal is in the same
/// directory.
#[derive(Debug)]
pub(super) struct RollbackLock {
    folder: PathBuf,
    lock: File,
}

impl RollbackLock {
    /// Waits for the lock. A git that a killed goroam started still holds it: that git's standard
    /// output is the lock's file.
    ///
    /// # Errors
    /// When another goroam holds it for too long.
    pub(super) fn acquire(repo: &Repo) -> Result<RollbackLock> {
        let folder = repo.own()?;
        let path = folder.join("lock");
        let lock = open_lock(&path).about(&path)?;
        lock_within(&lock, true, PATIENCE).map_err(|error| {
            if error.kind() == io::ErrorKind::TimedOut {
                let top = repo.top.display();
                Error::Failed(format!("another `goroam vendor` is running in {top}"))
            } else {
                Error::io(&path, error)
            }
        })?;
        // Of the files that killed processes left, only the journal is needed.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("index-") {
                let _ = fs::remove_dir_all(entry.path());
            } else if name.starts_with(".rollback.json.new-") {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(RollbackLock { folder, lock })
    }

    /// Returns a second handle to the lock, for a child that must hold it too.
    ///
    /// # Errors
    /// When the system cannot open more files.
    pub(super) fn for_child(&self) -> Result<File> {
        let again = self.lock.try_clone();
        again.about(&self.folder)
    }

    /// Reports whether the directory has anything besides the lock: a journal, or files that a
    /// killed goroam left. Does not take the lock.
    pub(super) fn is_needed(repo: &Repo) -> bool {
        let entries = fs::read_dir(repo.git_dir.join("goroam"));
        entries.is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name() != "lock"))
    }

    fn path(&self) -> PathBuf {
        self.folder.join("rollback.json")
    }

    /// Returns the interrupted rollback, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, or goroam did not write it for this work tree.
    pub(super) fn read(&self, top: &Path) -> Result<Option<RollbackJournal>> {
        let path = self.path();
        let bytes = bounded::if_any(bounded::read_no_link(&path, MOST));
        let Some(bytes) = bytes.about(&path)? else {
            return Ok(None);
        };
        let journal: Option<RollbackJournal> = serde_json::from_slice(&bytes).ok();
        let journal = journal.filter(|journal| journal.is_ours(top));
        journal.map(Some).ok_or_else(|| {
            Error::Failed(format!(
                "{} is not a rollback journal that goroam wrote; inspect it, then remove it",
                path.display()
            ))
        })
    }

    /// Writes the journal; it is on the disk before this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, journal: &RollbackJournal) -> Result<()> {
        let written = serde_json::to_vec(journal).map_err(io::Error::from);
        let written = written.and_then(|bytes| replace(&self.path(), &bytes));
        written.about(&self.path())
    }

    /// Removes the stage, then the journal.
    ///
    /// # Errors
    /// When one of them cannot be removed.
    pub(super) fn clear(&self, top: &Path, journal: &RollbackJournal) -> Result<()> {
        let (stage, own) = (top.join(&journal.stage), self.path());
        bounded::if_any(remove_tree(&stage)).about(&stage)?;
        bounded::if_any(fs::remove_file(&own)).about(&own)?;
        Ok(())
    }
}

/// The path where the new file is prepared.
pub(super) fn fresh(stage: &Path, path: &str) -> PathBuf {
    stage.join("new").join(path)
}

/// The path of the old file until it is removed.
fn aside(stage: &Path, path: &str) -> PathBuf {
    stage.join("old").join(path)
}

/// Returns what a rename does not change: for a directory its identity in the file system, for a
/// file or a link a hash of its content. `None` if there is nothing.
fn identity(path: &Path) -> io::Result<Option<String>> {
    let Some(meta) = bounded::if_any(fs::symlink_metadata(path))? else {
        return Ok(None);
    };
    if meta.is_dir() {
        return Ok(Some(which_folder(&meta)));
    }
    let bytes = if meta.is_symlink() {
        fs::read_link(path)?.into_os_string().into_encoded_bytes()
    } else {
        bounded::read_no_link(path, meta.len())?
    };
    Ok(Some(sha256_hex(&bytes)))
}

#[cfg(unix)]
fn which_folder(meta: &fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;

    format!("{}:{}", meta.dev(), meta.ino())
}

/// On Windows a rename does not change the time of creation, which has steps of 100 ns.
#[cfg(windows)]
fn which_folder(meta: &fs::Metadata) -> String {
    use std::os::windows::fs::MetadataExt as _;

    meta.creation_time().to_string()
}

/// Reports whether both are on one file system, as a rename requires.
#[cfg(unix)]
pub(super) fn are_together(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    device(one) == device(other)
}

/// A rename across drives fails with its own error.
#[cfg(windows)]
pub(super) fn are_together(_: &Path, _: &Path) -> bool {
    true
}

/// Returns the time of the last change, by the file system's clock, in nanoseconds.
#[cfg(unix)]
fn changed(meta: &fs::Metadata) -> i128 {
    use std::os::unix::fs::MetadataExt as _;

    i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec())
}

/// Returns the time of the last write, in nanoseconds.
#[cfg(windows)]
fn changed(meta: &fs::Metadata) -> i128 {
    use std::os::windows::fs::MetadataExt as _;

    i128::from(meta.last_write_time()) * 100
}

/// Returns the current time of the file system's clock: when this new file was created.
///
/// # Errors
/// When the file cannot be created.
pub(super) fn now_by(file: &Path) -> io::Result<i128> {
    Ok(changed(&bounded::create_new(file)?.metadata()?))
}

/// Reports whether anything in this directory was written since then.
fn is_younger(folder: &Path, since: i128) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        let deeper = meta.is_dir() && is_younger(&entry.path(), since)?;
        if deeper || changed(&meta) >= since {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Exchanges both in one step; `Ok(false)`: this system or file system cannot do that. Windows can
/// do it only with files.
fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    if cfg!(windows) {
        return Ok(false);
    }
    match rename::exchange(one, other) {
        Err(error) if rename::is_unsupported(&error) => Ok(false),
        exchanged => exchanged.map(|()| true),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    /// Creates an old and a new vendor/, go.mod and go.sum; the new state has no go.sum.
    fn scene() -> (tempfile::TempDir, RollbackJournal) {
        let top = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("vendor/old", "old");
        write("go.mod", "old");
        write("go.sum", "old");
        write("stage/new/vendor/new", "new");
        write("stage/new/go.mod", "new");
        let mut journal = RollbackJournal {
            stage: "stage".to_owned(),
            ..RollbackJournal::default()
        };
        for path in ["vendor", "go.mod", "go.sum"] {
            journal.add(top.path(), path).unwrap();
        }
        (top, journal)
    }

    fn is_new(top: &Path) {
        assert!(top.join("vendor/new").exists() && !top.join("vendor/old").exists());
        assert_eq!(fs::read(top.join("go.mod")).unwrap(), b"new");
        assert!(!top.join("go.sum").exists());
    }

    #[test]
    fn the_steps_can_be_taken_again_from_wherever_they_stopped() {
        for taken in 0..=3 {
            let (top, journal) = scene();
            let mut part = journal.clone();
            part.steps.truncate(taken);
            assert_eq!(part.take(top.path()).unwrap(), [""; 0]);
            for _ in 0..2 {
                assert_eq!(journal.take(top.path()).unwrap(), [""; 0], "{taken}");
                is_new(top.path());
                let old = journal.written_since(top.path()).unwrap().unwrap();
                assert!(old.join("old").exists());
            }
        }
    }

    #[test]
    fn a_kill_between_the_two_renames_of_other_systems_is_repaired() {
        let (top, journal) = scene();
        fs::create_dir_all(top.path().join("stage/old")).unwrap();
        fs::rename(
            top.path().join("vendor"),
            top.path().join("stage/old/vendor"),
        )
        .unwrap();
        assert_eq!(journal.take(top.path()).unwrap(), [""; 0]);
        is_new(top.path());
        let old = journal.written_since(top.path()).unwrap().unwrap();
        assert!(old.join("old").exists());
    }

    #[test]
    fn what_was_changed_since_is_left_alone() {
        let (top, journal) = scene();
        fs::rename(top.path().join("vendor"), top.path().join("moved")).unwrap();
        fs::create_dir(top.path().join("vendor")).unwrap();
        fs::write(top.path().join("vendor/mine"), "mine").unwrap();
        fs::write(top.path().join("go.mod"), "mine").unwrap();
        assert_eq!(journal.take(top.path()).unwrap(), ["vendor", "go.mod"]);
        assert_eq!(fs::read(top.path().join("vendor/mine")).unwrap(), b"mine");
        assert_eq!(fs::read(top.path().join("go.mod")).unwrap(), b"mine");
    }

    #[test]
    fn a_file_that_was_written_since_makes_its_folder_younger() {
        let (top, _) = scene();
        // The file system's clock moves in steps: wait for the first file that is younger.
        let probe = top.path().join("probe");
        let now = || {
            let now = now_by(&probe).unwrap();
            fs::remove_file(&probe).unwrap();
            now
        };
        let (start, end) = (now(), std::time::Instant::now() + PATIENCE);
        let since = loop {
            match now() {
                now if now > start => break now,
                _ => assert!(std::time::Instant::now() < end, "the clock stands still"),
            }
        };
        assert!(!is_younger(&top.path().join("vendor"), since).unwrap());
        fs::write(top.path().join("vendor/old"), "more").unwrap();
        assert!(is_younger(&top.path().join("vendor"), since).unwrap());
    }
}
