//! The system calls under the swap: exchanging two names, giving a file a new name only if that
//! name is free, and checking which programs still have a file open.

use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use flagged as os;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    windows
)))]
use plain as os;
#[cfg(windows)]
use windows as os;

/// fcntl(2); the same number on every architecture. Not in libc for gnu.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) const F_SETSIG: libc::c_int = 10;

/// Exchanges the names of two files in one step.
pub(crate) fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    os::exchange(a, b)
}

/// Gives a file a new name, unless the name exists.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match os::rename_new(from, to) {
        Err(error) if is_unsupported(&error) => {
            std::fs::hard_link(from, to).and_then(|()| std::fs::remove_file(from))
        }
        result => result,
    }
}

/// Reports whether no program can still write to this file, which has no name any more. `None`:
/// this system does not say.
pub(super) fn is_final(file: &File) -> Option<bool> {
    // A read lease is granted only while no program has the file open for writing (fcntl(2)).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let fd = std::os::fd::AsRawFd::as_raw_fd(file);
        // If a writer opens it while the lease is held, the kernel sends a signal. SIGURG is
        // ignored by default, unlike SIGIO, which would end the process.
        // SAFETY: fcntl with these commands takes integers only, and `file` keeps fd open.
        unsafe {
            libc::fcntl(fd, F_SETSIG, libc::SIGURG);
            if libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK) == 0 {
                libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK);
                return Some(true);
            }
        }
        let busy = io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN);
        busy.then_some(false)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = file;
        None
    }
}

/// Reports whether the error says that names cannot be exchanged: NFS, FAT and old kernels cannot.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    #[cfg(unix)]
    let known = matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::ENOSYS | libc::ENOTSUP)
    );
    #[cfg(not(unix))]
    let known = false;
    known || error.kind() == io::ErrorKind::Unsupported
}

/// Linux and macOS have a rename that takes flags.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod flagged {
    use std::io;
    use std::path::Path;

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    pub(super) fn exchange(a: &Path, b: &Path) -> io::Result<()> {
        Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
    }

    pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
        Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
    }
}

/// Other systems: a plain rename; the old file is read through its open handle.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    windows
)))]
mod plain {
    use std::io;
    use std::path::Path;

    pub(super) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn rename_new(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Windows: `ReplaceFileW` and `MoveFileExW`.
#[cfg(windows)]
mod windows {
    use std::io;
    use std::os::windows::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use windows_sys::Win32::Foundation::{
        ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_UNABLE_TO_MOVE_REPLACEMENT,
        ERROR_UNABLE_TO_MOVE_REPLACEMENT_2, ERROR_UNABLE_TO_REMOVE_REPLACED,
    };
    use windows_sys::Win32::Storage::FileSystem::{
        MOVEFILE_WRITE_THROUGH, MoveFileExW, ReplaceFileW,
    };

    /// go opens the file in such a way that it cannot be renamed for some microseconds (no
    /// `FILE_SHARE_DELETE` in syscall.Open); virus scanners keep new files open for longer. go
    /// itself tries for two seconds (`arbitraryTimeout` in `cmd/internal/robustio`), which a busy
    /// machine may need for one process to end.
    const TRIES: u32 = 1000;
    const BETWEEN_TRIES: Duration = Duration::from_millis(5);
    /// The errors of this situation, for the file or for the copy; after each of them both still
    /// have their names (documented at ReplaceFile). "Access denied" is one of them, too
    /// (`cmd/internal/robustio`).
    const HELD: [u32; 5] = [
        ERROR_SHARING_VIOLATION,
        ERROR_ACCESS_DENIED,
        ERROR_UNABLE_TO_REMOVE_REPLACED,
        ERROR_UNABLE_TO_MOVE_REPLACEMENT,
        // Once the old file has its name again.
        ERROR_UNABLE_TO_MOVE_REPLACEMENT_2,
    ];

    /// `ReplaceFileW` gives the old file the backup's name; then that becomes the copy's name.
    pub(super) fn exchange(copy: &Path, file: &Path) -> io::Result<()> {
        let backup = backup_name(copy);
        patiently(|| {
            let replaced = replace(file, copy, &backup);
            if let Err(error) = &replaced
                && is(error, ERROR_UNABLE_TO_MOVE_REPLACEMENT_2)
            {
                // It stopped halfway: the old file has the backup's name, and its own name is free.
                patiently(|| rename_new(&backup, file))?;
            }
            replaced
        })?;
        patiently(|| std::fs::rename(&backup, copy))
    }

    /// Fails with `AlreadyExists` if the target exists: an existing file is never replaced.
    pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (wide(from), wide(to));
        // SAFETY: both are nul-terminated wide strings that outlive the call.
        match unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), MOVEFILE_WRITE_THROUGH) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    fn replace(file: &Path, copy: &Path, backup: &Path) -> io::Result<()> {
        let (file, copy, backup) = (wide(file), wide(copy), wide(backup));
        // SAFETY: all three are nul-terminated wide strings that outlive the call; the two
        // reserved pointers must be null.
        let done = unsafe {
            ReplaceFileW(
                file.as_ptr(),
                copy.as_ptr(),
                backup.as_ptr(),
                // Without REPLACEFILE_IGNORE_MERGE_ERRORS: the access list is preserved, or the
                // call fails.
                0,
                std::ptr::null(),
                std::ptr::null(),
            )
        };
        match done {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Retries while another program has the file open.
    fn patiently(mut change: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        for _ in 1..TRIES {
            match change() {
                Err(error) if HELD.iter().any(|code| is(&error, *code)) => {
                    std::thread::sleep(BETWEEN_TRIES);
                }
                done => return done,
            }
        }
        change()
    }

    fn is(error: &io::Error, code: u32) -> bool {
        error.raw_os_error() == Some(code.cast_signed())
    }

    /// Begins as the copy's name does, so that one that is left behind is removed like a copy.
    fn backup_name(copy: &Path) -> PathBuf {
        let mut name = copy.as_os_str().to_owned();
        name.push(".old");
        PathBuf::from(name)
    }

    /// Returns the path in the form that the calls above require. Beyond `MAX_PATH` they accept a
    /// path only with the prefix that says to use it unchanged; std does the same for its own
    /// calls.
    fn wide(path: &Path) -> Vec<u16> {
        const MOST: usize = 247;
        let units = |path: &Path| path.as_os_str().encode_wide().collect::<Vec<u16>>();
        let mut path = match std::path::absolute(path) {
            Ok(whole) if units(&whole).len() > MOST => units(&whole),
            _ => return units(path).into_iter().chain([0]).collect(),
        };
        let starts = |with: &str| path.starts_with(&with.encode_utf16().collect::<Vec<u16>>());
        let (as_it_stands, share) = (starts(r"\\?\") || starts(r"\\.\"), starts(r"\\"));
        let before = match (as_it_stands, share) {
            (true, _) => "",
            (false, true) => {
                path.drain(..2);
                r"\\?\UNC\"
            }
            (false, false) => r"\\?\",
        };
        before.encode_utf16().chain(path).chain([0]).collect()
    }

    #[cfg(test)]
    mod tests {
        use std::fs::{self, OpenOptions};
        use std::os::windows::fs::OpenOptionsExt as _;

        use super::*;

        fn folder() -> (tempfile::TempDir, PathBuf, PathBuf) {
            let folder = tempfile::tempdir().unwrap();
            let (file, copy) = (
                folder.path().join("env"),
                folder.path().join(".env.goroam-1"),
            );
            fs::write(&file, "old").unwrap();
            fs::write(&copy, "new").unwrap();
            (folder, file, copy)
        }

        #[test]
        fn two_files_change_places_and_nothing_else_is_left() {
            let (folder, file, copy) = folder();
            exchange(&copy, &file).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "new");
            assert_eq!(fs::read_to_string(&copy).unwrap(), "old");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        }

        #[test]
        fn nothing_is_moved_over_a_file_that_is_there() {
            let (_folder, file, copy) = folder();
            let error = rename_new(&copy, &file).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&file).unwrap(), "old");
            let missing = exchange(&copy, &file.with_file_name("none")).unwrap_err();
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        }

        #[test]
        fn a_path_that_is_longer_than_windows_takes_is_taken_as_it_stands() {
            let (folder, ..) = folder();
            let deep = folder
                .path()
                .join("a-folder-whose-name-takes-room/".repeat(9));
            fs::create_dir_all(&deep).unwrap();
            let (file, copy) = (deep.join("env"), deep.join(".env.goroam-1"));
            fs::write(&copy, "new").unwrap();
            rename_new(&copy, &file).unwrap();
            fs::write(&copy, "newer").unwrap();
            exchange(&copy, &file).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "newer");
            let said = |path: &str| String::from_utf16(&wide(Path::new(path))).unwrap();
            let long = "a".repeat(250);
            assert_eq!(said(r"C:\a"), "C:\\a\0");
            assert_eq!(said(&format!(r"C:\{long}")), format!("\\\\?\\C:\\{long}\0"));
            let share = format!(r"server\share\{long}");
            assert_eq!(
                said(&format!(r"\\{share}")),
                format!("\\\\?\\UNC\\{share}\0")
            );
            let whole = format!(r"\\?\C:\{long}");
            assert_eq!(said(&whole), format!("{whole}\0"));
        }

        #[test]
        fn a_file_that_another_program_has_open_is_waited_for() {
            let (_folder, file, copy) = folder();
            // FILE_SHARE_READ | FILE_SHARE_WRITE, as go opens it.
            let held = OpenOptions::new()
                .read(true)
                .share_mode(3)
                .open(&file)
                .unwrap();
            std::thread::scope(|scope| {
                let exchanged = scope.spawn(|| exchange(&copy, &file));
                std::thread::sleep(BETWEEN_TRIES * 3);
                drop(held);
                exchanged.join().unwrap().unwrap();
            });
            assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        }
    }
}
