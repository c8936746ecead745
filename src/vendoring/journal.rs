//! The journal of a rollback, written before anything is changed: after a kill the next
//! `goroam vendor …` undoes a rollback that was only begun, or completes one that was decided.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::repo::Repo;
use crate::bounded;
use crate::state::file::replace;

/// How long to wait for another goroam; writing a large vendor/ takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How the name of every stage begins.
pub(super) const STAGE: &str = ".goroam-rollback-";
/// Bytes of a journal that are read.
const MOST: u64 = 8 << 20;

/// A rollback that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RollbackJournal {
    /// The folder beside vendor/ in which the new files are made ready, from the top.
    pub(super) stage: String,
    /// What is being put back, as it was asked for.
    pub(super) target: String,
    /// The ref that keeps what was there; empty until it is decided.
    pub(super) kept: String,
    /// How far it is.
    pub(super) phase: RollbackPhase,
    /// What to put in which place.
    pub(super) steps: Vec<SwapStep>,
    /// When it was decided, by the clock that the file system stamps files with, in nanoseconds.
    pub(super) since: i128,
}

impl RollbackJournal {
    /// Does it name only what a rollback may touch? An unpacked archive can contain a .git with a
    /// journal that names any folder as the stage (which is removed), or that leads out by a link.
    fn is_ours(&self, top: &Path) -> bool {
        let named = |path: &str, is: &dyn Fn(&str) -> bool| {
            let path = Path::new(path);
            let name = path.file_name().and_then(|name| name.to_str());
            let mut place = top.to_owned();
            name.is_some_and(is)
                && path.components().all(is_plain)
                && path.parent().is_none_or(|folder| {
                    folder.iter().all(|part| {
                        place.push(part);
                        !place.is_symlink()
                    })
                })
        };
        named(&self.stage, &|name| name.starts_with(STAGE))
            && !top.join(&self.stage).is_symlink()
            && self.steps.iter().all(|step| {
                named(&step.path, &|name| {
                    if step.folder {
                        name == "vendor"
                    } else {
                        ["go.mod", "go.sum", "go.work", "go.work.sum"].contains(&name)
                    }
                })
            })
    }
}

/// How far a rollback is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RollbackPhase {
    /// The new files are being made ready; nothing has been touched.
    Begun,
    /// The steps are to be taken.
    Decided,
    /// They have been; what is in the stage is only to be removed.
    Done,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SwapStep {
    /// From the top.
    pub(super) path: String,
    /// Is it vendor/? Else it is a file.
    pub(super) folder: bool,
    /// What was there when it was decided: of a folder its identity, of a file its hash.
    pub(super) old: Option<String>,
    /// What will be there.
    pub(super) new: Option<String>,
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
    pub(super) fn acquire(repo: &Repo) -> Result<RollbackLock, Error> {
        let folder = repo.own()?;
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let lock = bounded::open_lock(&options, &path).map_err(|error| Error::io(&path, error))?;
        let end = Instant::now() + PATIENCE;
        while lock.try_lock().is_err() {
            if Instant::now() > end {
                return Err(Error::Failed(format!(
                    "another `goroam vendor` is running in {}",
                    repo.top.display()
                )));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let held = RollbackLock { folder, lock };
        held.sweep();
        Ok(held)
    }

    /// A second handle to the lock, for a child that must hold it too.
    ///
    /// # Errors
    /// When the system gives no more files.
    pub(super) fn for_child(&self) -> Result<File, Error> {
        let again = self.lock.try_clone();
        again.map_err(|error| Error::io(&self.folder, error))
    }

    /// Is there anything besides the lock: a journal, or what a killed goroam left? Does not take
    /// the lock.
    pub(super) fn is_needed(repo: &Repo) -> bool {
        let entries = std::fs::read_dir(repo.git_dir.join("goroam"));
        entries.is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name() != "lock"))
    }

    fn path(&self) -> PathBuf {
        self.folder.join("rollback.json")
    }

    /// The rollback that was interrupted, if any.
    ///
    /// # Errors
    /// When it cannot be read, or goroam did not write it for this work tree.
    pub(super) fn read(&self, top: &Path) -> Result<Option<RollbackJournal>, Error> {
        let path = self.path();
        let bytes = match bounded::read_no_link(&path, MOST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path, error)),
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
    pub(super) fn write(&self, journal: &RollbackJournal) -> Result<(), Error> {
        let path = self.path();
        let bytes =
            serde_json::to_vec(journal).map_err(|error| Error::Failed(error.to_string()))?;
        replace(&path, &bytes).map_err(|error| Error::io(&path, error))
    }

    /// Removes the journal.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(super) fn clear(&self) -> Result<(), Error> {
        let path = self.path();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(&path, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes what killed processes left, except the journal. Only the holder of the lock runs this.
    fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("index-") {
                let _ = std::fs::remove_dir_all(entry.path());
            } else if name.starts_with(".rollback.json.new-") {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

fn is_plain(part: std::path::Component<'_>) -> bool {
    matches!(part, std::path::Component::Normal(_))
}
