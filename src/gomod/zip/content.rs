//! One file of a zip, unpacked while it is read and checked against what the zip states about it.

use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom, Take};

use rawzip::{FileReader, ReaderAt as _};
use zlib_rs::{Inflate, InflateFlush, Status};

/// The length of a file's local header, before its bytes (APPNOTE.TXT 4.3.7); its name and extra
/// field follow.
const LOCAL: usize = 30;
const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR_SIGNATURE: [u8; 4] = *b"PK\x07\x08";

/// One file of a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its full name, `MODULE@VERSION/relative/path`.
    pub name: String,
    /// Unpacked size in bytes, as stated in the zip.
    pub size: u64,
    /// The offset of its local header.
    pub(super) at: u64,
    /// Packed size in bytes.
    pub(super) packed: u64,
    pub(super) crc: u32,
    /// Whether it is packed with deflate; else it is stored.
    pub(super) is_deflated: bool,
    /// Whether its checksum is repeated after its bytes.
    pub(super) descriptor: bool,
}

impl Entry {
    /// Reports whether it is a directory, which go sums as an empty file.
    pub fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }
}

/// The zip, read through one buffer: its many small files are stored side by side.
pub(super) type Source<'f> = BufReader<Cursor<'f>>;

/// Creates a source with a buffer of this many bytes.
pub(super) fn source(file: &FileReader, room: usize) -> Source<'_> {
    BufReader::with_capacity(room, Cursor { file, at: 0 })
}

/// A position in a file that others read, too.
pub(super) struct Cursor<'f> {
    file: &'f FileReader,
    at: u64,
}

impl Read for Cursor<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(out, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The inflater's memory, reused for one file after another.
pub(super) struct Inflater(Inflate);

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater(Inflate::new(false, 15))
    }
}

/// The unread rest of one file.
pub(super) struct Content<'a, 'f> {
    /// Its packed bytes.
    packed: Take<&'a mut Source<'f>>,
    inflater: &'a mut Inflate,
    entry: &'a Entry,
    left: u64,
    crc: u32,
    /// Whether everything after the last byte has been checked.
    checked: bool,
}

impl<'a, 'f> Content<'a, 'f> {
    /// Starts at its first byte.
    pub(super) fn new(
        source: &'a mut Source<'f>,
        inflater: &'a mut Inflater,
        entry: &'a Entry,
    ) -> io::Result<Content<'a, 'f>> {
        inflater.0.reset(false);
        // go does not read the content of a directory either.
        let checked = entry.is_folder();
        if !checked {
            let now = source.get_ref().at - source.buffer().len() as u64;
            // Both are below the limit of a zip's length.
            source.seek_relative(entry.at as i64 - now as i64)?;
            let header: [u8; LOCAL] = next(source)?;
            if !header.starts_with(&LOCAL_SIGNATURE) {
                return Err(bad("the directory points to where no file is"));
            }
            let [.., a, b, c, d] = header;
            let lengths = u16::from_le_bytes([a, b]) as i64 + u16::from_le_bytes([c, d]) as i64;
            source.seek_relative(lengths)?;
        }
        Ok(Content {
            packed: source.take(entry.packed),
            inflater: &mut inflater.0,
            entry,
            left: entry.size,
            crc: 0,
            checked,
        })
    }

    /// Unpacks into `out`. 0: nothing is left.
    fn unpack(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !self.entry.is_deflated {
            return self.packed.read(out);
        }
        loop {
            let input = self.packed.fill_buf()?;
            let (was_in, was_out) = (self.inflater.total_in(), self.inflater.total_out());
            let status = self
                .inflater
                .decompress(input, out, InflateFlush::NoFlush)
                .map_err(|error| bad(error.as_str()))?;
            // Neither can exceed the length of the slices.
            let taken = (self.inflater.total_in() - was_in) as usize;
            let made = (self.inflater.total_out() - was_out) as usize;
            self.packed.consume(taken);
            if made > 0 || status == Status::StreamEnd {
                return Ok(made);
            }
            if taken == 0 {
                return Err(bad("its packed bytes end too early"));
            }
        }
    }

    /// Checks that nothing follows and that the checksum matches, as go does (`archive/zip`,
    /// `checksumReader`).
    fn check_end(&mut self) -> io::Result<()> {
        if self.unpack(&mut [0])? > 0 {
            return Err(bad("is longer than the zip says"));
        }
        if self.entry.descriptor {
            // go ignores bytes that remain after the end of the packed stream.
            let left = self.packed.limit();
            let source = self.packed.get_mut();
            source.seek_relative(left as i64)?;
            let mut crc: [u8; 4] = next(source)?;
            if crc == DESCRIPTOR_SIGNATURE {
                crc = next(source)?;
            }
            let _packed: [u8; 4] = next(source)?;
            if u32::from_le_bytes(crc) != self.entry.crc {
                return Err(bad("its checksum (CRC-32) is not the same in all places"));
            }
        }
        // A writer that did not know the checksum wrote 0, and go then does not check it.
        let unknown = self.entry.crc == 0 && !self.entry.descriptor;
        if self.crc != self.entry.crc && !unknown {
            return Err(bad("its bytes do not agree with its checksum (CRC-32)"));
        }
        Ok(())
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() || self.checked {
            return Ok(0);
        }
        if self.left == 0 {
            self.check_end()?;
            self.checked = true;
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let length = most.min(out.len());
        let out = out.get_mut(..length).unwrap_or_default();
        let made = self.unpack(out)?;
        if made == 0 {
            return Err(bad("is shorter than the zip says"));
        }
        self.crc = zlib_rs::crc32::crc32(self.crc, out.get(..made).unwrap_or_default());
        self.left = self.left.saturating_sub(made as u64);
        Ok(made)
    }
}

/// Reads the next bytes of the zip.
fn next<const N: usize>(source: &mut Source<'_>) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    match source.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(bad("the zip ends within it"))
        }
        read => read.map(|()| bytes),
    }
}

fn bad(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
