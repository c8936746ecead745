//! One writer of a mirror at a time. Readers need no lock: whatever they see is whole.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;

use super::layout::Layout;
use crate::bounded;

/// Held by the one that writes to a mirror; released when it is dropped, or by the system when
/// the process is killed.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the mirror's lock, making goroam's folder in it; waits if somebody has it, and says so
/// first.
///
/// # Errors
/// When the folder or the file cannot be made, or the file system has no locks.
pub fn lock(layout: &Layout, waits: &mut dyn FnMut()) -> io::Result<Lock> {
    std::fs::create_dir_all(layout.own())?;
    // Never written to: what is in it does not matter, and nothing is to be torn.
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = bounded::open_lock(&options, &layout.own().join("lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            waits();
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_says_that_it_waits_and_gets_its_turn() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let first = lock(&layout, &mut || panic!("nobody has it")).unwrap();
        let (said, waits) = std::sync::mpsc::channel();
        let second = std::thread::spawn({
            let layout = layout.clone();
            move || lock(&layout, &mut || said.send(()).unwrap()).unwrap()
        });
        waits.recv().unwrap();
        drop(first);
        second.join().unwrap();
    }
}
