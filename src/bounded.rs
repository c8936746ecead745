//! Reading files that may be anything: what lies in a home, a project or a cache may have been
//! put there by anybody. Nobody waits for a pipe's writer, and nobody reads without end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// Opens a regular file for reading, or what a link to one leads to.
///
/// # Errors
/// When there is none, or it is something else: `IsADirectory` for a folder, `InvalidInput` for
/// a pipe or a device.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Opening a pipe would wait for somebody to write into it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    // The open file is asked, not the path: nobody can swap it in between.
    let meta = file.metadata()?;
    if meta.is_file() {
        return Ok(file);
    }
    let (kind, what) = match meta.is_dir() {
        true => (io::ErrorKind::IsADirectory, "is a folder, not a file"),
        false => (io::ErrorKind::InvalidInput, "is not a regular file"),
    };
    Err(io::Error::new(kind, what))
}

/// The bytes of a regular file, at most so many.
///
/// # Errors
/// As [`open`], and `FileTooLarge` when it is longer.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_open(&open(path)?, most)
}

/// The rest of an open file, at most so many bytes.
///
/// # Errors
/// When it cannot be read, and `FileTooLarge` when it is longer.
pub fn read_open(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
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
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        let error = read(&path, 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        std::fs::write(&path, vec![b'x'; (2 << 20) + 1]).unwrap();
        let error = read(&path, 2 << 20).unwrap_err();
        assert_eq!(error.to_string(), "is longer than 2 MiB");
        assert_eq!(read(&path, u64::MAX).unwrap().len(), (2 << 20) + 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_a_device_and_a_pipe_are_none_and_nobody_waits_for_the_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |path: &std::path::Path| super::open(path).unwrap_err().kind();
        assert_eq!(kind(folder.path()), ErrorKind::IsADirectory);
        assert_eq!(kind("/dev/zero".as_ref()), ErrorKind::InvalidInput);
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert_eq!(kind(&pipe), ErrorKind::InvalidInput);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        assert_eq!(kind(&link), ErrorKind::InvalidInput);
    }
}
