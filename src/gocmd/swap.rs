//! Replaces the real file with the copy in one step, so that the old file can be checked
//! afterwards: another program may have written to it meanwhile, or may still have it open.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::copy::{Copy, Place, is_shut};
use super::envfile::read_open;
use super::failure::InPlace;
use super::rename::{self, is_unsupported};
use crate::bounded::{open, open_lock};

/// The result of a swap.
#[derive(Debug)]
pub(super) enum Swapped {
    /// The copy is the file now. The file it replaced is open here; it has no name any more and is
    /// gone when this is dropped.
    Done(Option<File>),
    /// The file is the same as before and holds the copy's bytes, which may not be on the disk yet.
    InPlace(File, InPlace),
    /// The file was created, removed or replaced in between; nothing was changed.
    Moved,
}

/// Replaces the file with the copy, or writes its bytes into the file if that is not possible;
/// `before`: the content of the file that it replaces, if there is one.
pub(super) fn swap(copy: &mut Copy, place: &Place, before: Option<&[u8]>) -> io::Result<Swapped> {
    let Some(before) = before else {
        if copy.in_place.is_some() {
            return Ok(Swapped::Moved); // there was a file when the copy was made
        }
        copy.let_go()?;
        return match rename::rename_new(&copy.path, &place.path) {
            Ok(()) => {
                copy.is_gone();
                Ok(Swapped::Done(None))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Swapped::Moved),
            Err(error) => Err(error),
        };
    };
    // Opened before it is moved: if two names cannot be exchanged, this handle is the way to read
    // the old file afterwards.
    let old = match open(&place.path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Moved),
        Err(error) => return Err(error),
    };
    // Its mode may have been changed since the copy was made.
    copy.follow(&old)?;
    let why = if let Some(why) = &copy.in_place {
        Some(why.clone())
    } else {
        copy.let_go()?;
        match rename::exchange(&copy.path, &place.path) {
            Ok(()) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Moved),
            Err(error) if is_unsupported(&error) => {
                match std::fs::rename(&copy.path, &place.path) {
                    Ok(()) => {
                        copy.is_gone();
                        copy.follow_late(&old);
                        return Ok(Swapped::Done(Some(old)));
                    }
                    Err(error) => Some(holds_its_place(error)?),
                }
            }
            Err(error) => Some(holds_its_place(error)?),
        }
    };
    if let Some(why) = why {
        drop(old);
        let written = write_in_place(&place.path, before, &copy.read()?)?;
        return Ok(written.map_or(Swapped::Moved, |file| Swapped::InPlace(file, why)));
    }
    // The copy's name now belongs to the old file, whatever has happened to it since.
    if std::fs::symlink_metadata(&copy.path).is_ok_and(|meta| !meta.is_file()) {
        rename::exchange(&copy.path, &place.path)?;
        return Ok(Swapped::Moved);
    }
    let displaced = open(&copy.path).unwrap_or(old);
    copy.follow_late(&displaced);
    let _ = std::fs::remove_file(&copy.path);
    copy.is_gone();
    Ok(Swapped::Done(Some(displaced)))
}

/// Returns why this file cannot be replaced, although it may be writable.
fn holds_its_place(error: io::Error) -> io::Result<InPlace> {
    if matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices
    ) {
        Ok(InPlace::MountPoint)
    } else if is_shut(&error) {
        Ok(InPlace::Directory)
    } else {
        Err(error)
    }
}

/// Removes the file; `Done(None)`: there was none. If it cannot be removed and still holds
/// `expect`, it is emptied.
pub(super) fn take_away(place: &Place, beside: &mut Copy, expect: &[u8]) -> io::Result<Swapped> {
    beside.let_go()?;
    match std::fs::rename(&place.path, &beside.path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Done(None)),
        Err(error) => {
            let why = holds_its_place(error)?;
            let emptied = write_in_place(&place.path, expect, b"")?;
            return Ok(emptied.map_or(Swapped::Moved, |file| Swapped::InPlace(file, why)));
        }
    }
    let taken = open(&beside.path);
    let _ = std::fs::remove_file(&beside.path);
    beside.is_gone();
    taken.map(|file| Swapped::Done(Some(file)))
}

// Writes the file in place, as `go env -w` does: for files that a copy cannot replace, or not
// without a loss. On Linux a write lease prevents every other program from opening the file
// meanwhile, if the file system has leases. If it has none, one write stores all bytes; the part
// beyond the new content is first overwritten with empty lines and then cut off, so that no reader
// finds the end of an old line.

/// Writes `bytes` over the file if it still holds `expect`; `None`: it holds something else, or
/// does not exist any more. Returns the file, whose bytes may not be on the disk yet.
///
/// # Errors
/// If it cannot be opened, or written; it then holds its old content.
fn write_in_place(path: &Path, expect: &[u8], bytes: &[u8]) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = match open_lock(&options, path) {
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
            // The file already has its old length, so this needs no space.
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

    /// Held while the file is written: a program that opens it waits until this is dropped.
    pub(super) struct Lease<'a>(&'a File);

    impl Lease<'_> {
        /// Takes the lease. `None`: another program keeps the file open, or this file system has no
        /// leases (NFS, FUSE).
        pub(super) fn take(file: &File) -> Option<Lease<'_>> {
            let fd = file.as_raw_fd();
            for _ in 0..TRIES {
                // SAFETY: fcntl with these commands takes integers only; `file` keeps fd open.
                let done = unsafe {
                    // The kernel sends a signal when a program waits. SIGURG is ignored by default,
                    // unlike SIGIO, which would end the process.
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

    /// Reserves the space before anything is changed: a full disk must not destroy the old content.
    pub(super) fn reserve(file: &File, length: usize) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, length as u64) {
            Err(full @ (Errno::NOSPC | Errno::DQUOT)) => Err(full.into()),
            // Not every file system supports this.
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
        let Swapped::Done(Some(old)) = swap(&mut copy, &place, Some(b"old")).unwrap() else {
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
            swap(&mut copy, &nowhere, Some(b"")).unwrap(),
            Swapped::Moved
        ));
        assert!(!path.exists());
        std::fs::write(&path, "theirs").unwrap();
        assert!(matches!(
            swap(&mut copy, &nowhere, None).unwrap(),
            Swapped::Moved
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            swap(&mut copy, &nowhere, None).unwrap(),
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
        let Swapped::Done(Some(old)) = take_away(&place, &mut copy, b"old").unwrap() else {
            panic!("nothing was taken away");
        };
        assert!(!path.exists());
        assert_eq!(read_open(&old).unwrap(), b"old");
        drop((copy, old));
        assert_eq!(count(&folder), 0);
    }
}

#[cfg(test)]
mod in_place_tests {
    use super::write_in_place as write;

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
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        let texts = ["A=1\n".repeat(4000), "B=22\n".repeat(5000)];
        std::fs::write(&path, &texts[0]).unwrap();
        let ends = AtomicBool::new(false);
        let reads = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    let text = std::fs::read_to_string(&path).unwrap();
                    assert!(texts.contains(&text), "torn: {} bytes", text.len());
                    reads.fetch_add(1, Ordering::Relaxed);
                    // A go command reads once; this reader closes the file in between.
                    std::thread::park_timeout(std::time::Duration::from_micros(200));
                }
            });
            let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
            for round in 0.. {
                // On a busy machine the reader may start late.
                let is_read = reads.load(Ordering::Relaxed) > 100;
                if round >= 400 && is_read || std::time::Instant::now() > limit {
                    break;
                }
                let (old, new) = (&texts[round % 2], &texts[(round + 1) % 2]);
                while write(&path, old.as_bytes(), new.as_bytes())
                    .unwrap()
                    .is_none()
                {}
            }
            ends.store(true, Ordering::Relaxed);
        });
        assert!(reads.into_inner() > 100);
    }
}
