//! A file read from any offset through one buffer: the many small files of a zip lie side by side.

use std::io;

use rawzip::{FileReader, ReaderAt as _};

/// Bytes of each buffer.
pub(super) const BUFFER: usize = 128 << 10;

/// The file and the part of it that is in memory.
pub(super) struct Source<'a> {
    file: &'a FileReader,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    start: u64,
    /// How much of it is filled.
    filled: usize,
}

impl<'a> Source<'a> {
    /// A buffer of this many bytes, still empty.
    pub(super) fn new(file: &'a FileReader, room: usize) -> Source<'a> {
        Source {
            file,
            buffer: vec![0; room],
            start: 0,
            filled: 0,
        }
    }

    /// What is there from this offset on, at least `least` bytes (no more than the buffer holds).
    ///
    /// # Errors
    /// When the file ends before, or cannot be read.
    pub(super) fn from(&mut self, offset: u64, least: usize) -> io::Result<&[u8]> {
        let end = self.start + self.filled as u64;
        let mut skip = match offset.checked_sub(self.start) {
            Some(skip) if offset < end => usize::try_from(skip).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        if self.filled.saturating_sub(skip) < least {
            // Keep what is there of it, and read on behind.
            if skip < self.filled {
                self.buffer.copy_within(skip..self.filled, 0);
                self.filled -= skip;
            } else {
                self.filled = 0;
            }
            self.start = offset;
            skip = 0;
            self.fill(least)?;
        }
        self.buffer
            .get(skip..self.filled)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn fill(&mut self, least: usize) -> io::Result<()> {
        while self.filled < least {
            let at = self.start.checked_add(self.filled as u64);
            let (Some(at), Some(room)) = (at, self.buffer.get_mut(self.filled..)) else {
                break;
            };
            match self.file.read_at(room, at) {
                Ok(0) => break,
                Ok(more) => self.filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.filled < least {
            let why = "the zip ends within it";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        Ok(())
    }
}
