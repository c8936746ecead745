//! Putting the copy in the real file's place in one step, so that what was there can be
//! looked at afterwards: a writer may have slipped in, or may still have it open.

use std::fs::File;
use std::io;

use super::copy::{Copy, Place, is_shut};
use super::in_place::{self, InPlace};
use super::rename::{self, is_unsupported};
use crate::bounded::open;

/// What came of it.
#[derive(Debug)]
pub(super) enum Swapped {
    /// The copy is the file now. What it took the place of is open here; it has no name any
    /// more and is gone once this is dropped.
    Done(Option<File>),
    /// The file is the same as before and holds the copy's bytes, which may not be on the disk
    /// yet.
    InPlace(File, InPlace),
    /// Somebody made, removed or replaced the file in between; nothing was changed.
    Moved,
}

/// Puts the copy in the file's place, or its bytes into the file where that cannot be done;
/// `before`: what the file that it takes the place of held, if there is one.
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
    // Open before it is moved: where two names cannot be exchanged this is the way to look
    // at the old file afterwards.
    let old = match open(&place.path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Moved),
        Err(error) => return Err(error),
    };
    // Its mode may have been changed since the copy was made.
    copy.follow(&old)?;
    if let Some(why) = copy.in_place.clone() {
        drop(old);
        return write_in_place(copy, place, before, why);
    }
    copy.let_go()?;
    match rename::exchange(&copy.path, &place.path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Moved),
        Err(error) if is_unsupported(&error) => {
            if let Err(error) = std::fs::rename(&copy.path, &place.path) {
                let why = holds_its_place(&error).ok_or(error)?;
                drop(old);
                return write_in_place(copy, place, before, why);
            }
            copy.is_gone();
            copy.follow_late(&old);
            return Ok(Swapped::Done(Some(old)));
        }
        Err(error) => {
            let why = holds_its_place(&error).ok_or(error)?;
            drop(old);
            return write_in_place(copy, place, before, why);
        }
    }
    // The copy's name is the old file's now, whatever that has become since.
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

fn write_in_place(copy: &Copy, place: &Place, before: &[u8], why: InPlace) -> io::Result<Swapped> {
    let bytes = copy.read()?;
    Ok(match in_place::write(&place.path, before, &bytes)? {
        Some(file) => Swapped::InPlace(file, why),
        None => Swapped::Moved,
    })
}

/// Why this file cannot be replaced, though it may be writable.
pub(super) fn holds_its_place(error: &io::Error) -> Option<InPlace> {
    use io::ErrorKind::{CrossesDevices, ResourceBusy};

    if matches!(error.kind(), ResourceBusy | CrossesDevices) {
        return Some(InPlace::MountPoint);
    }
    is_shut(error).then_some(InPlace::Directory)
}

/// Takes the file away; `Done(None)`: there was none. A file that cannot be taken away and still
/// holds `expect` is emptied.
pub(super) fn take_away(place: &Place, beside: &mut Copy, expect: &[u8]) -> io::Result<Swapped> {
    beside.let_go()?;
    match std::fs::rename(&place.path, &beside.path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swapped::Done(None)),
        Err(error) => {
            let why = holds_its_place(&error).ok_or(error)?;
            let emptied = in_place::write(&place.path, expect, b"")?;
            return Ok(emptied.map_or(Swapped::Moved, |file| Swapped::InPlace(file, why)));
        }
    }
    let taken = open(&beside.path);
    let _ = std::fs::remove_file(&beside.path);
    beside.is_gone();
    taken.map(|file| Swapped::Done(Some(file)))
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
