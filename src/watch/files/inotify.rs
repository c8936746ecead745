//! Uses inotify(7), for directories with many reads and few writes. Has no thread.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{
    CreateFlags, Event, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch,
};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{FileBackend, FileEvent, WatchError};
use crate::watch::source::readable;

/// All events except reading: no `IN_OPEN`, `IN_ACCESS` or `IN_CLOSE_NOWRITE`.
const CONTENTS: WatchFlags = NAME
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE);
/// Changes to the name of a link or a directory: `IN_ATTRIB` shows that a link was replaced.
const NAME: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);
const GONE: ReadFlags = ReadFlags::DELETE
    .union(ReadFlags::DELETE_SELF)
    .union(ReadFlags::MOVED_FROM)
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::IGNORED);
/// Room for many events; one takes at most 16 + 256 bytes.
const BUFFER: usize = 16 * 1024;

/// An inotify instance.
pub(in crate::watch) struct Inotify {
    instance: AsyncFd<OwnedFd>,
    /// The watched paths by watch number.
    paths: BTreeMap<i32, PathBuf>,
    /// Events that have been read but not returned.
    events: VecDeque<FileEvent>,
}

impl FileBackend for Inotify {
    fn open() -> Result<Inotify, WatchError> {
        Ok(Inotify {
            instance: readable(init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?)?,
            paths: BTreeMap::new(),
            events: VecDeque::new(),
        })
    }

    fn watch(&mut self, path: &Path, name_only: bool) -> Result<(), WatchError> {
        let of_name = NAME | WatchFlags::DONT_FOLLOW;
        let flags = if name_only { of_name } else { CONTENTS };
        match add_watch(self.instance.get_ref(), path, flags) {
            Ok(number) => {
                self.paths.insert(number, path.to_owned());
                Ok(())
            }
            // The system's text, "No space left on device", would mislead the reader.
            Err(Errno::NOSPC) => Err("fs.inotify.max_user_watches is used up".into()),
            Err(error) => Err(error.into()),
        }
    }

    fn unwatch(&mut self, path: &Path) {
        let instance = self.instance.get_ref();
        self.paths.retain(|number, known| {
            let keep = known != path;
            if !keep {
                // This fails if the file has disappeared, and the watch with it.
                let _ = remove_watch(instance, *number);
            }
            keep
        });
    }

    async fn next(&mut self) -> io::Result<FileEvent> {
        let (paths, events) = (&mut self.paths, &mut self.events);
        while events.is_empty() {
            let read = |instance: &OwnedFd| read(instance, paths, events);
            self.instance.async_io(Interest::READABLE, read).await?;
        }
        Ok(events.pop_front().unwrap_or(FileEvent::Lost))
    }
}

/// Handles the events of one `read`.
fn read(
    instance: &OwnedFd,
    paths: &mut BTreeMap<i32, PathBuf>,
    events: &mut VecDeque<FileEvent>,
) -> io::Result<()> {
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut reader = Reader::new(instance, &mut buffer);
    loop {
        events.extend(event(&reader.next()?, paths));
        if reader.is_buffer_empty() {
            return Ok(());
        }
    }
}

fn event(raw: &Event<'_>, paths: &mut BTreeMap<i32, PathBuf>) -> Option<FileEvent> {
    let flags = raw.events();
    if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
        return Some(FileEvent::Lost);
    }
    let mut path = paths.get(&raw.wd())?.clone();
    if flags.contains(ReadFlags::IGNORED) {
        paths.remove(&raw.wd());
    }
    if let Some(name) = raw.file_name() {
        path.push(OsStr::from_bytes(name.to_bytes()));
    }
    Some(if flags.intersects(GONE) {
        FileEvent::Gone(path)
    } else if flags.contains(ReadFlags::MODIFY) {
        FileEvent::Data(path)
    } else {
        FileEvent::Form(path)
    })
}
