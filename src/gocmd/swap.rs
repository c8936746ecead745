//! Putting the copy in the real file's place in one step, so that what was there can be
//! looked at afterwards: a writer may have slipped in, or may still have it open.

use std::fs::File;
use std::io;

use super::copy::{Copy, Place};
use super::rename::{self, is_unsupported};
use crate::bounded::open;

/// What came of it.
#[derive(Debug)]
pub(super) enum Swapped {
    /// The copy is the file now. What it took the place of is open here; it has no name any
    /// more and is gone once this is dropped.
    Done(Option<File>),
    /// Somebody made, removed or replaced the file in between; nothing was changed.
    Moved,
}

/// Puts the copy in the file's place; `replaces`: there is a file that it takes the place of.
pub(super) fn swap(copy: &mut Copy, place: &Place, replaces: bool) -> io::Result<Swapped> {
    copy.let_go()?;
    if !replaces {
        return match rename::rename_new(&copy.path, &place.path) {
            Ok(()) => {
                copy.is_gone();
                Ok(Swapped::Done(None))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Swapped::Moved),
            Err(error) => Err(error),
        };
    }
    // Open before it is moved: where two names cannot be exchanged this is the way to look
    // at the old file afterwards.
    let old = match open(&place.path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Moved),
        Err(error) => return Err(error),
    };
    match rename::exchange(&copy.path, &place.path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Moved),
        Err(error) if is_unsupported(&error) => {
            std::fs::rename(&copy.path, &place.path)?;
            copy.is_gone();
            return Ok(Swapped::Done(Some(old)));
        }
        Err(error) => return Err(error),
    }
    // The copy's name is the old file's now, whatever that has become since.
    if std::fs::symlink_metadata(&copy.path).is_ok_and(|meta| !meta.is_file()) {
        rename::exchange(&copy.path, &place.path)?;
        return Ok(Swapped::Moved);
    }
    let displaced = open(&copy.path).unwrap_or(old);
    let _ = std::fs::remove_file(&copy.path);
    copy.is_gone();
    Ok(Swapped::Done(Some(displaced)))
}

/// Takes the file away; `None`: there was none. It is gone once this is dropped.
pub(super) fn take_away(place: &Place, beside: &mut Copy) -> io::Result<Option<File>> {
    beside.let_go()?;
    match std::fs::rename(&place.path, &beside.path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let taken = open(&beside.path);
    let _ = std::fs::remove_file(&beside.path);
    beside.is_gone();
    taken.map(Some)
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
        let Swapped::Done(Some(old)) = swap(&mut copy, &place, true).unwrap() else {
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
            swap(&mut copy, &nowhere, true).unwrap(),
            Swapped::Moved
        ));
        assert!(!path.exists());
        std::fs::write(&path, "theirs").unwrap();
        assert!(matches!(
            swap(&mut copy, &nowhere, false).unwrap(),
            Swapped::Moved
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            swap(&mut copy, &nowhere, false).unwrap(),
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
        let old = take_away(&place, &mut copy).unwrap().unwrap();
        assert!(!path.exists());
        assert_eq!(read_open(&old).unwrap(), b"old");
        drop((copy, old));
        assert_eq!(count(&folder), 0);
    }
}
