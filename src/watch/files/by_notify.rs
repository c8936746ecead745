//! The notify crate, without its debouncers: they tick twenty times a second.

use std::io;
use std::path::Path;

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{FileBackend, FileEvent, WatchError};

/// Events that may wait; of more, all files are looked at again.
const MOST_WAITING: usize = 256;

/// It has one thread.
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
        // Fails if the file went, and the watch with it.
        let _ = self.watcher.unwatch(path);
    }

    async fn next(&mut self) -> io::Result<FileEvent> {
        let closed = || io::Error::other("the system's file watcher has ended");
        self.events.recv().await.ok_or_else(closed)
    }
}

/// On the watcher's own thread: nothing in here may wait.
fn pass_on(event: notify::Result<notify::Event>, to: &Sender<FileEvent>) {
    // The last free place is for the word that there was no more.
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
