//! Moves the prepared files to their places, by renames alone. Each step can be repeated after a
//! kill; a place that has been changed since is left alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::journal::{RollbackJournal, SwapStep};
use super::present::exists;
use crate::gocmd::rename;
use crate::gomod::sum::sha256_hex;

/// How one step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Done,
    /// The place is neither as it was nor as it should be: something else changed it.
    Foreign,
}

/// Takes every step. Returns the paths that were left alone.
///
/// # Errors
/// When a rename fails; taking the steps again continues from there.
pub(super) fn take(top: &Path, journal: &RollbackJournal) -> Result<Vec<String>, Error> {
    let stage = top.join(&journal.stage);
    let mut foreign = Vec::new();
    for step in &journal.steps {
        let target = top.join(&step.path);
        let failed = |error| Error::io(&target, error);
        let taken = if step.folder {
            folder(&stage, &target, step).map_err(failed)?
        } else {
            file(&stage, &target, step).map_err(failed)?
        };
        if taken == Taken::Foreign {
            foreign.push(step.path.clone());
        }
    }
    Ok(foreign)
}

/// Where the new one is made ready.
pub(super) fn fresh(stage: &Path, path: &str) -> PathBuf {
    stage.join("new").join(path)
}

/// Where the old one is while it is on its way out.
fn aside(stage: &Path, path: &str) -> PathBuf {
    stage.join("old").join(path)
}

/// The old vendor/, wherever in the stage it is by now.
pub(super) fn old_folder(top: &Path, journal: &RollbackJournal) -> Option<PathBuf> {
    let step = journal.steps.iter().find(|step| step.folder)?;
    let stage = top.join(&journal.stage);
    let places = [fresh(&stage, &step.path), aside(&stage, &step.path)];
    let old = |path: &PathBuf| step.old.is_some() && identity(path) == step.old;
    places.into_iter().find(old)
}

fn folder(stage: &Path, target: &Path, step: &SwapStep) -> io::Result<Taken> {
    let new = fresh(stage, &step.path);
    let there = identity(target);
    if there.is_some() && there == step.new {
        return Ok(Taken::Done);
    }
    if there.is_none() && step.new.is_none() {
        return Ok(Taken::Done);
    }
    let is_foreign = there.is_some() && there != step.old;
    if is_foreign || identity(&new) != step.new {
        return Ok(Taken::Foreign);
    }
    if there.is_some() {
        if step.new.is_some() && exchange(&new, target)? {
            return Ok(Taken::Done);
        }
        let aside = aside(stage, &step.path);
        fs::create_dir_all(aside.parent().unwrap_or(stage))?;
        fs::rename(target, &aside)?;
    }
    if step.new.is_some() {
        fs::rename(&new, target)?;
    }
    Ok(Taken::Done)
}

fn file(stage: &Path, target: &Path, step: &SwapStep) -> io::Result<Taken> {
    let there = hash(target)?;
    if there == step.new {
        return Ok(Taken::Done);
    }
    if there != step.old {
        return Ok(Taken::Foreign);
    }
    if step.new.is_some() {
        fs::rename(fresh(stage, &step.path), target)?;
    } else {
        let aside = aside(stage, &step.path);
        fs::create_dir_all(aside.parent().unwrap_or(stage))?;
        fs::rename(target, &aside)?;
    }
    Ok(Taken::Done)
}

/// A file's hash, if it exists.
///
/// # Errors
/// When it is there and cannot be read.
pub(super) fn hash(path: &Path) -> io::Result<Option<String>> {
    let bytes = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        // A link is what it says, not what it leads to.
        Ok(meta) if meta.is_symlink() => fs::read_link(path)?
            .to_string_lossy()
            .into_owned()
            .into_bytes(),
        Ok(meta) => crate::bounded::read_no_link(path, meta.len())?,
    };
    Ok(Some(sha256_hex(&bytes)))
}

/// The folder's identity, which a rename keeps; `None` if it does not exist.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let meta = fs::symlink_metadata(path).ok()?;
    Some(format!("{}:{}", meta.dev(), meta.ino()))
}

/// Windows keeps the time of creation over a rename, in steps of 100 ns.
#[cfg(windows)]
pub(super) fn identity(path: &Path) -> Option<String> {
    use std::os::windows::fs::MetadataExt as _;

    let meta = fs::symlink_metadata(path).ok()?;
    Some(meta.creation_time().to_string())
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
    fs::write(file, b"")?;
    Ok(changed(&fs::symlink_metadata(file)?))
}

/// Was anything in this folder written since? A link or a file in its place holds nothing: it
/// came here by a rename, as it was.
///
/// # Errors
/// When it cannot be walked.
pub(super) fn is_younger(folder: &Path, since: i128) -> io::Result<bool> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Ok(false);
    }
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
///
/// # Errors
/// When it cannot be removed.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let denied = match fs::remove_dir_all(folder) {
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
            Ok(()) => return Ok(()),
        };
        if denied {
            writable(folder)?;
        }
    }
    fs::remove_dir_all(folder)
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

/// Both change places in one step; `Ok(false)`: not on this system or file system.
fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    // Windows can do that with files only.
    if cfg!(windows) {
        return Ok(false);
    }
    match rename::exchange(one, other) {
        Ok(()) => Ok(true),
        Err(error) if rename::is_unsupported(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A name beside vendor/ that nothing has yet.
pub(super) fn free_name(beside: &Path, name: &str) -> PathBuf {
    let mut number = 1;
    loop {
        let path = match number {
            1 => beside.join(name),
            number => beside.join(format!("{name}-{number}")),
        };
        if !exists(&path) {
            return path;
        }
        number += 1;
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::vendoring::journal::RollbackPhase;

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
        let step = |path: &str, folder: bool| {
            let places = [
                top.path().join(path),
                top.path().join("stage/new").join(path),
            ];
            let [old, new] = places.map(|path| {
                if folder {
                    identity(&path)
                } else {
                    hash(&path).unwrap()
                }
            });
            SwapStep {
                path: path.to_owned(),
                folder,
                old,
                new,
            }
        };
        let steps = vec![
            step("vendor", true),
            step("go.mod", false),
            step("go.sum", false),
        ];
        let journal = RollbackJournal {
            stage: "stage".to_owned(),
            target: "one".to_owned(),
            kept: String::new(),
            phase: RollbackPhase::Decided,
            steps,
            since: 0,
        };
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
            assert_eq!(take(top.path(), &part).unwrap(), [""; 0]);
            for _ in 0..2 {
                assert_eq!(take(top.path(), &journal).unwrap(), [""; 0], "{taken}");
                is_new(top.path());
                let old = old_folder(top.path(), &journal).unwrap();
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
        assert_eq!(take(top.path(), &journal).unwrap(), [""; 0]);
        is_new(top.path());
        assert!(
            old_folder(top.path(), &journal)
                .unwrap()
                .join("old")
                .exists()
        );
    }

    #[test]
    fn what_was_changed_since_is_left_alone() {
        let (top, journal) = scene();
        fs::rename(top.path().join("vendor"), top.path().join("moved")).unwrap();
        fs::create_dir(top.path().join("vendor")).unwrap();
        fs::write(top.path().join("vendor/mine"), "mine").unwrap();
        fs::write(top.path().join("go.mod"), "mine").unwrap();
        assert_eq!(take(top.path(), &journal).unwrap(), ["vendor", "go.mod"]);
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
