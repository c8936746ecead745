//! The notify crate, without its debouncers: they tick twenty times a second.

use std::path::Path;
use std::sync::Arc;

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::arm::{FileBackend, FileEvent, FileWatchState, WatchError};

/// It has one thread.
pub(in crate::watch) struct ByNotify {
    watcher: RecommendedWatcher,
}

impl FileBackend for ByNotify {
    const NAME: &'static str = "files";

    fn open(shared: &Arc<FileWatchState>) -> Result<ByNotify, WatchError> {
        let shared = Arc::clone(shared);
        let watcher = notify::recommended_watcher(move |event| pass_on(event, &shared))?;
        Ok(ByNotify { watcher })
    }

    fn watch(&mut self, path: &Path) -> Result<(), WatchError> {
        Ok(self.watcher.watch(path, RecursiveMode::NonRecursive)?)
    }

    fn watch_name(&mut self, _: &Path) -> Result<(), WatchError> {
        Ok(())
    }

    fn unwatch(&mut self, path: &Path) {
        // Fails if the file went, and the watch with it.
        let _ = self.watcher.unwatch(path);
    }
}

fn pass_on(event: notify::Result<notify::Event>, shared: &FileWatchState) {
    let Ok(event) = event else {
        return shared.look_again();
    };
    if event.need_rescan() {
        return shared.look_again();
    }
    let what = match event.kind {
        // A program has read the file, perhaps goroam itself.
        EventKind::Access(_) => return,
        EventKind::Modify(ModifyKind::Data(_)) => FileEvent::Data,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => FileEvent::Gone,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => {
            FileEvent::Form
        }
    };
    for path in &event.paths {
        shared.take(path, what);
    }
}
