//! What a hop sends, stored until it is complete and verified: small files in memory, zips in a
//! file without a name, so that nothing is left after a kill.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;
use url::Url;

use super::watchdog::progress;
use crate::gomod::zip::{self, ModZip, ZipError};
use crate::probe::{BodySink, Download, FilePart};

/// The longest file that is not a zip: go's limit for a go.mod, and far more than any list has.
pub(super) const MOST_SMALL: u64 = 16 << 20;

/// Less than this is fetched again rather than continued.
const LEAST_PARTIAL: u64 = 64 << 10;
/// What all zips together may take on the disk: 32 of go's greatest length.
const MOST_STORED: u64 = 16 << 30;
/// The same on a machine whose only file systems are in memory.
const MOST_IN_MEMORY: u64 = 256 << 20;
/// What they take now.
static STORED: AtomicU64 = AtomicU64::new(0);

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
    /// Two answers of a server, or of two, were put together.
    is_spliced: bool,
    /// `None`: a file of a mirror.
    _room: Option<Room>,
}

/// The part of the room on the disk that a zip takes; given back when it is no longer read.
#[derive(Debug)]
struct Room {
    taken: u64,
    most: u64,
    of: &'static AtomicU64,
}

impl Room {
    fn take(&mut self, more: u64) -> io::Result<()> {
        let before = self.of.fetch_add(more, Ordering::Relaxed);
        self.taken += more;
        match before + more <= self.most {
            true => Ok(()),
            false => {
                let most = self.most >> 20;
                let why = format!("all zips that are on their way take more than {most} MiB");
                Err(io::Error::other(why))
            }
        }
    }

    fn empty(&mut self) {
        self.of.fetch_sub(self.taken, Ordering::Relaxed);
        self.taken = 0;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.empty();
    }
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
        Content::new(file, None, false)
    }

    fn new(file: File, room: Option<Room>, is_spliced: bool) -> io::Result<Content> {
        let length = file.metadata()?.len();
        Ok(Content::File(Arc::new(SpooledFile {
            file,
            length,
            is_spliced,
            _room: room,
        })))
    }

    /// Reports whether two answers were put together: if it is wrong, it may be right from the start.
    pub(super) fn is_spliced(&self) -> bool {
        match self {
            Content::Memory(_) => false,
            Content::File(file) => file.is_spliced,
        }
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

/// The beginning of a zip whose end did not come. A server that still has the same file is asked for
/// the rest only.
#[derive(Debug)]
pub(super) struct Partial {
    file: (File, Room),
    /// The missing part.
    rest: FilePart,
}

/// A file on its way.
#[derive(Debug)]
pub(super) struct Spool(Arc<Mutex<Spooled>>);

#[derive(Debug, Default)]
struct Spooled {
    /// Zips are written here.
    folder: Option<PathBuf>,
    memory: Vec<u8>,
    file: Option<(File, Room)>,
    length: u64,
    /// What the server says of the file that is coming.
    part: Option<FilePart>,
    is_spliced: bool,
    /// Why this machine cannot store it.
    trouble: Option<String>,
}

impl Spool {
    /// A small file.
    pub(super) fn in_memory() -> Spool {
        Spool(Arc::default())
    }

    /// A zip, which is stored in this folder; the beginning of it may be there.
    pub(super) fn on_disk(folder: &Path, partial: Option<Partial>) -> Spool {
        let mut spooled = Spooled {
            folder: Some(folder.to_owned()),
            ..Spooled::default()
        };
        if let Some(Partial { file, rest }) = partial {
            spooled.length = rest.from;
            (spooled.file, spooled.part) = (Some(file), Some(rest));
        }
        Spool(Arc::new(Mutex::new(spooled)))
    }

    /// What writes into it. `started` hears of the first byte.
    pub(super) fn download(
        &self,
        stall: Duration,
        started: Option<Started>,
        never_to: Vec<Url>,
    ) -> Download {
        let spooled = lock(&self.0);
        Download {
            most: match spooled.folder {
                None => MOST_SMALL,
                Some(_) => zip::MOST,
            },
            stall,
            resume: spooled.part.clone(),
            never_to,
            sink: Box::new(SpoolSink {
                into: Arc::clone(&self.0),
                started,
            }),
        }
    }

    /// Why this machine cannot store it, if that is so.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.0).trouble.clone()
    }

    /// What came before the download failed, if the rest of it can be asked for.
    pub(super) fn partial(self) -> Option<Partial> {
        let mut spooled = lock(&self.0);
        let part = spooled.part.take()?;
        let is_worth_it = spooled.length >= LEAST_PARTIAL
            && part.etag.is_some()
            && part.total.is_some_and(|total| spooled.length < total);
        let rest = FilePart {
            from: spooled.length,
            ..part
        };
        let file = spooled.file.take().filter(|_| is_worth_it)?;
        Some(Partial { file, rest })
    }

    /// The whole file.
    pub(super) fn finish(self) -> io::Result<Content> {
        let mut spooled = lock(&self.0);
        match spooled.file.take() {
            Some((file, room)) => Content::new(file, Some(room), spooled.is_spliced),
            None => Ok(Content::Memory(std::mem::take(&mut spooled.memory).into())),
        }
    }
}

struct SpoolSink {
    into: Arc<Mutex<Spooled>>,
    started: Option<Started>,
}

impl BodySink for SpoolSink {
    fn begin(&mut self, part: &FilePart) -> io::Result<()> {
        let mut into = lock(&self.into);
        let begun = into.begin(part);
        into.note(begun)
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        progress();
        if let Some(started) = self.started.take() {
            // Without a listener the request is decided already.
            let _ = started.to.send(started.hop);
        }
        let mut into = lock(&self.into);
        let written = into.write(data);
        into.note(written)
    }
}

impl Spooled {
    fn begin(&mut self, part: &FilePart) -> io::Result<()> {
        self.is_spliced = part.from > 0;
        if !self.is_spliced {
            self.length = 0;
            if let Some((file, room)) = &mut self.file {
                room.empty();
                file.set_len(0)?;
                file.rewind()?;
            }
        }
        self.part = Some(part.clone());
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            self.memory.extend_from_slice(data);
            return Ok(());
        };
        if self.file.is_none() {
            self.file = Some(new_file(folder)?);
        }
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if let Some((file, room)) = &mut self.file {
            room.take(length)?;
            file.write_all(data)?;
        }
        self.length += length;
        Ok(())
    }

    fn note(&mut self, stored: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &stored {
            self.trouble = Some(error.to_string());
        }
        stored
    }
}

/// A file without a name in this folder, or where files outlive a restart if the folder is in
/// memory: a hundred zips have no room there. A home that is read-only must not fail a build.
fn new_file(folder: &Path) -> io::Result<(File, Room)> {
    let mut trouble = std::fs::create_dir_all(folder).err();
    let temporary = std::env::temp_dir();
    let places = [folder, Path::new("/var/tmp"), &temporary];
    let (disks, memory): (Vec<&Path>, Vec<&Path>) =
        places.iter().partition(|place| is_on_disk(place));
    let disks = disks.into_iter().map(|place| (place, MOST_STORED));
    let memory = memory.into_iter().map(|place| (place, MOST_IN_MEMORY));
    for (place, most) in disks.chain(memory) {
        match tempfile::tempfile_in(place) {
            Ok(file) => {
                let room = Room {
                    taken: 0,
                    most,
                    of: &STORED,
                };
                return Ok((file, room));
            }
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    Err(trouble.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

#[cfg(target_os = "linux")]
fn is_on_disk(folder: &Path) -> bool {
    // TMPFS_MAGIC of `linux/magic.h`; the field's type depends on the processor.
    rustix::fs::statfs(folder).is_ok_and(|system| system.f_type != 0x0102_1994)
}

#[cfg(not(target_os = "linux"))]
fn is_on_disk(_folder: &Path) -> bool {
    true
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, from)
}

#[cfg(windows)]
fn read_at(file: &File, into: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, from)
}

/// Locks it. What the relay's locks guard is changed by single statements or pieces: it is whole even
/// after a panic.
pub(super) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_that_exceeds_the_room_for_all_is_refused_and_room_comes_back() {
        static ALL: AtomicU64 = AtomicU64::new(0);
        let room = || Room {
            taken: 0,
            most: 2 << 20,
            of: &ALL,
        };
        let (mut first, mut second) = (room(), room());
        first.take(1 << 20).unwrap();
        second.take(1 << 20).unwrap();
        let why = second.take(1).unwrap_err().to_string();
        assert_eq!(why, "all zips that are on their way take more than 2 MiB");
        drop(second);
        first.take(1 << 20).unwrap();
        drop(first);
        assert_eq!(ALL.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_zip_is_stored_elsewhere_if_the_folder_cannot_be_made() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(new_file(&file.path().join("relay")).is_ok());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_zip_is_not_stored_in_memory_if_there_is_a_disk() {
        use std::os::unix::fs::MetadataExt as _;

        let [memory, disk] = ["/dev/shm", "/var/tmp"].map(Path::new);
        assert!(!is_on_disk(memory));
        let folder = tempfile::tempdir_in(memory).unwrap();
        let (file, room) = new_file(&folder.path().join("relay")).unwrap();
        let is_in_memory =
            file.metadata().unwrap().dev() == folder.path().metadata().unwrap().dev();
        assert_eq!(is_in_memory, !is_on_disk(disk));
        assert_eq!(room.most == MOST_IN_MEMORY, is_in_memory);
    }
}
