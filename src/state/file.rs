//! Private directories and files, atomic replacement of a file, and lock files. The path of a lock
//! may hold anything: a pipe or a device is refused, and the wait for a lock is bounded.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::bounded;
use crate::trust;

/// Creates the directory (0700) with its parents, and restricts its mode if it is more open.
///
/// # Errors
/// If it cannot be created, is not a directory, or belongs to another user.
pub fn private_folder(path: &Path) -> io::Result<()> {
    make_folders(path).map_err(|error| named(path, &error))?;
    tighten(path).map_err(|error| named(path, &error))
}

/// Writes the whole file (0600) or leaves it unchanged: a temporary file beside it, fsync, rename.
///
/// # Errors
/// If any step fails; the old file is then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    swap_in(path, bytes, false)
}

/// Does the same for a file that other programs read (0644): a unit, a plist. Missing directories
/// are created (0700, as the XDG base directory specification requires). `Ok(false)`: the file
/// already had this content.
///
/// # Errors
/// If any step fails; the old file is then still there.
pub fn replace_readable(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if bounded::read(path, bytes.len() as u64).is_ok_and(|now| now == bytes) {
        return Ok(false);
    }
    make_folders(path.parent().unwrap_or(Path::new(".")))?;
    swap_in(path, bytes, true)?;
    Ok(true)
}

/// Does the same for a file that other programs watch, in a directory that exists.
///
/// # Errors
/// If any step fails; the old file is then still there.
pub fn replace_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    swap_in(path, bytes, true)
}

fn swap_in(path: &Path, bytes: &[u8], readable: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.new-");
    sweep(folder, &prefix);
    // tempfile creates it with mode 0600, exclusively, and removes it on every error.
    let mut file = tempfile::Builder::new()
        .prefix(&prefix)
        .tempfile_in(folder)?;
    // The lock distinguishes a file in use from one that a killed goroam left; not every file
    // system has locks.
    #[cfg(unix)]
    let _ = file.as_file().try_lock_shared();
    file.write_all(bytes)?;
    #[cfg(unix)]
    if readable {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
    }
    // On this system the directory determines who may read a file.
    #[cfg(not(unix))]
    let _ = readable;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder);
    Ok(())
}

/// Writes a file (0600) that a user will edit: the whole file or nothing. An existing file or link
/// is never replaced; the result is then `Ok(false)`. Missing directories are created (0700, as the
/// XDG base directory specification requires).
///
/// # Errors
/// If any step fails.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let path = std::path::absolute(path)?;
    let folder = path.parent().unwrap_or(&path);
    make_folders(folder)?;
    // Created with mode 0600. No umask makes that writable for others, which goroam would refuse.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(true),
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(refused) => Err(refused.error),
    }
}

fn make_folders(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Reads a file of goroam's own, at most `most` bytes; `Ok(None)` if there is none.
///
/// # Errors
/// If it cannot be read, is longer, or is not a file; `PermissionDenied` if another user owns it or
/// may write to it.
pub fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match bounded::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    trust::file(path, &file.metadata()?)
        .map_err(|why| io::Error::new(io::ErrorKind::PermissionDenied, why))?;
    bounded::read_open(&file, most).map(Some)
}

/// Writes the directory's entries to the disk. Not every system supports that, and the file is
/// right in any case.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = bounded::open_folder(folder) {
        let _ = folder.sync_all();
    }
}

/// Removes the leftovers of killed writers.
fn sweep(folder: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_left = name.to_str().is_some_and(|name| name.starts_with(prefix))
            && bounded::open_no_link(&entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if cfg!(unix) && is_left {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes a file, even if it is read-only (Windows).
///
/// # Errors
/// If it cannot be removed.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        #[cfg(windows)]
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            writable(path)?;
            std::fs::remove_file(path)
        }
        done => done,
    }
}

/// Removes a directory as go does (`modfetch/fetch.go:RemoveAll`): directories in the cache are
/// read-only.
///
/// # Errors
/// If one of its files cannot be removed.
pub fn remove_tree(folder: &Path) -> io::Result<()> {
    writable(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Removes a link itself, never its target.
        match entry.file_type()?.is_dir() {
            true => remove_tree(&entry.path())?,
            false => remove_file(&entry.path())?,
        }
    }
    std::fs::remove_dir(folder)
}

fn writable(path: &Path) -> io::Result<()> {
    let mut permissions = std::fs::symlink_metadata(path)?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        permissions.set_mode(permissions.mode() | 0o700);
    }
    #[cfg(not(unix))]
    #[expect(
        clippy::permissions_set_readonly_false,
        reason = "what it warns of is Unix alone"
    )]
    permissions.set_readonly(false);
    std::fs::set_permissions(path, permissions)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(unix)]
fn tighten(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let meta = std::fs::metadata(path)?;
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "belongs to uid {}, but goroam runs as uid {me}; run it as that user or move the folder away",
                meta.uid()
            ),
        ));
    }
    if meta.mode() & 0o077 != 0 {
        let private = std::fs::Permissions::from_mode(meta.mode() & 0o700);
        std::fs::set_permissions(path, private)?;
    }
    Ok(())
}

/// On Windows a user's own directories are already private.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
fn tighten(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The interval between two tries.
const PACE: Duration = Duration::from_millis(10);

/// Opens a lock file, and creates it (0600) if there is none.
///
/// # Errors
/// If that is not possible, or if something other than a regular file is at the path.
pub fn open_lock(path: &Path) -> io::Result<File> {
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

/// Takes the lock, exclusively or shared with other readers, within the given time.
///
/// # Errors
/// `TimedOut`, or if the file system has no locks.
pub fn lock_within(file: &File, alone: bool, most: Duration) -> io::Result<()> {
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

/// Reports whether the error says that the file system has no locks (NFS without a lock daemon).
pub fn has_no_locks(error: &io::Error) -> bool {
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

/// Reports whether this open file is still the one at the path.
pub fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;

        let (Ok(own), Ok(there)) = (file.metadata(), std::fs::symlink_metadata(path)) else {
            return false;
        };
        (own.dev(), own.ino()) == (there.dev(), there.ino())
    }
    // An open file cannot be replaced on this system.
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::{private_folder, read, replace};

    #[test]
    fn a_folder_is_made_private_and_an_open_one_is_tightened() {
        let root = tempfile::tempdir().unwrap();
        let (parent, folder) = (root.path().join("a"), root.path().join("a/b"));
        private_folder(&folder).unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&parent), mode(&folder)), (0o700, 0o700));
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&folder, open).unwrap();
        private_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn a_file_in_its_place_and_a_foreign_folder_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("f");
        std::fs::write(&file, "").unwrap();
        assert!(private_folder(&file).is_err());
        if std::os::unix::fs::chown(root.path(), Some(1000), None).is_err() {
            println!("skipped: only root can give a folder away");
            return;
        }
        let said = private_folder(root.path()).unwrap_err().to_string();
        assert!(said.contains("belongs to uid 1000"), "{said}");
    }

    #[test]
    fn a_replaced_file_is_private_and_leftovers_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state.json");
        std::fs::write(&path, "old").unwrap();
        std::fs::write(root.path().join(".state.json.new-killed"), "half").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("d");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("x"), "").unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_others_could_have_written_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state.json");
        replace(&path, b"{}").unwrap();
        assert!(read(&path, 5).unwrap().is_some());
        let open = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&path, open).unwrap();
        let said = read(&path, 5).unwrap_err().to_string();
        assert!(said.contains("others may write to it"), "{said}");
    }

    #[test]
    fn reading_is_bounded() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("big");
        assert_eq!(read(&path, 4).unwrap(), None);
        std::fs::write(&path, "12345").unwrap();
        assert!(read(&path, 4).is_err());
        assert_eq!(
            read(&path, 5).unwrap().as_deref(),
            Some(b"12345".as_slice())
        );
        assert!(read(root.path(), 5).is_err());
    }
}

#[cfg(test)]
#[cfg(unix)]
mod lock_tests {
    use std::time::Duration;

    use super::{is_at, lock_within as within, open_lock as open};

    #[test]
    fn a_lock_that_is_held_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (first, second) = (open(&path).unwrap(), open(&path).unwrap());
        within(&first, true, Duration::ZERO).unwrap();
        within(&second, true, Duration::ZERO).unwrap_err();
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
