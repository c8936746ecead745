//! Opens files that may be anything: other users or programs may have created what is in a home
//! directory, a project, a cache or a mirror. Only regular files are opened: opening a named pipe
//! would wait, opening a device may have an effect, and reading either may never end. The amount of
//! data read is bounded.
//!
//! `tests/architecture.rs` refuses `File::open`, `fs::read` and similar calls everywhere else,
//! except in a list of places with their reasons.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

/// Opens a regular file for reading, or the one that a link leads to.
///
/// # Errors
/// If there is none, or it is something else: `IsADirectory` for a directory, `InvalidInput` for a
/// named pipe, a socket or a device.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path, true)
}

/// Does the same, but refuses a symbolic link: for places that goroam manages, out of which a link
/// would lead.
///
/// # Errors
/// As [`open`], and `InvalidInput` for a symbolic link.
pub fn open_no_link(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path, false)
}

/// Opens a file to lock it or to append to it, with these options. Only regular files are accepted.
/// A symbolic link is refused: it would lead to a file that others do not lock, or create one
/// elsewhere.
///
/// # Errors
/// As [`open_no_link`].
pub fn open_lock(options: &OpenOptions, path: &Path) -> io::Result<File> {
    open_with(options, path, false)
}

fn open_with(options: &OpenOptions, path: &Path, follow: bool) -> io::Result<File> {
    // The type is checked first: opening a device may have an effect, and a socket gives an unclear
    // error.
    let meta = if follow {
        path.metadata()
    } else {
        path.symlink_metadata()
    };
    match meta {
        Ok(meta) => is_regular(meta.file_type())?,
        // The options may allow creating it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    #[cfg(unix)]
    let options = {
        let mut flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        if !follow {
            flags |= libc::O_NOFOLLOW;
        }
        let mut options = options.clone();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
        options
    };
    let mut tries = 0;
    let file = loop {
        match options.open(path) {
            // A program holds a lease on it (fcntl(2)), as goroam does while it writes the go env
            // file in place: for well under a millisecond.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < 100 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => break opened?,
        }
    };
    // The open file decides, not the path, which can be exchanged in between.
    is_regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// Creates a new file for writing. Whatever exists at the path, including a link, is never opened.
///
/// # Errors
/// `AlreadyExists`, or if it cannot be created.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Opens a directory in order to write its entries to the disk. Not every system supports that.
///
/// # Errors
/// If it is not a directory, or the system cannot open directories.
pub fn open_folder(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_DIRECTORY | libc::O_NONBLOCK,
    );
    options.open(path)
}

/// Fails with the kind of the file if it is not a regular file.
fn is_regular(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "is a folder, not a file",
        ));
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, what(kind)))
}

#[cfg(unix)]
fn what(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;

    if kind.is_fifo() {
        "is a named pipe, not a file"
    } else if kind.is_socket() {
        "is a socket, not a file"
    } else if kind.is_symlink() {
        "is a symbolic link, not a file"
    } else {
        "is a device, not a file"
    }
}

#[cfg(not(unix))]
fn what(kind: FileType) -> &'static str {
    if kind.is_symlink() {
        "is a symbolic link, not a file"
    } else {
        "is not a regular file"
    }
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// As [`open`], and `FileTooLarge` if it is longer.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_open(&open(path)?, most)
}

/// Reads a regular file of at most `most` bytes; the path must not be a link.
///
/// # Errors
/// As [`open_no_link`], and `FileTooLarge` if it is longer.
pub fn read_no_link(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_open(&open_no_link(path)?, most)
}

/// As [`read`], with the path in the error.
///
/// # Errors
/// As [`read`].
pub fn read_named(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read(path, most)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Returns `None` if there is no such file, also if a part of the path is not a directory.
///
/// # Errors
/// Any other error of `read`.
pub fn if_any<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reports whether the error says that there is no such file.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Reads the text of a regular file of at most `most` bytes.
///
/// # Errors
/// As [`read`], and `InvalidData` if it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let bytes = read(path, most)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8"))
}

/// Copies a regular file of at most `most` bytes to a new file.
///
/// # Errors
/// As [`read`], or if the new one cannot be written.
pub fn copy(from: &Path, to: &Path, most: u64) -> io::Result<()> {
    std::fs::write(to, read(from, most)?)
}

/// Reads the rest of an open file, at most `most` bytes.
///
/// # Errors
/// If it cannot be read, and `FileTooLarge` if it is longer.
pub fn read_open(file: &File, most: u64) -> io::Result<Vec<u8>> {
    // Reserves room for all of it: `Take` does not know the length, and would read in small pieces.
    let length = file.metadata()?.len().min(most).saturating_add(1);
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
        return Ok(bytes);
    }
    let size = match most >> 20 {
        0 => format!("{} KiB", most >> 10),
        mebi => format!("{mebi} MiB"),
    };
    let why = format!("is longer than {size}");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, why))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::read;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        assert_eq!(read(&path, 4).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(super::if_any(read(&path, 4)).unwrap(), None);
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        let below_a_file = read(&path.join("g"), 4);
        assert_eq!(super::if_any(below_a_file).unwrap(), None);
        let error = super::if_any(super::read_named(&path, 4)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        let says = format!("{}: is longer than 0 KiB", path.display());
        assert_eq!(error.to_string(), says);
        std::fs::write(&path, vec![b'x'; (2 << 20) + 1]).unwrap();
        let error = read(&path, 2 << 20).unwrap_err();
        assert_eq!(error.to_string(), "is longer than 2 MiB");
        assert_eq!(read(&path, u64::MAX).unwrap().len(), (2 << 20) + 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo")
            .arg(at("pipe"))
            .status();
        assert!(made.unwrap().success());
        drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
        std::os::unix::fs::symlink(at("pipe"), at("link")).unwrap();
        let mut lock = std::fs::OpenOptions::new();
        lock.read(true).write(true).create(true).truncate(false);
        for (path, kind, says) in [
            (at(""), ErrorKind::IsADirectory, "is a folder, not a file"),
            (
                "/dev/zero".into(),
                ErrorKind::InvalidInput,
                "is a device, not a file",
            ),
            (
                at("pipe"),
                ErrorKind::InvalidInput,
                "is a named pipe, not a file",
            ),
            (
                at("socket"),
                ErrorKind::InvalidInput,
                "is a socket, not a file",
            ),
        ] {
            for error in [
                super::open(&path).unwrap_err(),
                super::open_no_link(&path).unwrap_err(),
                super::open_lock(&lock, &path).unwrap_err(),
            ] {
                assert_eq!((error.kind(), error.to_string()), (kind, says.to_owned()));
            }
        }
        let error = super::open(&at("link")).unwrap_err();
        assert_eq!(error.to_string(), "is a named pipe, not a file");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_only_where_it_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("new"), at("dangling")).unwrap();
        let mut lock = std::fs::OpenOptions::new();
        lock.write(true).create(true).truncate(false);
        assert_eq!(read(&at("link"), 9).unwrap(), b"x");
        for error in [
            super::read_no_link(&at("link"), 9).unwrap_err(),
            super::open_lock(&lock, &at("link")).unwrap_err(),
            super::open_lock(&lock, &at("dangling")).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "is a symbolic link, not a file");
        }
        assert!(!at("new").exists(), "nothing is made where a link leads");
        super::open_lock(&lock, &at("lock")).unwrap();
        assert!(super::create_new(&at("dangling")).is_err());
    }
}
