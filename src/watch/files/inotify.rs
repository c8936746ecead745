//! inotify(7), for folders in which much is read and little is written. No thread.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::arm::{FileBackend, FileEvent, FileWatchState, WatchError};

/// Everything but reading: no `IN_OPEN`, `IN_ACCESS` nor `IN_CLOSE_NOWRITE`.
const MASK: u32 = libc::IN_ATTRIB
    | libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_DELETE_SELF
    | libc::IN_MODIFY
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_MOVE_SELF;
/// What becomes of the name of a link or a folder: `IN_ATTRIB` says that a link was replaced.
const NAME_MASK: u32 =
    libc::IN_ATTRIB | libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_DONT_FOLLOW;
const GONE: u32 = libc::IN_DELETE | libc::IN_DELETE_SELF | libc::IN_MOVED_FROM | libc::IN_MOVE_SELF;
const FORM: u32 = libc::IN_ATTRIB | libc::IN_CREATE | libc::IN_MOVED_TO;
/// `struct inotify_event`, before the name.
const HEADER: usize = 16;
/// Room for many events; one takes at most 16 + 256 bytes.
const BUFFER: usize = 16 * 1024;

/// An inotify instance and the task that reads it.
pub(in crate::watch) struct Inotify {
    shared: Arc<Instance>,
    reader: AbortHandle,
}

struct Instance {
    socket: AsyncFd<OwnedFd>,
    paths: Mutex<BTreeMap<i32, PathBuf>>,
}

impl FileBackend for Inotify {
    const NAME: &'static str = "files";

    fn open(shared: &Arc<FileWatchState>) -> Result<Inotify, WatchError> {
        // SAFETY: plain system call; the result is checked below.
        let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error().into());
        }
        // SAFETY: just opened, and it has no other owner.
        let owned = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: `OwnedFd` owns its descriptor, keeps the same one, and closes it when
        // dropped, which the `AsyncFd` does after it has let go of it.
        let socket = unsafe { AsyncFd::register_with_interest(owned, Interest::READABLE) };
        let instance = Arc::new(Instance {
            socket: socket.map_err(io::Error::from)?,
            paths: Mutex::default(),
        });
        let reader = tokio::spawn(read(Arc::clone(&instance), Arc::clone(shared)));
        Ok(Inotify {
            shared: instance,
            reader: reader.abort_handle(),
        })
    }

    fn watch(&mut self, path: &Path) -> Result<(), WatchError> {
        self.add(path, MASK)
    }

    fn watch_name(&mut self, path: &Path) -> Result<(), WatchError> {
        self.add(path, NAME_MASK)
    }

    fn unwatch(&mut self, path: &Path) {
        let mut paths = self.shared.paths();
        let numbers = paths.iter().filter(|(_, known)| known.as_path() == path);
        let numbers: Vec<i32> = numbers.map(|(number, _)| *number).collect();
        for number in numbers {
            paths.remove(&number);
            let fd = self.shared.socket.get_ref().as_raw_fd();
            // SAFETY: the descriptor is open. Fails if the file went, and the watch with it.
            unsafe { libc::inotify_rm_watch(fd, number) };
        }
    }
}

impl Inotify {
    fn add(&mut self, path: &Path, mask: u32) -> Result<(), WatchError> {
        let name = CString::new(path.as_os_str().as_bytes())?;
        let fd = self.shared.socket.get_ref().as_raw_fd();
        // The reader may be about to forget this number; it waits until the path is known.
        let mut paths = self.shared.paths();
        // SAFETY: the descriptor is open, and the string ends with NUL and outlives the call.
        let watch = unsafe { libc::inotify_add_watch(fd, name.as_ptr(), mask) };
        if watch < 0 {
            let error = io::Error::last_os_error();
            // "No space left on device" would send the reader to the wrong place.
            return Err(match error.raw_os_error() {
                Some(libc::ENOSPC) => "fs.inotify.max_user_watches is used up".into(),
                _ => error.into(),
            });
        }
        paths.insert(watch, path.to_owned());
        Ok(())
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Instance {
    fn paths(&self) -> MutexGuard<'_, BTreeMap<i32, PathBuf>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(instance: Arc<Instance>, shared: Arc<FileWatchState>) {
    let mut buffer = vec![0_u8; BUFFER];
    loop {
        let Ok(mut guard) = instance.socket.readable().await else {
            return; // the runtime ends
        };
        let received = guard.try_io(|socket| receive(socket.get_ref(), &mut buffer));
        match received {
            Err(_would_block) => {}
            Ok(Ok(length)) => {
                for (watch, mask, name) in events(buffer.get(..length).unwrap_or_default()) {
                    pass_on(&instance, &shared, watch, mask, name);
                }
            }
            // inotify has no error but "interrupted"; nothing was lost.
            Ok(Err(_)) => tokio::task::yield_now().await,
        }
    }
}

fn receive(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the descriptor is open, and the kernel writes at most `buffer.len()` bytes.
    let read = unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(read).map_err(|_negative| io::Error::last_os_error())
}

fn pass_on(instance: &Instance, shared: &FileWatchState, watch: i32, mask: u32, name: &[u8]) {
    if mask & libc::IN_Q_OVERFLOW != 0 {
        return shared.look_again();
    }
    let known = instance.paths().get(&watch).cloned();
    if mask & libc::IN_IGNORED != 0 {
        instance.paths().remove(&watch);
    }
    let Some(path) = known else {
        return;
    };
    let path = if name.is_empty() {
        path
    } else {
        path.join(OsStr::from_bytes(name))
    };
    if mask & (GONE | libc::IN_IGNORED) != 0 {
        shared.take(&path, FileEvent::Gone);
    } else if mask & FORM != 0 {
        shared.take(&path, FileEvent::Form);
    } else {
        shared.take(&path, FileEvent::Data);
    }
}

/// Number of the watch, mask, and the name within the folder, if any.
fn events(mut bytes: &[u8]) -> impl Iterator<Item = (i32, u32, &[u8])> {
    std::iter::from_fn(move || {
        let number = |at: usize| -> Option<[u8; 4]> { bytes.get(at..at + 4)?.try_into().ok() };
        let watch = i32::from_ne_bytes(number(0)?);
        let mask = u32::from_ne_bytes(number(4)?);
        let length = usize::try_from(u32::from_ne_bytes(number(12)?)).ok()?;
        let end = HEADER.checked_add(length)?;
        let name = bytes.get(HEADER..end)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        bytes = bytes.get(end..)?;
        Some((watch, mask, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_run_on(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(events(&bytes).count() <= bytes.len() / HEADER);
        }
    }
}
