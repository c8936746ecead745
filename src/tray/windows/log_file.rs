//! The log of a program without standard error: a file of limited size.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use crate::state::file::private_folder;

/// Longest file in bytes; one earlier file is kept. A switch writes some hundred bytes.
const MOST: u64 = 512 << 10;

/// Appends to the file. At [`MOST`] bytes the file is renamed to `….1` and replaces the older file
/// of that name.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    most: u64,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    length: u64,
}

impl LogFile {
    /// Opens the file, or creates it with its directory.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn open(path: &Path) -> io::Result<LogFile> {
        LogFile::with_most(path, MOST)
    }

    fn with_most(path: &Path, most: u64) -> io::Result<LogFile> {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        Ok(LogFile {
            path: path.to_owned(),
            most,
            open: Mutex::new(Open::append(path)?),
        })
    }

    fn write_line(&self, line: &[u8]) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let length = line.len() as u64;
        if open.length > 0 && open.length + length > self.most {
            // If renaming fails (another program reads the old file without allowing a rename), the
            // log starts again: the size limit is more important than completeness.
            match std::fs::rename(&self.path, older(&self.path)) {
                Ok(()) => *open = Open::append(&self.path)?,
                Err(_) => {
                    // A handle for appending cannot truncate (Windows).
                    OpenOptions::new()
                        .write(true)
                        .open(&self.path)?
                        .set_len(0)?;
                    open.length = 0;
                }
            }
        }
        open.file.write_all(line)?;
        open.length += length;
        Ok(())
    }
}

fn older(path: &Path) -> PathBuf {
    let mut older = path.to_owned().into_os_string();
    older.push(".1");
    older.into()
}

impl Open {
    fn append(path: &Path) -> io::Result<Open> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(Open { file, length })
    }
}

/// Writes one event; the subscriber passes whole lines.
#[derive(Debug)]
pub(super) struct Line<'a>(&'a LogFile);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_line(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tracing_subscriber::fmt::MakeWriter as _;

    use super::{LogFile, older};

    #[test]
    fn a_log_of_years_is_two_files_of_bounded_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam").join("goroam.log");
        let log = LogFile::with_most(&path, 30).unwrap();
        for number in 0..10 {
            let line = format!("line {number} .\n");
            log.make_writer().write_all(line.as_bytes()).unwrap();
        }
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(path.clone()), "line 9 .\n");
        assert_eq!(read(older(&path)), "line 6 .\nline 7 .\nline 8 .\n");
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            2
        );
    }

    #[test]
    fn a_log_that_cannot_be_put_aside_starts_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam.log");
        // A file cannot replace a directory; on Windows, the same is true of a file that is being
        // read.
        std::fs::create_dir(older(&path)).unwrap();
        let log = LogFile::with_most(&path, 20).unwrap();
        for number in 0..10 {
            let line = format!("line {number} .\n");
            log.make_writer().write_all(line.as_bytes()).unwrap();
        }
        let read = std::fs::read_to_string(&path).unwrap();
        assert_eq!(read, "line 8 .\nline 9 .\n");
    }

    #[test]
    fn a_log_goes_on_where_the_last_run_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam.log");
        for line in ["first\n", "second\n"] {
            let log = LogFile::with_most(&path, 12).unwrap();
            log.make_writer().write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second\n");
        let log = LogFile::open(&path).unwrap();
        log.make_writer().write_all(b"third\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second\nthird\n");
    }
}
