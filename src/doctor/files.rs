//! The one seam between looking and judging: files by path, bounded.

use std::io;
use std::path::{Path, PathBuf};

use crate::bounded;

/// The longest file that is read, in bytes. Settings are shorter; what is longer is no settings.
pub(super) const MOST_BYTES: u64 = 1 << 20;
/// The most entries of a folder that are looked at.
const MOST_ENTRIES: usize = 512;

/// Files by path. Tests put a table in its place.
pub(super) trait Files {
    /// The text of a regular file; `Ok(None)`: there is none.
    ///
    /// # Errors
    /// When it cannot be read: no permission, too long, a pipe, a loop of symbolic links.
    fn read(&self, path: &Path) -> io::Result<Option<String>>;

    /// Its bytes as they are, for what go reads.
    ///
    /// # Errors
    /// The same.
    fn bytes(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// What is in a folder, sorted by name; nothing where there is none.
    fn list(&self, folder: &Path) -> Vec<PathBuf>;

    /// Is there such a file?
    fn is_file(&self, path: &Path) -> bool;

    /// Is there such a folder?
    fn is_folder(&self, path: &Path) -> bool;

    /// Is there anything but a folder: a file, or what may be mistaken for one?
    fn is_there(&self, path: &Path) -> bool;

    /// What has the name of a file and is none to go; `None`: nothing, or a file.
    fn no_file(&self, path: &Path) -> Option<&'static str>;
}

/// The real ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        Ok(self.bytes(path)?.map(|bytes| text(&bytes)))
    }

    fn bytes(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        // Where a link leads to nothing, or a folder on the way is a file, there is none.
        let absent = |error: &io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            )
        };
        let bytes = match bounded::read(path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if absent(&error) || error.kind() == io::ErrorKind::IsADirectory => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok(Some(bytes))
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

    fn is_there(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|meta| !meta.is_dir())
    }

    fn no_file(&self, path: &Path) -> Option<&'static str> {
        path.symlink_metadata().ok()?;
        match path.metadata() {
            Ok(meta) if meta.is_dir() => Some("is a directory"),
            Ok(_) => None,
            Err(_) => Some("is a link that leads to nothing"),
        }
    }
}

/// Windows PowerShell writes its profile in UTF-16 with a byte order mark.
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

/// A table of files, for tests of everything that reads some.
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

    fn bytes(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.read(path)?.map(String::into_bytes))
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

    fn is_there(&self, path: &Path) -> bool {
        self.is_file(path)
    }

    fn no_file(&self, _: &Path) -> Option<&'static str> {
        None
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
