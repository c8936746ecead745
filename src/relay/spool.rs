//! What a hop sends, stored until it is complete and verified: small files in memory, zips in a
//! file without a name, so that nothing is left after a kill.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;

use crate::gomod::zip::{self, ModZip, ZipError};
use crate::probe::Download;

/// The longest file that is not a zip: go's limit for a go.mod, and far more than any list has.
pub(super) const MOST_SMALL: u64 = 16 << 20;

/// A whole file.
#[derive(Debug, Clone)]
pub enum Content {
    /// A small one.
    Memory(Bytes),
    /// A zip, or a file of a mirror.
    File(Arc<SpooledFile>),
}

/// An open file of known length.
#[derive(Debug)]
pub struct SpooledFile {
    file: File,
    length: u64,
}

impl Content {
    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Content::Memory(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Content::File(file) => file.length,
        }
    }

    /// Uses an open file.
    pub(super) fn of_file(file: File) -> io::Result<Content> {
        let length = file.metadata()?.len();
        Ok(Content::File(Arc::new(SpooledFile { file, length })))
    }

    /// Reads up to `most` bytes from this offset; empty at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn piece(&self, from: u64, most: usize) -> io::Result<Bytes> {
        match self {
            Content::Memory(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                let to = from.saturating_add(most).min(bytes.len());
                Ok(bytes.slice(from..to))
            }
            Content::File(file) => {
                let left = usize::try_from(file.length.saturating_sub(from)).unwrap_or(usize::MAX);
                let mut piece = vec![0; left.min(most)];
                let length = read_at(&file.file, &mut piece, from)?;
                if length == 0 && left > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                piece.truncate(length);
                Ok(piece.into())
            }
        }
    }

    /// The bytes of a small file; empty for a zip.
    pub(super) fn bytes(&self) -> Bytes {
        match self {
            Content::Memory(bytes) => bytes.clone(),
            Content::File(_) => Bytes::new(),
        }
    }

    /// The go.sum hash of a zip.
    pub(super) fn zip_hash(&self) -> Result<String, ZipError> {
        let name = Path::new("the zip");
        match self {
            Content::File(file) => {
                let file = file.file.try_clone();
                let file = file.map_err(|error| ZipError {
                    path: name.to_owned(),
                    is_unreadable: true,
                    why: error.to_string(),
                })?;
                ModZip::of(file.into(), name)?.h1()
            }
            Content::Memory(_) => Err(ZipError {
                path: name.to_owned(),
                is_unreadable: false,
                why: "is empty".to_owned(),
            }),
        }
    }
}

/// A hop, and the channel that hears of the first byte of its file.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) hop: usize,
    pub(super) to: UnboundedSender<usize>,
}

/// A file on its way.
#[derive(Debug)]
pub(super) struct Spool(Arc<Mutex<Spooled>>);

#[derive(Debug)]
struct Spooled {
    /// Zips are written here.
    folder: Option<PathBuf>,
    memory: Vec<u8>,
    file: Option<File>,
    /// Why this machine cannot store it.
    trouble: Option<String>,
}

impl Spool {
    /// A small file.
    pub(super) fn in_memory() -> Spool {
        Spool::new(None)
    }

    /// A zip, which is stored in this folder.
    pub(super) fn on_disk(folder: &Path) -> Spool {
        Spool::new(Some(folder.to_owned()))
    }

    fn new(folder: Option<PathBuf>) -> Spool {
        Spool(Arc::new(Mutex::new(Spooled {
            folder,
            memory: Vec::new(),
            file: None,
            trouble: None,
        })))
    }

    /// What writes into it. `started` hears of the first byte.
    pub(super) fn download(&self, stall: Duration, mut started: Option<Started>) -> Download {
        let into = Arc::clone(&self.0);
        let is_small = lock(&into).folder.is_none();
        Download {
            write: Box::new(move |data| {
                if let Some(started) = started.take() {
                    // Without a listener the request is decided already.
                    let _ = started.to.send(started.hop);
                }
                let mut into = lock(&into);
                let written = into.write(data);
                if let Err(error) = &written {
                    into.trouble = Some(error.to_string());
                }
                written
            }),
            most: if is_small { MOST_SMALL } else { zip::MOST },
            stall,
        }
    }

    /// Why this machine cannot store it, if that is so.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.0).trouble.clone()
    }

    /// The whole file.
    pub(super) fn finish(self) -> io::Result<Content> {
        let mut spooled = lock(&self.0);
        match spooled.file.take() {
            Some(file) => Content::of_file(file),
            None => Ok(Content::Memory(std::mem::take(&mut spooled.memory).into())),
        }
    }
}

impl Spooled {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            self.memory.extend_from_slice(data);
            return Ok(());
        };
        if self.file.is_none() {
            std::fs::create_dir_all(folder)?;
            self.file = Some(tempfile::tempfile_in(folder)?);
        }
        match &mut self.file {
            Some(file) => file.write_all(data),
            None => Ok(()),
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, from)
}

#[cfg(windows)]
fn read_at(file: &File, into: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, from)
}

fn lock(spooled: &Mutex<Spooled>) -> MutexGuard<'_, Spooled> {
    // What was written is whole pieces, even if a thread panicked while it held the lock.
    spooled.lock().unwrap_or_else(PoisonError::into_inner)
}
