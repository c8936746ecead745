//! The journal of a rollback, and how its steps are taken: by renames alone. After a kill the next
//! `goroam vendor …` undoes a rollback that was only begun, or completes one that was decided: each
//! step can be repeated, and a place that has been changed since is left alone.

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
use crate::state::file::{lock_within, open_lock, replace};

/// How long to wait for another goroam; writing a large vendor/ takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How the name of every stage begins.
pub(super) const STAGE: &str = ".goroam-rollback-";
/// What a rollback puts back.
const PLACES: [&str; 5] = ["vendor", "go.mod", "go.sum", "go.work", "go.work.sum"];
/// Bytes of a journal that are read.
const MOST: u64 = 8 << 20;

/// A rollback that is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RollbackJournal {
    /// The folder beside vendor/ in which the new files are made ready, from the top.
    pub(super) stage: String,
    /// What is being put back, as it was asked for.
    pub(super) target: String,
    /// The ref that keeps what was there. Empty until it is decided: nothing has been touched.
    pub(super) kept: String,
    /// What to put in which place. Emptied as soon as all is in place, and the stage is only to be
    /// removed.
    pub(super) steps: Vec<SwapStep>,
    /// When it was decided, by the clock that the file system stamps files with, in nanoseconds.
    pub(super) since: i128,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SwapStep {
    /// From the top.
    pub(super) path: String,
    /// What was there when it was decided, by its [`identity`].
    old: Option<String>,
    /// What will be there.
    new: Option<String>,
}

impl RollbackJournal {
    /// Does it name only what a rollback may touch? An unpacked archive can contain a .git with a
    /// journal that names any folder as the stage (which is removed), or that leads out by a link.
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

    /// Adds the step that puts this path in its place, unless it is there already.
    ///
    /// # Errors
    /// When something there cannot be read.
    pub(super) fn add(&mut self, top: &Path, path: &str) -> io::Result<()> {
        let old = identity(&top.join(path))?;
        let new = identity(&fresh(&top.join(&self.stage), path))?;
        if old != new {
            let path = path.to_owned();
            self.steps.push(SwapStep { path, old, new });
        }
        Ok(())
    }

    /// Takes every step. Returns the paths that were left alone.
    ///
    /// # Errors
    /// When a rename fails; taking the steps again continues from there.
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

    /// The old vendor/ in the stage, if anything has been written into it since.
    ///
    /// # Errors
    /// When it cannot be walked.
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
    /// `Ok(false)`: the place is neither as it was nor as it should be; something else changed it.
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

/// The lock of a work tree's rollbacks, held by this process alone; the journal lies beside it.
#[derive(Debug)]
pub(super) struct RollbackLock {
    folder: PathBuf,
    lock: File,
}

impl RollbackLock {
    /// Waits for the lock. A git that a killed goroam started still holds it: the lock's file is
    /// that git's standard output.
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
        // Of what killed processes left, the journal alone counts.
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

    /// A second handle to the lock, for a child that must hold it too.
    ///
    /// # Errors
    /// When the system gives no more files.
    pub(super) fn for_child(&self) -> Result<File> {
        let again = self.lock.try_clone();
        again.about(&self.folder)
    }

    /// Is there anything besides the lock: a journal, or what a killed goroam left? Does not take
    /// the lock.
    pub(super) fn is_needed(repo: &Repo) -> bool {
        let entries = fs::read_dir(repo.git_dir.join("goroam"));
        entries.is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name() != "lock"))
    }

    fn path(&self) -> PathBuf {
        self.folder.join("rollback.json")
    }

    /// The rollback that was interrupted, if any.
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
        bounded::if_any(remove(&stage)).about(&stage)?;
        bounded::if_any(fs::remove_file(&own)).about(&own)?;
        Ok(())
    }
}

/// Where the new one is made ready.
pub(super) fn fresh(stage: &Path, path: &str) -> PathBuf {
    stage.join("new").join(path)
}

/// Where the old one is while it is on its way out.
fn aside(stage: &Path, path: &str) -> PathBuf {
    stage.join("old").join(path)
}

/// What a rename keeps: of a folder which one it is, of a file or a link a hash of what it holds.
/// `None` if there is nothing.
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

/// Windows keeps the time of creation over a rename, in steps of 100 ns.
#[cfg(windows)]
fn which_folder(meta: &fs::Metadata) -> String {
    use std::os::windows::fs::MetadataExt as _;

    meta.creation_time().to_string()
}

/// Are both on one file system, so that a rename can do it?
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

/// When this was last changed, by the file system's clock, in nanoseconds.
#[cfg(unix)]
fn changed(meta: &fs::Metadata) -> i128 {
    use std::os::unix::fs::MetadataExt as _;

    i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec())
}

/// The time of the last write, in nanoseconds.
#[cfg(windows)]
fn changed(meta: &fs::Metadata) -> i128 {
    use std::os::windows::fs::MetadataExt as _;

    i128::from(meta.last_write_time()) * 100
}

/// Now, by the file system's clock: when this file was made.
///
/// # Errors
/// When it cannot be made.
pub(super) fn now_by(file: &Path) -> io::Result<i128> {
    Ok(changed(&bounded::create_new(file)?.metadata()?))
}

/// Was anything in this folder written since?
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

/// Removes a folder, also one whose folders are read-only, as those of the module cache are,
/// from which a vendor/ may have been copied.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        #[cfg(unix)]
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            writable(folder)?;
            fs::remove_dir_all(folder)
        }
        removed => removed,
    }
}

#[cfg(unix)]
fn writable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            writable(&entry.path())?;
        }
    }
    Ok(())
}

/// Both change places in one step; `Ok(false)`: not on this system or file system. Windows can do
/// that with files only.
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

    /// An old and a new vendor/, go.mod and go.sum; the new one has no go.sum.
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
        let since = now_by(&top.path().join("probe")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let since = since + 10_000_000;
        assert!(!is_younger(&top.path().join("vendor"), since).unwrap());
        fs::write(top.path().join("vendor/old"), "more").unwrap();
        assert!(is_younger(&top.path().join("vendor"), since).unwrap());
    }
}
