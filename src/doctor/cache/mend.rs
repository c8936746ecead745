//! Takes out what was found broken, and nothing else.
//!
//! A file is moved aside in its folder first, then looked at once more: a go that has just put
//! a good one there gets it back. The names are those of go's own leftovers, which any go
//! passes over and in part cleans up: `VERSION.mod123.tmp`, `M@V.tmp-123`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::lock;
use super::records::MOST_GO_SUM;
use super::report::{Broken, CacheReport, Outcome, Piece, Stamp};
use crate::bounded::{if_any, read_no_link};
use crate::gomod::sum::sum_of;

/// Removes what is broken, and nothing else. The report says what became of each.
pub fn mend_cache(report: &mut CacheReport) {
    for broken in &mut report.broken {
        if broken.outcome == Outcome::Found {
            (broken.outcome, broken.because) = match take_out(broken) {
                Ok(()) => (Outcome::Removed, None),
                Err(why) => (Outcome::Kept, Some(why)),
            };
        }
    }
}

fn take_out(broken: &Broken) -> Result<(), String> {
    for piece in &broken.removes {
        inside(piece, &broken.bounds)?;
    }
    let locked = match &broken.lock {
        Some(path) => lock::version(path).map_err(|error| said(path, &error)),
        None => match broken.removes.first() {
            Some(piece) => lock::file(&piece.path).map_err(|error| said(&piece.path, &error)),
            None => return Ok(()),
        },
    };
    let _locked = locked?;
    for piece in &broken.removes {
        remove(piece).map_err(|error| said(&piece.path, &error))?;
    }
    Ok(())
}

fn said(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// No way to it leads out of the cache.
fn inside(piece: &Piece, bounds: &Path) -> Result<(), String> {
    // A project's file was reached by the project.
    if piece.line.is_some() {
        return Ok(());
    }
    let Some(folder) = piece.path.parent() else {
        return Err(format!("{} is a root", piece.path.display()));
    };
    let real = match dunce::canonicalize(folder) {
        Ok(real) => real,
        // It is gone, and so is the file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(said(folder, &error)),
    };
    if real != folder || !real.starts_with(bounds) {
        let why = "a symbolic link leads there from the module cache";
        return Err(format!("{}: {why}", piece.path.display()));
    }
    Ok(())
}

fn remove(piece: &Piece) -> io::Result<()> {
    let path = &piece.path;
    if let Some((_, text)) = &piece.line {
        return take_line(path, text);
    }
    match Stamp::of(path) {
        Ok(now) if now == piece.stamp => {}
        Ok(_) => return Err(changed()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let aside = aside(path, piece.stamp.is_folder);
    std::fs::rename(path, &aside)?;
    if !is_same(piece, &aside) {
        put_back(&aside, path)?;
        return Err(changed());
    }
    if piece.stamp.is_folder {
        remove_folder(&aside)
    } else {
        remove_file(&aside)
    }
}

fn changed() -> io::Error {
    io::Error::other("it has changed meanwhile; look again")
}

/// A name beside it that go takes for a leftover of its own.
fn aside(path: &Path, is_folder: bool) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let own = std::process::id();
    name.push(if is_folder {
        format!(".tmp-{own}")
    } else {
        format!("{own}.tmp")
    });
    path.with_file_name(name)
}

fn is_same(piece: &Piece, aside: &Path) -> bool {
    let same = Stamp::of(aside).is_ok_and(|now| now == piece.stamp);
    let bytes = piece.bytes.as_ref().is_none_or(|judged| {
        let now = read_no_link(aside, piece.stamp.length);
        now.is_ok_and(|now| sum_of(&now) == *judged)
    });
    same && bytes
}

/// Where nobody has put another one meanwhile.
fn put_back(aside: &Path, path: &Path) -> io::Result<()> {
    if Stamp::of(aside).is_ok_and(|stamp| stamp.is_folder) {
        return std::fs::rename(aside, path);
    }
    match std::fs::hard_link(aside, path) {
        Ok(()) => remove_file(aside),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_file(aside),
        // No hard links on this file system.
        Err(_) => std::fs::rename(aside, path),
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        #[cfg(windows)]
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            writable(path)?;
            std::fs::remove_file(path)
        }
        done => done,
    }
}

/// As go does it (`modfetch/fetch.go:RemoveAll`): its folders are read-only.
fn remove_folder(folder: &Path) -> io::Result<()> {
    writable(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Of a link the link itself, whatever it leads to.
        if entry.file_type()?.is_dir() {
            remove_folder(&entry.path())?
        } else {
            remove_file(&entry.path())?
        }
    }
    std::fs::remove_dir(folder)
}

fn writable(path: &Path) -> io::Result<()> {
    let mut permissions = std::fs::symlink_metadata(path)?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        permissions.set_mode(permissions.mode() | 0o700);
    }
    #[cfg(not(unix))]
    #[expect(
        clippy::permissions_set_readonly_false,
        reason = "what it warns of is Unix alone"
    )]
    permissions.set_readonly(false);
    std::fs::set_permissions(path, permissions)
}

/// Writes a go.sum again without this line (`MODULE VERSION/go.mod HASH`); every other byte stays.
/// go takes its lock on it for that, too (`modfetch.WriteGoSum`).
///
/// # Errors
/// When it cannot be written; then it is as it was.
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
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&kept)?;
    file.as_file()
        .set_permissions(std::fs::metadata(path)?.permissions())?;
    file.as_file().sync_all()?;
    let put = |file: tempfile::NamedTempFile| file.persist(path).map_err(|error| error.error);
    if cfg!(windows) {
        // Nothing is renamed over a file that is open; the lock is given up for that moment.
        drop(locked);
        put(file)?;
    } else {
        put(file)?;
        drop(locked);
    }
    Ok(())
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
