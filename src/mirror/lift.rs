//! A file of the module cache, brought into the mirror with as little copying as possible.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::bounded;
use crate::trust;
use serde::Serialize;

/// How a file came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// As a second name of the same file: no space is taken.
    Link,
    /// As a copy that shares its blocks until one of both is changed.
    Reflink,
    /// As a copy.
    Copy,
}

/// Brings `from` to `to`, which must not be there: by hard link, else by reflink, else by copy.
///
/// A file that others than this user and root can write is never linked: they could change it
/// after it has been verified. What this user's own programs do to a linked file changes both
/// names; go never writes to a file in its cache again.
///
/// # Errors
/// When `from` is no file, or `to` cannot be written.
pub(super) fn lift(from: &Path, to: &Path) -> io::Result<How> {
    if std::fs::symlink_metadata(from).is_ok_and(|meta| is_ours_alone(from, &meta))
        && std::fs::hard_link(from, to).is_ok()
    {
        // Looked at again by its new name, which nobody else can exchange.
        if std::fs::symlink_metadata(to).is_ok_and(|meta| is_ours_alone(to, &meta)) {
            return Ok(How::Link);
        }
        std::fs::remove_file(to)?;
    }
    #[cfg(target_os = "macos")]
    if clone_file(from, to).is_ok() {
        return Ok(How::Reflink);
    }
    let mut source = bounded::open_no_link(from)?;
    let mut target = bounded::create_new(to)?;
    if reflink(&source, &target) {
        return Ok(How::Reflink);
    }
    io::copy(&mut source, &mut target)?;
    Ok(How::Copy)
}

fn is_ours_alone(path: &Path, meta: &std::fs::Metadata) -> bool {
    meta.is_file() && trust::file(path, meta).is_ok()
}

#[cfg(target_os = "linux")]
fn reflink(source: &File, target: &File) -> bool {
    use std::os::fd::AsRawFd as _;

    // SAFETY: both descriptors are open for the whole call, and FICLONE takes one by value
    // (ioctl_ficlone(2)). It changes nothing when it fails.
    unsafe { libc::ioctl(target.as_raw_fd(), libc::FICLONE, source.as_raw_fd()) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn reflink(_: &File, _: &File) -> bool {
    false
}

#[cfg(target_os = "macos")]
fn clone_file(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;

    /// `sys/clonefile.h`: a symbolic link is not followed. (It is then cloned as one, which the
    /// look afterwards refuses.)
    const CLONE_NOFOLLOW: u32 = 1;
    let from = std::ffi::CString::new(from.as_os_str().as_bytes())?;
    let name = std::ffi::CString::new(to.as_os_str().as_bytes())?;
    // SAFETY: both are strings that end in NUL and outlive the call.
    if unsafe { libc::clonefile(from.as_ptr(), name.as_ptr(), CLONE_NOFOLLOW) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if std::fs::symlink_metadata(to)?.is_file() {
        return Ok(());
    }
    std::fs::remove_file(to)?;
    Err(io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn what_only_this_user_writes_is_linked_and_the_rest_is_not() {
        let root = tempfile::tempdir().unwrap();
        let from = root.path().join("from");
        std::fs::write(&from, "content").unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&from, mode).unwrap();
        };
        let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
        set(0o644);
        let to = root.path().join("linked");
        assert_eq!(lift(&from, &to).unwrap(), How::Link);
        assert_eq!(inode(&from), inode(&to));
        for (mode, name) in [(0o664, "group"), (0o646, "others")] {
            set(mode);
            let to = root.path().join(name);
            assert_ne!(lift(&from, &to).unwrap(), How::Link, "{name}");
            assert_ne!(inode(&from), inode(&to), "{name}");
            assert_eq!(std::fs::read(&to).unwrap(), b"content");
        }
    }

    #[test]
    fn a_symbolic_link_a_pipe_and_a_folder_are_not_brought() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("link");
        std::fs::write(root.path().join("file"), "x").unwrap();
        symlink("file", &link).unwrap();
        let pipe = root.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for from in [link, pipe, root.path().to_owned()] {
            let to = root.path().join("to");
            assert!(lift(&from, &to).is_err(), "{}", from.display());
            assert!(!to.exists());
        }
    }
}
