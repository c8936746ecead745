//! Ensures that there is one agent for a go env file, even if the environments of two processes
//! name different directories. There are three locks: one beside the state, named after the file;
//! one in go's own directory, which is not cleaned up; and one in the runtime directory, which
//! older agents check. A file with more than one name is also locked itself, since the other locks
//! depend on the name. The kernel releases the locks however the agent ends.

use std::fs::{File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::warn;

use super::error::Error;
use crate::bounded;
use crate::gomod::sum::sha256_hex;
use crate::paths::Paths;
use crate::state::file::{has_no_locks, is_at, lock_within, open_lock, private_folder};

/// A command that checks for an agent holds a lock for a moment; taking a lock waits this long.
const LOOKS: Duration = Duration::from_millis(200);

/// Held while the agent runs.
#[derive(Debug)]
pub(crate) struct SingleInstance {
    /// Lock files and their paths.
    held: Vec<(PathBuf, File)>,
    /// go's own directory; `None` if it does not exist yet or cannot be locked.
    folder: Option<File>,
    /// The go env file, while it has more than one name.
    linked: Option<File>,
    env_file: PathBuf,
}

impl SingleInstance {
    /// Takes the locks.
    ///
    /// # Errors
    /// When another agent holds one of them, or a file cannot be created.
    pub(crate) fn take(paths: &Paths, env_file: &Path) -> Result<SingleInstance, Error> {
        let beside = lock_beside_state(paths, env_file);
        let mut single = SingleInstance {
            held: Vec::new(),
            folder: None,
            linked: None,
            env_file: env_file.to_owned(),
        };
        let second = |path: &Path| Error::SecondAgent { pid: pid_in(path) };
        for path in [beside.clone(), paths.agent_lock()] {
            match lock_file(&path) {
                Ok(Some(file)) => single.held.push((path, file)),
                Ok(None) => return Err(second(&path)),
                // The other locks protect the file then.
                Err(error) if has_no_locks(&error) => {}
                Err(error) => {
                    return Err(Error::state(format!("cannot lock {}", path.display()))(
                        error,
                    ));
                }
            }
        }
        if !single.take_folder() || !single.take_linked() {
            return Err(second(&beside));
        }
        for (path, file) in &single.held {
            sign(file).map_err(Error::state(format!("cannot write {}", path.display())))?;
        }
        Ok(single)
    }

    /// Checks that the lock files are still in place, and creates them again if the directory was
    /// cleaned up. Costs a system call for each.
    pub(crate) fn keep(&mut self) {
        let alone = self.folder.is_some() || self.take_folder();
        if !self.take_linked() || !alone {
            warn!("another agent manages {}", self.env_file.display());
        }
        for (path, file) in &mut self.held {
            if is_at(file, path) {
                continue;
            }
            let again = lock_file(path);
            match again.and_then(|again| again.map(|file| sign(&file).map(|()| file)).transpose()) {
                Ok(Some(again)) => *file = again,
                Ok(None) => warn!("another agent holds {}", path.display()),
                Err(error) => warn!("{} was removed: {error}", path.display()),
            }
        }
    }

    /// The files that must stay in place.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.held.iter().map(|(path, _)| path)
    }

    /// Locks a file that has more than one name. False: another agent holds it, by another name.
    fn take_linked(&mut self) -> bool {
        let is_held = |file: &File| is_at(file, &resolved(&self.env_file));
        if self.linked.as_ref().is_some_and(is_held) {
            return true;
        }
        let linked = linked(&self.env_file);
        let taken = linked.as_ref().map(take_patiently);
        // If the file system has no locks, no other agent can hold one either.
        self.linked = linked.filter(|_| matches!(taken, Some(Ok(true))));
        !matches!(taken, Some(Ok(false)))
    }

    /// Locks go's own directory. False: another agent holds it.
    fn take_folder(&mut self) -> bool {
        let folder = own_folder(&self.env_file);
        let taken = folder.as_ref().map(take_patiently);
        self.folder = folder.filter(|_| matches!(taken, Some(Ok(true))));
        !matches!(taken, Some(Ok(false)))
    }
}

/// Returns the process ID of the agent that manages this go env file, 0 if it is unknown, `None` if
/// there is no agent.
pub(crate) fn running(paths: &Paths, env_file: &Path) -> Option<u32> {
    let beside = lock_beside_state(paths, env_file);
    let file = std::fs::symlink_metadata(&beside).ok();
    let file = file.filter(std::fs::Metadata::is_file);
    let file = file.and_then(|_| open_lock(&beside).ok());
    let is_held = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let held = file.is_some_and(is_held)
        || own_folder(env_file).is_some_and(is_held)
        || linked(env_file).is_some_and(is_held);
    held.then(|| pid_in(&beside))
}

/// `agent-0123456789abcdef.lock`, named after the resolved path: a home directory with two names is
/// one home directory.
fn lock_beside_state(paths: &Paths, env_file: &Path) -> PathBuf {
    let path = resolved(env_file);
    let mut name = sha256_hex(path.as_os_str().as_encoded_bytes());
    name.truncate(16);
    paths.state.join(format!("agent-{name}.lock"))
}

/// The path without links, resolved up to the part that exists.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => resolved(folder).join(name),
        _ => path.to_owned(),
    }
}

/// Opens the directory of the go env file for a lock, if it is go's own (`…/go/env`) and holds
/// nothing else. Runtime and state directories get cleaned up; that one does not.
fn own_folder(env_file: &Path) -> Option<File> {
    let path = resolved(env_file);
    let folder = path.parent()?;
    if !cfg!(unix) || path.file_name()? != "env" || folder.file_name()? != "go" {
        return None;
    }
    bounded::open_folder(folder).ok()
}

/// Opens the go env file for a lock, if it has more than one name. Such a file is written in place,
/// so it stays the same file; and no program but goroam locks it.
#[cfg(unix)]
fn linked(env_file: &Path) -> Option<File> {
    use std::os::unix::fs::MetadataExt as _;

    let file = bounded::open(env_file).ok()?;
    let names = file.metadata().ok()?.nlink();
    (names > 1).then_some(file)
}

/// On this system a lock would keep go from writing.
#[cfg(not(unix))]
fn linked(_: &Path) -> Option<File> {
    None
}

/// Locks the file. `None`: another agent holds it.
fn lock_file(path: &Path) -> io::Result<Option<File>> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let file = open_lock(path)?;
    Ok(take_patiently(&file)?.then_some(file))
}

fn take_patiently(file: &File) -> io::Result<bool> {
    match lock_within(file, true, LOOKS) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
        taken => taken.map(|()| true),
    }
}

fn sign(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn pid_in(path: &Path) -> u32 {
    // On Windows a locked file cannot be read; then the pid stays unknown.
    let text = bounded::read(path, 16).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().parse().unwrap_or(0)
}

/// The longest time that a turn may take: all tries of every target, and a go command that is slow
/// to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes the lock of a turn without an agent; the kernel releases it however the process ends.
///
/// # Errors
/// When the state directory cannot be used, or another turn takes a minute.
pub(crate) fn take_turn_lock(state: &Path) -> Result<File, Error> {
    let path = state.join("turn.lock");
    let locked = private_folder(state)
        .and_then(|()| open_lock(&path))
        .and_then(|file| lock_within(&file, true, PATIENCE).map(|()| file));
    locked.map_err(Error::state(format!("cannot lock {}", path.display())))
}
