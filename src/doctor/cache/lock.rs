//! The locks that go takes: `cache/download/MODULE/@v/VERSION.lock` while it fetches or unpacks
//! a version (`modfetch/cache.go:lockVersion`), a checksum database's files themselves
//! (`lockedfile.Edit`). Both are flock, on Windows LockFileEx, as the standard library's are.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::bounded;

/// A go that fetches holds its lock as long as the server pleases.
const PATIENCE: Duration = Duration::from_secs(10);
/// In between somebody else may get it.
const PACE: Duration = Duration::from_millis(20);

/// Takes go's lock on a version; made where there is none, as go makes it.
///
/// # Errors
/// When it cannot be opened, or another go command holds it for 10 s.
pub(super) fn version(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    wait(bounded::open_lock(&options, path)?)
}

/// Takes the lock on a file that is there: one that go writes in its place, or a lock of its own.
///
/// # Errors
/// The same.
pub(super) fn file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let both = bounded::open_lock(options.read(true).write(true), path);
    // A lock needs no right to write, except on NFS.
    let file = both.or_else(|_| bounded::open_lock(OpenOptions::new().read(true), path))?;
    wait(file)
}

fn wait(file: File) -> io::Result<File> {
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(PACE),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other(
                    "another go command works on it; end that one, or try again later",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
