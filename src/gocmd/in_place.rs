//! Writing the go env file where it is, as `go env -w` does: for files that a copy cannot
//! replace, or not without taking something away from them.
//!
//! On Linux a write lease keeps every other program from opening the file meanwhile, where the
//! file system has leases. Where it has none, one write puts all bytes there; what is longer
//! than the new content is overwritten with empty lines first and cut off after that, so that
//! no reader finds the end of an old line.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::envfile::read_open;
use crate::bounded;

/// Why the file is written in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InPlace {
    /// It has other names, which a replaced file would no longer share.
    HardLinks(u64),
    /// Something is mounted there: this one file, as containers do it.
    MountPoint,
    /// No name can be added to its directory.
    Directory,
    /// A copy cannot be given this attribute of the file.
    Attribute(String),
}

impl fmt::Display for InPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InPlace::HardLinks(count) => write!(f, "it has {count} hard links"),
            InPlace::MountPoint => f.write_str("it is a mount point (bind mount)"),
            InPlace::Directory => f.write_str("its directory cannot be written"),
            InPlace::Attribute(what) => write!(f, "a copy cannot be given its {what}"),
        }
    }
}

impl InPlace {
    /// What was given up, for people.
    pub fn told(&self, path: &Path) -> String {
        format!(
            "{} was written in place: {self}, so a go command that starts in that moment may read \
             half of it",
            path.display()
        )
    }
}

/// Writes `bytes` over the file if it still holds `expect`; `None`: it holds something else, or
/// is not there any more. Returns the file, whose bytes may not be on the disk yet.
///
/// # Errors
/// When it cannot be opened, or written; it then holds what it held before.
pub(super) fn write(path: &Path, expect: &[u8], bytes: &[u8]) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = match bounded::open_lock(&options, path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    {
        let _lease = lease::Lease::take(&file);
        if read_open(&file)? != expect {
            return Ok(None);
        }
        lease::reserve(&file, bytes.len())?;
        if let Err(error) = overwrite(&file, expect.len(), bytes) {
            // Its old length is there already, so this needs no room.
            let _ = overwrite(&file, bytes.len(), expect);
            return Err(error);
        }
        if read_open(&file)? != bytes {
            return Err(io::Error::other("it holds something else than was written"));
        }
    }
    Ok(Some(file))
}

fn overwrite(mut file: &File, old_length: usize, bytes: &[u8]) -> io::Result<()> {
    let mut padded = bytes.to_vec();
    padded.resize(old_length.max(bytes.len()), b'\n');
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&padded)?;
    file.set_len(bytes.len() as u64)
}

#[cfg(target_os = "linux")]
mod lease {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::time::Duration;

    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    use crate::gocmd::rename::F_SETSIG;

    /// Other programs have the file open for well under a millisecond.
    const TRIES: u32 = 20;
    const BETWEEN_TRIES: Duration = Duration::from_millis(1);

    /// Held while the file is written: whoever opens it waits until this is dropped.
    pub(super) struct Lease<'a>(&'a File);

    impl Lease<'_> {
        /// `None`: another program keeps it open, or this file system has no leases (NFS, FUSE).
        pub(super) fn take(file: &File) -> Option<Lease<'_>> {
            let fd = file.as_raw_fd();
            for _ in 0..TRIES {
                // SAFETY: fcntl with these commands takes integers only; `file` keeps fd open.
                let done = unsafe {
                    // A program that waits is announced by a signal: one that is ignored by
                    // default instead of SIGIO, which ends the process.
                    libc::fcntl(fd, F_SETSIG, libc::SIGURG);
                    libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK)
                };
                if done == 0 {
                    return Some(Lease(file));
                }
                if io::Error::last_os_error().raw_os_error() != Some(libc::EAGAIN) {
                    return None;
                }
                std::thread::sleep(BETWEEN_TRIES);
            }
            None
        }
    }

    impl Drop for Lease<'_> {
        fn drop(&mut self) {
            // SAFETY: as above.
            unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
        }
    }

    /// Asks for the room before anything is changed: a full disk must not cost the old content.
    pub(super) fn reserve(file: &File, length: usize) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, length as u64) {
            Err(full @ (Errno::NOSPC | Errno::DQUOT)) => Err(full.into()),
            // Not every file system can.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod lease {
    use std::fs::File;
    use std::io;

    /// Only Linux has leases.
    pub(super) struct Lease;

    impl Lease {
        pub(super) fn take(_: &File) -> Lease {
            Lease
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "must match Linux")]
    pub(super) fn reserve(_: &File, _: usize) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn the_same_file_holds_the_new_bytes_and_nothing_of_the_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        std::fs::write(&path, "GOPROXY=https://a.example\n").unwrap();
        let other = folder.path().join("other");
        std::fs::hard_link(&path, &other).unwrap();
        for bytes in ["GOPROXY=off\n", "GOPROXY=https://b.example,direct\n", ""] {
            let old = std::fs::read(&path).unwrap();
            assert!(write(&path, &old, bytes.as_bytes()).unwrap().is_some());
            assert_eq!(std::fs::read_to_string(&other).unwrap(), bytes);
        }
    }

    #[test]
    fn a_file_that_was_changed_or_removed_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        assert!(write(&path, b"", b"A=b\n").unwrap().is_none());
        std::fs::write(&path, "theirs\n").unwrap();
        assert!(write(&path, b"ours\n", b"A=b\n").unwrap().is_none());
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_reader_that_opens_it_meanwhile_waits_and_sees_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        let texts = ["A=1\n".repeat(4000), "B=22\n".repeat(5000)];
        std::fs::write(&path, &texts[0]).unwrap();
        let ends = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut reads = 0;
                while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                    let text = std::fs::read_to_string(&path).unwrap();
                    assert!(texts.contains(&text), "torn: {} bytes", text.len());
                    reads += 1;
                    // A go command reads once; this one lets go of the file in between.
                    std::thread::park_timeout(std::time::Duration::from_micros(200));
                }
                reads
            });
            for round in 0..400 {
                let (old, new) = (&texts[round % 2], &texts[(round + 1) % 2]);
                while write(&path, old.as_bytes(), new.as_bytes())
                    .unwrap()
                    .is_none()
                {}
            }
            ends.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(reader.join().unwrap() > 0);
        });
    }
}
