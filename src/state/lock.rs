//! Lock files. What lies in the place of one may be anything: a pipe or a device is refused, and
//! no lock is waited for without end.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::bounded;

/// Between two tries.
const PACE: Duration = Duration::from_millis(10);

/// Opens a lock file, and makes it (0600) where there is none.
///
/// # Errors
/// When that cannot be done, or something else than a regular file is in its place.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    bounded::open_lock(&options, path).map_err(|error| {
        let in_the_way = std::fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file());
        if in_the_way {
            io::Error::new(error.kind(), format!("{error}; move it away"))
        } else {
            error
        }
    })
}

/// Takes the lock at once, or does not.
///
/// # Errors
/// When the file system has no locks.
pub fn try_alone(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes the lock, alone or with other readers, within a time.
///
/// # Errors
/// `TimedOut`, and when the file system has no locks.
pub fn within(file: &File, alone: bool, most: Duration) -> io::Result<()> {
    let start = Instant::now();
    loop {
        let tried = if alone {
            file.try_lock()
        } else {
            file.try_lock_shared()
        };
        match tried {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if start.elapsed() >= most => {
                let why = format!("another goroam has held it for {} s", most.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PACE),
        }
    }
}

/// Has the file system no locks (NFS without a lock daemon)?
pub fn is_without(error: &io::Error) -> bool {
    if error.kind() == io::ErrorKind::Unsupported {
        return true;
    }
    #[cfg(unix)]
    return matches!(
        error.raw_os_error(),
        Some(libc::ENOLCK | libc::EOPNOTSUPP | libc::EBADF | libc::EINVAL)
    );
    #[cfg(not(unix))]
    false
}

/// Is this open file still the one at the path?
pub fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;

        let (Ok(own), Ok(there)) = (file.metadata(), std::fs::symlink_metadata(path)) else {
            return false;
        };
        (own.dev(), own.ino()) == (there.dev(), there.ino())
    }
    // An open file cannot be replaced there.
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::time::Duration;

    use super::{is_at, open, try_alone, within};

    #[test]
    fn a_lock_that_is_held_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (first, second) = (open(&path).unwrap(), open(&path).unwrap());
        assert!(try_alone(&first).unwrap());
        assert!(!try_alone(&second).unwrap());
        let error = within(&second, false, Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(is_at(&first, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&first, &path));
    }

    #[test]
    fn a_pipe_a_folder_and_a_link_are_no_locks_and_nobody_waits_for_the_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo")
            .arg(place("pipe"))
            .status();
        assert!(made.unwrap().success());
        std::fs::create_dir(place("folder")).unwrap();
        std::os::unix::fs::symlink(place("pipe"), place("link")).unwrap();
        for name in ["pipe", "folder", "link"] {
            let error = open(&place(name)).unwrap_err().to_string();
            assert!(error.contains("move it away"), "{name}: {error}");
        }
    }
}
