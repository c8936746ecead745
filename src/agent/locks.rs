//! One agent for a go env file, whatever the environment says of other folders: a lock beside
//! the state, named by the file; one in go's own folder, which is not cleared away; and one in
//! the runtime folder, which agents of before look at. A file that has more than one name is
//! locked itself, since the locks above go by the name. The kernel gives them back however the
//! agent ends.

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

/// A command that looks whether there is an agent holds a lock for a moment.
const LOOKS: Duration = Duration::from_millis(200);

/// Held while the agent runs.
#[derive(Debug)]
pub(crate) struct SingleInstance {
    /// Lock files by their paths.
    held: Vec<(PathBuf, File)>,
    /// go's own folder; none where it is not there yet, or cannot be locked.
    folder: Option<File>,
    /// The go env file, while it has more than one name.
    linked: Option<File>,
    env_file: PathBuf,
}

impl SingleInstance {
    /// Takes the locks.
    ///
    /// # Errors
    /// When another agent holds one of them, or a file cannot be made.
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
                // The others hold it then.
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

    /// Looks whether the locks are still in their places, and puts them there again where the
    /// folder was cleared. Costs a system call each.
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

    /// The files that must stay in their places.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.held.iter().map(|(path, _)| path)
    }

    /// False: another agent has it, by another name.
    fn take_linked(&mut self) -> bool {
        let is_held = |file: &File| is_at(file, &resolved(&self.env_file));
        if self.linked.as_ref().is_some_and(is_held) {
            return true;
        }
        let linked = linked(&self.env_file);
        let taken = linked.as_ref().map(take_patiently);
        // A file system without locks has none for the others either.
        self.linked = linked.filter(|_| matches!(taken, Some(Ok(true))));
        !matches!(taken, Some(Ok(false)))
    }

    /// False: another agent has it.
    fn take_folder(&mut self) -> bool {
        let folder = own_folder(&self.env_file);
        let taken = folder.as_ref().map(take_patiently);
        self.folder = folder.filter(|_| matches!(taken, Some(Ok(true))));
        !matches!(taken, Some(Ok(false)))
    }
}

/// Does an agent look after this go env file? Its process, 0 if it does not say.
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

/// `agent-0123456789abcdef.lock`, by what the path leads to: a home with two names is one home.
fn lock_beside_state(paths: &Paths, env_file: &Path) -> PathBuf {
    let path = resolved(env_file);
    let mut name = sha256_hex(path.as_os_str().as_encoded_bytes());
    name.truncate(16);
    paths.state.join(format!("agent-{name}.lock"))
}

/// The path without links, as far as there is anything.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => resolved(folder).join(name),
        _ => path.to_owned(),
    }
}

/// The folder of the go env file, open for a lock, where it is go's own (`…/go/env`) and holds
/// no other. Runtime folders and states are cleared away, that one is not.
fn own_folder(env_file: &Path) -> Option<File> {
    let path = resolved(env_file);
    let folder = path.parent()?;
    if !cfg!(unix) || path.file_name()? != "env" || folder.file_name()? != "go" {
        return None;
    }
    bounded::open_folder(folder).ok()
}

/// The go env file, open for a lock, where it has more than one name. It is written in place
/// then, so it stays the same file; and others than goroam do not lock it.
#[cfg(unix)]
fn linked(env_file: &Path) -> Option<File> {
    use std::os::unix::fs::MetadataExt as _;

    let file = bounded::open(env_file).ok()?;
    let names = file.metadata().ok()?.nlink();
    (names > 1).then_some(file)
}

/// A lock would keep go from writing.
#[cfg(not(unix))]
fn linked(_: &Path) -> Option<File> {
    None
}

/// `None`: another agent holds it.
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

/// As long as a turn may take: every target's tries, and a go command that is slow to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lock of a turn without an agent; the kernel gives it back however the process ends.
///
/// # Errors
/// When the state folder cannot be used, or another turn takes a minute.
pub(crate) fn take_turn_lock(state: &Path) -> Result<File, Error> {
    let path = state.join("turn.lock");
    let locked = private_folder(state)
        .and_then(|()| open_lock(&path))
        .and_then(|file| lock_within(&file, true, PATIENCE).map(|()| file));
    locked.map_err(Error::state(format!("cannot lock {}", path.display())))
}
