//! The locks that go takes: `cache/download/MODULE/@v/VERSION.lock` while it downloads or unpacks a
//! version (`modfetch/cache.go:lockVersion`), and the files of a checksum database themselves
//! (`lockedfile.Edit`). Both use flock, on Windows LockFileEx, as the standard library does.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::bounded;
use crate::state::file::lock_within;

/// Maximum time to wait for a lock: a downloading go holds its lock as long as the server takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes go's lock on a version; creates the lock file if it does not exist, as go does.
///
/// # Errors
/// When it cannot be opened, or another go command holds it for 10 s.
pub(super) fn version(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    wait(bounded::open_lock(&options, path)?)
}

/// Takes the lock on an existing file: one that go writes in place, or a lock file.
///
/// # Errors
/// The same as for `version`.
pub(super) fn file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let both = bounded::open_lock(options.read(true).write(true), path);
    // A lock needs no write permission, except on NFS.
    let file = both.or_else(|_| bounded::open_lock(OpenOptions::new().read(true), path))?;
    wait(file)
}

fn wait(file: File) -> io::Result<File> {
    let locked = lock_within(&file, true, PATIENCE);
    locked.map_err(|error| {
        if error.kind() == io::ErrorKind::TimedOut {
            io::Error::other("another go command works on it; end that one, or try again later")
        } else {
            error
        }
    })?;
    Ok(file)
}
