//! Putting the copy in the real file's place in one step, so that what was there can be
//! looked at afterwards: a writer may have slipped in, or may still have it open.

use std::fs::File;
use std::io;

use super::copy::{Copy, Place};
use super::envfile::open;

#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as os;
#[cfg(target_vendor = "apple")]
use macos as os;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    windows
)))]
use plain as os;
#[cfg(windows)]
use windows as os;

/// What came of it.
#[derive(Debug)]
pub(super) enum Swapped {
    /// The copy is the file now. What it took the place of is open here; it has no name any
    /// more and is gone once this is dropped.
    Done(Option<File>),
    /// Somebody made, removed or replaced the file in between; nothing was changed.
    Moved,
}

/// Puts the copy in the file's place; `replaces`: there is a file that it takes the place of.
pub(super) fn swap(copy: &mut Copy, place: &Place, replaces: bool) -> io::Result<Swapped> {
    copy.let_go()?;
    if !replaces {
        return match os::rename_new(&copy.path, &place.path) {
            Ok(()) => {
                copy.is_gone();
                Ok(Swapped::Done(None))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Swapped::Moved),
            Err(error) => Err(error),
        };
    }
    // Open before it is moved: where two names cannot be exchanged this is the way to look
    // at the old file afterwards.
    let old = match open(&place.path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Moved),
        Err(error) => return Err(error),
    };
    match os::exchange(&copy.path, &place.path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Moved),
        Err(error) if is_unsupported(&error) => {
            std::fs::rename(&copy.path, &place.path)?;
            copy.is_gone();
            return Ok(Swapped::Done(Some(old)));
        }
        Err(error) => return Err(error),
    }
    // The copy's name is the old file's now, whatever that has become since.
    if std::fs::symlink_metadata(&copy.path).is_ok_and(|meta| !meta.is_file()) {
        os::exchange(&copy.path, &place.path)?;
        return Ok(Swapped::Moved);
    }
    let displaced = open(&copy.path).unwrap_or(old);
    let _ = std::fs::remove_file(&copy.path);
    copy.is_gone();
    Ok(Swapped::Done(Some(displaced)))
}

/// Takes the file away; `None`: there was none. It is gone once this is dropped.
pub(super) fn take_away(place: &Place, beside: &mut Copy) -> io::Result<Option<File>> {
    beside.let_go()?;
    match std::fs::rename(&place.path, &beside.path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let taken = open(&beside.path);
    let _ = std::fs::remove_file(&beside.path);
    beside.is_gone();
    taken.map(Some)
}

/// Is nobody left who could still write to this file, which has no name any more?
/// `None`: this system does not tell.
pub(super) fn is_final(file: &File) -> Option<bool> {
    os::is_final(file)
}

/// NFS, FAT and old kernels cannot exchange two names.
fn is_unsupported(error: &io::Error) -> bool {
    #[cfg(unix)]
    let known = matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::ENOSYS | libc::ENOTSUP)
    );
    #[cfg(not(unix))]
    let known = false;
    known || error.kind() == io::ErrorKind::Unsupported
}

#[cfg(unix)]
fn two_names(
    a: &std::path::Path,
    b: &std::path::Path,
) -> io::Result<(std::ffi::CString, std::ffi::CString)> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    let name = |path: &Path| std::ffi::CString::new(path.as_os_str().as_bytes());
    Ok((name(a)?, name(b)?))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::path::Path;

    /// fcntl(2); the same number on every architecture. Not in libc for gnu.
    const F_SETSIG: libc::c_int = 10;

    pub(super) fn exchange(a: &Path, b: &Path) -> io::Result<()> {
        rename(a, b, libc::RENAME_EXCHANGE)
    }

    pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
        match rename(from, to, libc::RENAME_NOREPLACE) {
            Err(error) if super::is_unsupported(&error) => {
                std::fs::hard_link(from, to).and_then(|()| std::fs::remove_file(from))
            }
            result => result,
        }
    }

    /// A read lease is granted only while nobody has the file open for writing (fcntl(2)).
    pub(super) fn is_final(file: &File) -> Option<bool> {
        let fd = file.as_raw_fd();
        // Should a writer open it while the lease is held, a signal is sent: one that is
        // ignored by default instead of SIGIO, which ends the process.
        // SAFETY: fcntl with these commands takes integers only, and `file` keeps fd open.
        unsafe {
            libc::fcntl(fd, F_SETSIG, libc::SIGURG);
            if libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK) == 0 {
                libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK);
                return Some(true);
            }
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EAGAIN) => Some(false),
            Some(_) | None => None,
        }
    }

    fn rename(a: &Path, b: &Path, flags: libc::c_uint) -> io::Result<()> {
        let (a, b) = super::two_names(a, b)?;
        // By number: musl has no renameat2 of its own before 1.2.6.
        // SAFETY: both names are nul-terminated strings that outlive the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                libc::AT_FDCWD,
                a.as_ptr(),
                libc::AT_FDCWD,
                b.as_ptr(),
                flags,
            )
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(target_vendor = "apple")]
mod macos {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn exchange(a: &Path, b: &Path) -> io::Result<()> {
        rename(a, b, libc::RENAME_SWAP)
    }

    pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
        match rename(from, to, libc::RENAME_EXCL) {
            Err(error) if super::is_unsupported(&error) => {
                std::fs::hard_link(from, to).and_then(|()| std::fs::remove_file(from))
            }
            result => result,
        }
    }

    pub(super) fn is_final(_: &File) -> Option<bool> {
        None
    }

    fn rename(a: &Path, b: &Path, flags: libc::c_uint) -> io::Result<()> {
        let (a, b) = super::two_names(a, b)?;
        // SAFETY: both names are nul-terminated strings that outlive the call.
        match unsafe { libc::renamex_np(a.as_ptr(), b.as_ptr(), flags) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Other systems: a plain rename, and the old file is looked at through its open handle.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    windows
)))]
mod plain {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to).and_then(|()| std::fs::remove_file(from))
    }

    pub(super) fn is_final(_: &File) -> Option<bool> {
        None
    }
}

#[cfg(windows)]
mod windows {
    use std::fs::File;
    use std::io;
    use std::os::windows::ffi::OsStrExt as _;
    use std::path::Path;

    use windows_sys::Win32::Storage::FileSystem::{
        MOVEFILE_WRITE_THROUGH, MoveFileExW, REPLACEFILE_IGNORE_MERGE_ERRORS, ReplaceFileW,
    };

    /// `ReplaceFileW` gives the old file the backup's name, which is then the copy's.
    pub(super) fn exchange(copy: &Path, file: &Path) -> io::Result<()> {
        let backup = copy.with_extension("old");
        let (copy_name, file_name, backup_name) = (wide(copy), wide(file), wide(&backup));
        // SAFETY: all three are nul-terminated wide strings that outlive the call; the two
        // reserved pointers must be null.
        let done = unsafe {
            ReplaceFileW(
                file_name.as_ptr(),
                copy_name.as_ptr(),
                backup_name.as_ptr(),
                REPLACEFILE_IGNORE_MERGE_ERRORS,
                std::ptr::null(),
                std::ptr::null(),
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        std::fs::rename(backup, copy)
    }

    pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (wide(from), wide(to));
        // SAFETY: both are nul-terminated wide strings that outlive the call.
        match unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), MOVEFILE_WRITE_THROUGH) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    pub(super) fn is_final(_: &File) -> Option<bool> {
        None
    }

    fn wide(path: &Path) -> Vec<u16> {
        path.as_os_str().encode_wide().chain([0]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Copy, Place, Swapped, swap, take_away};
    use crate::gocmd::envfile::read_open;

    fn place(content: Option<&str>) -> (tempfile::TempDir, PathBuf, Place) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let place = Place::resolve(&path).unwrap();
        (folder, path, place)
    }

    fn count(folder: &tempfile::TempDir) -> usize {
        std::fs::read_dir(folder.path()).unwrap().count()
    }

    #[test]
    fn what_was_there_can_be_looked_at_afterwards() {
        let (folder, path, place) = place(Some("old"));
        let mut copy = Copy::new(&place, b"new").unwrap();
        std::fs::write(&path, "slipped in").unwrap();
        let Swapped::Done(Some(old)) = swap(&mut copy, &place, true).unwrap() else {
            panic!("nothing was displaced");
        };
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(read_open(&old).unwrap(), b"slipped in");
        drop((copy, old));
        assert_eq!(count(&folder), 1);
    }

    #[test]
    fn a_file_that_appeared_or_vanished_is_not_overwritten() {
        let (folder, path, nowhere) = place(None);
        let mut copy = Copy::new(&nowhere, b"new").unwrap();
        assert!(matches!(
            swap(&mut copy, &nowhere, true).unwrap(),
            Swapped::Moved
        ));
        assert!(!path.exists());
        std::fs::write(&path, "theirs").unwrap();
        assert!(matches!(
            swap(&mut copy, &nowhere, false).unwrap(),
            Swapped::Moved
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            swap(&mut copy, &nowhere, false).unwrap(),
            Swapped::Done(None)
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        drop(copy);
        assert_eq!(count(&folder), 1);
    }

    #[test]
    fn what_is_taken_away_can_be_looked_at_too() {
        let (folder, path, place) = place(Some("old"));
        let mut copy = Copy::new(&place, b"").unwrap();
        let old = take_away(&place, &mut copy).unwrap().unwrap();
        assert!(!path.exists());
        assert_eq!(read_open(&old).unwrap(), b"old");
        drop((copy, old));
        assert_eq!(count(&folder), 0);
    }
}
