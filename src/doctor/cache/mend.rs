//! Removes what was found broken, and nothing else.
//!
//! A file is first renamed in its directory, then checked once more: if go has just replaced it
//! with a good one, it is renamed back. The names are those of go's own temporary files, which
//! every go ignores and sometimes deletes: `VERSION.mod123.tmp`, `M@V.tmp-123`.

use std::io;
use std::path::{Path, PathBuf};

use super::lock;
use super::records::MOST_GO_SUM;
use super::report::{Broken, CacheReport, Outcome, Piece, is_same_file, stamp};
use crate::bounded::{if_any, read_no_link};
use crate::gomod::sum::sum_of;
use crate::state::file;

/// Removes what is broken, and nothing else. Records the outcome for each entry in the report.
pub fn mend_cache(report: &mut CacheReport) {
    let found = report.broken.iter_mut();
    found
        .filter(|broken| broken.outcome == Outcome::Found)
        .for_each(mend_one);
}

/// Removes one broken entry, and records the outcome in it.
pub(in crate::doctor) fn mend_one(broken: &mut Broken) {
    (broken.outcome, broken.because) = match take_out(broken) {
        Ok(()) => (Outcome::Removed, None),
        Err(why) => (Outcome::Kept, Some(why)),
    };
}

fn take_out(broken: &Broken) -> Result<(), String> {
    for piece in &broken.removes {
        inside(piece, &broken.bounds)?;
    }
    let Some(first) = broken.removes.first() else {
        return Ok(());
    };
    let (locked, path) = match &broken.lock {
        Some(path) => (lock::version(path), path),
        None => (lock::file(&first.path), &first.path),
    };
    let _locked = locked.map_err(|error| said(path, &error))?;
    for piece in &broken.removes {
        let removed = match &piece.line {
            Some((_, text)) => take_line(&piece.path, text),
            None => remove(piece),
        };
        removed.map_err(|error| said(&piece.path, &error))?;
    }
    Ok(())
}

fn said(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

/// Checks that the path does not lead out of the cache.
fn inside(piece: &Piece, bounds: &Path) -> Result<(), String> {
    // A project's go.sum was found through the project, not through the cache.
    if piece.line.is_some() {
        return Ok(());
    }
    let folder = piece.path.parent().unwrap_or(&piece.path);
    match dunce::canonicalize(folder) {
        Ok(real) if real == folder && real.starts_with(bounds) => Ok(()),
        Ok(_) => {
            let why = "a symbolic link leads there from the module cache";
            Err(said(&piece.path, &why))
        }
        // The directory does not exist, so the file does not exist either.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(said(folder, &error)),
    }
}

fn remove(piece: &Piece) -> io::Result<()> {
    let path = &piece.path;
    let changed = || io::Error::other("it has changed meanwhile; look again");
    match stamp(path) {
        Ok(now) if is_same_file(&piece.stamp, &now) => {}
        Ok(_) => return Err(changed()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let is_folder = piece.stamp.is_dir();
    // A name in the same directory that go takes for one of its own temporary files.
    let mut aside = path.as_os_str().to_owned();
    let own = std::process::id();
    aside.push(match is_folder {
        true => format!(".tmp-{own}"),
        false => format!("{own}.tmp"),
    });
    let aside = PathBuf::from(aside);
    std::fs::rename(path, &aside)?;
    let is_same = stamp(&aside).is_ok_and(|now| is_same_file(&piece.stamp, &now));
    let has_same_bytes = piece.bytes.as_ref().is_none_or(|judged| {
        let now = read_no_link(&aside, piece.stamp.len());
        now.is_ok_and(|now| sum_of(&now) == *judged)
    });
    match (is_same && has_same_bytes, is_folder) {
        (false, _) => {
            put_back(&aside, path)?;
            Err(changed())
        }
        (true, true) => file::remove_tree(&aside),
        (true, false) => file::remove_file(&aside),
    }
}

/// Renames it back, unless another process has created a new one in the meantime.
fn put_back(aside: &Path, path: &Path) -> io::Result<()> {
    let is_folder = stamp(aside).is_ok_and(|meta| meta.is_dir());
    match std::fs::hard_link(aside, path) {
        _ if is_folder => std::fs::rename(aside, path),
        Ok(()) => file::remove_file(aside),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => file::remove_file(aside),
        // This file system has no hard links.
        Err(_) => std::fs::rename(aside, path),
    }
}

/// Removes this line (`MODULE VERSION/go.mod HASH`) from a go.sum; every other byte stays. Takes
/// the same lock on the file as go does (`modfetch.WriteGoSum`).
///
/// # Errors
/// When it cannot be written; it then stays unchanged.
fn take_line(path: &Path, line: &str) -> io::Result<()> {
    let locked = lock::file(path)?;
    let Some(bytes) = if_any(read_no_link(path, MOST_GO_SUM))? else {
        return Ok(());
    };
    let words = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let kept: Vec<&[u8]> = bytes
        .split_inclusive(|b| *b == b'\n')
        .filter(|own| words(own) != line)
        .collect();
    let kept = kept.concat();
    if kept == bytes {
        return Ok(());
    }
    let permissions = std::fs::metadata(path)?.permissions();
    // On Windows an open file cannot be replaced by a rename; the lock is released for that moment.
    let _locked = Some(locked).filter(|_| !cfg!(windows));
    file::replace(path, &kept)?;
    std::fs::set_permissions(path, permissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_that_line_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("go.sum");
        let text = "a v1.0.0 h1:z=\r\na v1.0.0/go.mod h1:x=\r\n\na v1.0.0/go.mod h1:y=\nb v1 h1:q=";
        std::fs::write(&path, text).unwrap();
        take_line(&path, "a v1.0.0/go.mod h1:none=").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        take_line(&path, "a v1.0.0/go.mod h1:x=").unwrap();
        let left = text.replace("a v1.0.0/go.mod h1:x=\r\n", "");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), left);
    }
}
