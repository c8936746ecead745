//! go.sum: its lines with their numbers, and taking one out.

use std::io::{self, Write as _};
use std::path::Path;

use super::lock;
use crate::bounded::{if_any, read_no_link};
use crate::gomod::go_sum::{self, GoSumLine};

/// The longest go.sum that is read, in bytes; that of kubernetes has 100 KB.
pub(super) const MOST: u64 = 32 << 20;

/// Its lines with their numbers, from 1; `None`: go would not read it.
pub(super) fn lines(bytes: &[u8]) -> Option<Vec<(GoSumLine, usize)>> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = go_sum::parse(line).ok()?;
        found.extend(line.into_iter().map(|line| (line, number + 1)));
    }
    Some(found)
}

/// Writes it again without this line (`MODULE VERSION/go.mod HASH`); every other byte stays.
/// go takes its lock on it for that, too (`modfetch.WriteGoSum`).
///
/// # Errors
/// When it cannot be written; then it is as it was.
pub(super) fn take_line(path: &Path, line: &str) -> io::Result<()> {
    let locked = lock::file(path)?;
    let Some(bytes) = if_any(read_no_link(path, MOST))? else {
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
        let numbered = lines(text.as_bytes()).unwrap();
        let numbers: Vec<usize> = numbered.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers, [1, 2, 4, 5]);
        take_line(&path, "a v1.0.0/go.mod h1:none=").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        take_line(&path, "a v1.0.0/go.mod h1:x=").unwrap();
        let left = text.replace("a v1.0.0/go.mod h1:x=\r\n", "");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), left);
        assert!(lines(b"<<<<<<< HEAD\n").is_none());
    }
}
