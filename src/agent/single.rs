//! One agent per user: a lock that the kernel gives back however the agent ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::error::Error;
use crate::bounded;
use crate::state::file::private_folder;

/// Held while the agent runs.
#[derive(Debug)]
pub(crate) struct SingleInstance {
    _lock: File,
}

impl SingleInstance {
    /// Takes the lock.
    ///
    /// # Errors
    /// When another agent holds it, or its file cannot be made.
    pub(crate) fn take(path: &Path) -> Result<SingleInstance, Error> {
        let fail = |source: std::io::Error| Error::State {
            what: format!("cannot lock {}", path.display()),
            source: source.into(),
        };
        if let Some(folder) = path.parent() {
            private_folder(folder).map_err(fail)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut lock = bounded::open_lock(&options, path).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Windows lets nobody read a locked file; then the pid stays unknown.
                let _ = lock.take(16).read_to_string(&mut pid);
                return Err(Error::SecondAgent {
                    pid: pid.trim().parse().unwrap_or(0),
                });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        lock.set_len(0).map_err(fail)?;
        lock.rewind().map_err(fail)?;
        writeln!(lock, "{}", std::process::id()).map_err(fail)?;
        Ok(SingleInstance { _lock: lock })
    }
}
