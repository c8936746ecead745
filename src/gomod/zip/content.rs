//! One file of a zip, unpacked as it is read and held to what the zip says of it.

use std::io::{self, Read};

use zlib_rs::{Inflate, InflateFlush, Status};

use super::directory::{Entry, Method};
use super::source::Source;

/// A file's own header before its bytes (APPNOTE.TXT 4.3.7); its name and extra field follow it.
const LOCAL: usize = 30;
const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR_SIGNATURE: [u8; 4] = *b"PK\x07\x08";

/// The inflater's memory, used for one file after another.
pub(super) struct Inflater(Inflate);

impl Inflater {
    pub(super) fn new() -> Inflater {
        Inflater(Inflate::new(false, 15))
    }
}

/// What is left to read of one file.
pub(super) struct Content<'a, 'f> {
    source: &'a mut Source<'f>,
    inflater: &'a mut Inflater,
    entry: &'a Entry,
    /// Where its next packed byte is.
    at: u64,
    packed_left: u64,
    left: u64,
    crc: u32,
    /// Everything after the last byte has been checked.
    checked: bool,
}

impl<'a, 'f> Content<'a, 'f> {
    /// At its first byte.
    pub(super) fn new(
        source: &'a mut Source<'f>,
        inflater: &'a mut Inflater,
        entry: &'a Entry,
    ) -> io::Result<Content<'a, 'f>> {
        inflater.0.reset(false);
        let mut content = Content {
            source,
            inflater,
            entry,
            at: 0,
            packed_left: entry.packed,
            left: entry.size,
            crc: 0,
            // go reads nothing of a folder either.
            checked: entry.is_folder(),
        };
        if !content.checked {
            let header = content.source.from(entry.at, LOCAL)?;
            if !header.starts_with(&LOCAL_SIGNATURE) {
                return Err(bad("the directory points to where no file is"));
            }
            let lengths = u64::from(number(header, 26)) + u64::from(number(header, 28));
            content.at = entry.at + LOCAL as u64 + lengths;
        }
        Ok(content)
    }

    /// Unpacks into `out`. 0: nothing is left.
    fn unpack(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input: &[u8] = match usize::try_from(self.packed_left) {
                Ok(0) => &[],
                most => {
                    let there = self.source.from(self.at, 1)?;
                    let most = most.unwrap_or(usize::MAX);
                    there.get(..most).unwrap_or(there)
                }
            };
            let (taken, made, ended) = match self.entry.method {
                Method::Stored => {
                    let length = input.len().min(out.len());
                    let both = out.get_mut(..length).zip(input.get(..length));
                    if let Some((out, input)) = both {
                        out.copy_from_slice(input);
                    }
                    (length, length, length == 0)
                }
                Method::Deflate => {
                    let inflate = &mut self.inflater.0;
                    let (was_in, was_out) = (inflate.total_in(), inflate.total_out());
                    let status = inflate
                        .decompress(input, out, InflateFlush::NoFlush)
                        .map_err(|error| bad(error.as_str()))?;
                    let taken = inflate.total_in() - was_in;
                    let made = inflate.total_out() - was_out;
                    // Neither can be more than the slices are long.
                    (
                        usize::try_from(taken).unwrap_or(input.len()),
                        usize::try_from(made).unwrap_or(out.len()),
                        status == Status::StreamEnd,
                    )
                }
            };
            self.at += taken as u64;
            self.packed_left = self.packed_left.saturating_sub(taken as u64);
            if made > 0 || ended {
                return Ok(made);
            }
            if taken == 0 {
                return Err(bad("its packed bytes end too early"));
            }
        }
    }

    /// Nothing may follow, and the checksum must agree, as go has it (`archive/zip`,
    /// `checksumReader`).
    fn check_end(&mut self) -> io::Result<()> {
        if self.unpack(&mut [0])? > 0 {
            return Err(bad("is longer than the zip says"));
        }
        // go passes over bytes that are left when the packed stream says that it is at its end.
        let end = self.at + self.packed_left;
        if self.entry.descriptor {
            let after = self.source.from(end, 4)?;
            let skip = usize::from(after.starts_with(&DESCRIPTOR_SIGNATURE)) * 4;
            let crc = self.source.from(end, skip + 8)?;
            let said = crc.get(skip..skip + 4).map(little);
            if said != Some(self.entry.crc) {
                return Err(bad("its checksum (CRC-32) is not the same in all places"));
            }
        }
        // A writer that knew none left it 0, and go does not look then.
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

fn bad(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A 16-bit number of a header that is long enough.
fn number(header: &[u8], at: usize) -> u16 {
    let bytes = header.get(at..at + 2).unwrap_or_default();
    bytes
        .iter()
        .rev()
        .fold(0, |sum, b| sum << 8 | u16::from(*b))
}

fn little(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, b| sum << 8 | u32::from(*b))
}
