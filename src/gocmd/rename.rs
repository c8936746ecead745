//! The system calls under the swap: exchanging two names, giving a file a new name only where
//! there is none yet, and asking who still has a file open.

use std::fs::File;
use std::io;
use std::path::Path;

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

/// fcntl(2); the same number on every architecture. Not in libc for gnu.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) const F_SETSIG: libc::c_int = 10;

/// Exchanges the names of two files in one step.
pub(crate) fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    os::exchange(a, b)
}

/// Gives a file a new name, unless there is something of that name.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    os::rename_new(from, to)
}

/// Is nobody left who could still write to this file, which has no name any more?
/// `None`: this system does not tell.
pub(super) fn is_final(file: &File) -> Option<bool> {
    os::is_final(file)
}

/// NFS, FAT and old kernels cannot exchange two names.
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

#[cfg(unix)]
fn two_names(a: &Path, b: &Path) -> io::Result<(std::ffi::CString, std::ffi::CString)> {
    use std::os::unix::ffi::OsStrExt as _;

    let name = |path: &Path| std::ffi::CString::new(path.as_os_str().as_bytes());
    Ok((name(a)?, name(b)?))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::path::Path;

    use super::F_SETSIG;

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
#[path = "rename_windows.rs"]
mod windows;
