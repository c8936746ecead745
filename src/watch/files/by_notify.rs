//! The notify crate, without its debouncers: they tick twenty times a second.

use std::io;
use std::path::Path;

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{FileBackend, FileEvent, WatchError};

/// How many events may wait; if there are more, all files are checked again.
const MOST_WAITING: usize = 256;

/// A watcher of the notify crate; it has one thread.
pub(in crate::watch) struct ByNotify {
    watcher: RecommendedWatcher,
    events: Receiver<FileEvent>,
}

impl FileBackend for ByNotify {
    fn open() -> Result<ByNotify, WatchError> {
        let (sender, events) = channel(MOST_WAITING);
        let watcher = notify::recommended_watcher(move |event| pass_on(event, &sender))?;
        Ok(ByNotify { watcher, events })
    }

    fn watch(&mut self, path: &Path, name_only: bool) -> Result<(), WatchError> {
        if !name_only {
            self.watcher.watch(path, RecursiveMode::NonRecursive)?;
        }
        Ok(())
    }

    fn unwatch(&mut self, path: &Path) {
        // This fails if the file has disappeared, and the watch with it.
        let _ = self.watcher.unwatch(path);
    }

    async fn next(&mut self) -> io::Result<FileEvent> {
        let closed = || io::Error::other("the system's file watcher has ended");
        self.events.recv().await.ok_or_else(closed)
    }
}

/// Runs on the watcher's own thread: this function must not block.
fn pass_on(event: notify::Result<notify::Event>, to: &Sender<FileEvent>) {
    // The last free place is for the message that events were lost.
    let send = |event| match to.capacity() {
        0 => {}
        1 => drop(to.try_send(FileEvent::Lost)),
        _ => drop(to.try_send(event)),
    };
    let event = match event {
        Ok(event) if !event.need_rescan() => event,
        Ok(_) | Err(_) => return send(FileEvent::Lost),
    };
    let kind = match event.kind {
        // A program has read the file, perhaps goroam itself.
        EventKind::Access(_) => return,
        EventKind::Modify(ModifyKind::Data(_)) => FileEvent::Data,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => FileEvent::Gone,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => {
            FileEvent::Form
        }
    };
    for path in event.paths {
        send(kind(path));
    }
}
