//! Reads files by path, with a size limit; tests use a table instead of the disk.

use std::io;
use std::path::{Path, PathBuf};

use crate::bounded;

/// Maximum size of a file in bytes. Settings are shorter.
pub(super) const MOST_BYTES: u64 = 1 << 20;
/// Maximum number of entries that are read of a directory.
const MOST_ENTRIES: usize = 512;

/// Files by path.
pub(super) trait Files {
    /// Returns the text of a regular file; `Ok(None)` if it does not exist.
    ///
    /// # Errors
    /// When it cannot be read: no permission, too long, a pipe, a loop of symbolic links.
    fn read(&self, path: &Path) -> io::Result<Option<String>>;

    /// Returns the entries of a directory, sorted by name; empty if it does not exist.
    fn list(&self, folder: &Path) -> Vec<PathBuf>;

    /// Reports whether the file exists.
    fn is_file(&self, path: &Path) -> bool;

    /// Reports whether the directory exists.
    fn is_folder(&self, path: &Path) -> bool;
}

/// The files on the disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk;

impl Disk {
    /// Returns the bytes of a regular file, as go reads them; `Ok(None)` if it does not exist.
    ///
    /// # Errors
    /// As [`Files::read`].
    pub(super) fn bytes(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        // A broken link, or a file in the path where a directory is expected, counts as a missing
        // file.
        match bounded::if_any(bounded::read(path, MOST_BYTES)) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(None),
            read => read,
        }
    }

    /// Reports whether the path exists and is not a directory: a file, or something that go may
    /// take for one.
    pub(super) fn is_there(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|meta| !meta.is_dir())
    }

    /// Returns why go does not accept the path as a file; `None` if it does, or if nothing exists
    /// there.
    pub(super) fn no_file(&self, path: &Path) -> Option<&'static str> {
        path.symlink_metadata().ok()?;
        match path.metadata() {
            Ok(meta) if meta.is_dir() => Some("is a directory"),
            Ok(_) => None,
            Err(_) => Some("is a broken link"),
        }
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        Ok(self.bytes(path)?.map(|bytes| text(&bytes)))
    }

    fn list(&self, folder: &Path) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries
            .flatten()
            .take(MOST_ENTRIES)
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        paths
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }
}

/// Decodes text. Windows PowerShell writes its profile in UTF-16 with a byte order mark.
pub(super) fn text(bytes: &[u8]) -> String {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let pairs = rest.chunks_exact(2);
        let units: Vec<u16> = pairs.map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        return wide(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        return wide(rest, u16::from_be_bytes);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// A table of files, for tests.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Table(pub(super) std::collections::BTreeMap<PathBuf, String>);

#[cfg(test)]
impl Table {
    pub(super) fn of(files: &[(&str, &str)]) -> Table {
        let files = files.iter();
        Table(
            files
                .map(|(path, text)| (path.into(), (*text).to_owned()))
                .collect(),
        )
    }
}

#[cfg(test)]
impl Files for Table {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        match self.0.get(path) {
            Some(text) if text == "(unreadable)" => {
                Err(io::Error::from(io::ErrorKind::PermissionDenied))
            }
            found => Ok(found.cloned()),
        }
    }

    fn list(&self, folder: &Path) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self
            .0
            .keys()
            .filter_map(|path| {
                let rest = path.strip_prefix(folder).ok()?;
                Some(folder.join(rest.components().next()?))
            })
            .collect();
        found.dedup();
        found
    }

    fn is_file(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.0
            .keys()
            .any(|file| file != path && file.starts_with(path))
    }
}

#[cfg(test)]
mod tests {
    use super::{Disk, Files, text};

    #[test]
    fn what_is_no_text_file_of_a_sane_length_is_an_error_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("long"), vec![b'x'; (1 << 20) + 1]).unwrap();
        std::fs::write(at("just"), vec![b'x'; 1 << 20]).unwrap();
        assert!(Disk.read(&at("long")).is_err());
        assert!(Disk.read(&at("just")).unwrap().is_some());
        assert!(Disk.read(&at("none")).unwrap().is_none());
        assert!(Disk.read(&at("just/below")).unwrap().is_none());
        assert!(Disk.read(folder.path()).unwrap().is_none());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
            assert!(Disk.read(&at("loop")).is_err());
            let fifo = std::ffi::CString::new(at("fifo").to_str().unwrap()).unwrap();
            // SAFETY: the path is a C string that lives through the call.
            assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
            assert!(Disk.read(&at("fifo")).is_err(), "not waited for");
        }
    }

    #[test]
    fn what_windows_writes_is_read_too() {
        assert_eq!(text(b"\xef\xbb\xbfa"), "a");
        assert_eq!(text(b"\xff\xfea\0b\0"), "ab");
        assert_eq!(text(b"\xfe\xff\0a\0b"), "ab");
    }
}
