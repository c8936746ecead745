//! Bodies that are packed, as go unpacks them: it asks for gzip and for nothing else.

use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

/// The window of 32 KB, and the header and trailer of gzip around it.
const GZIP: u8 = 15 + 16;
/// A file may be packed in pieces; thousands of empty ones are an attack.
const MOST_PIECES: usize = 1000;

/// Unpacks a body as it comes.
pub(super) struct Gunzip {
    inflate: Inflate,
    pieces: usize,
    /// Behind the end of a piece. Another may follow.
    between: bool,
}

/// It is not gzip.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotGzip;

impl Gunzip {
    pub(super) fn new() -> Gunzip {
        Gunzip {
            inflate: Inflate::new(true, GZIP),
            pieces: 1,
            between: false,
        }
    }

    /// Unpacks `input` into `out`, no further than to `most` bytes there.
    pub(super) fn push(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        most: usize,
    ) -> Result<(), NotGzip> {
        let mut room = [0; 8192];
        loop {
            if self.between && !input.is_empty() {
                if self.pieces == MOST_PIECES {
                    return Err(NotGzip);
                }
                *self = Gunzip {
                    pieces: self.pieces + 1,
                    ..Gunzip::new()
                };
            }
            let (was_in, was_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, &mut room, InflateFlush::NoFlush);
            let taken = usize::try_from(self.inflate.total_in() - was_in).unwrap_or(usize::MAX);
            let made = usize::try_from(self.inflate.total_out() - was_out).unwrap_or(usize::MAX);
            out.extend_from_slice(room.get(..made).unwrap_or_default());
            input = input.get(taken..).unwrap_or_default();
            match status {
                Ok(Status::StreamEnd) => self.between = true,
                Ok(Status::Ok | Status::BufError) => {}
                Err(_) => return Err(NotGzip),
            }
            let full = out.len() >= most;
            let done = input.is_empty() && (made < room.len() || self.between);
            if full || done || (taken == 0 && made == 0 && !self.between) {
                return Ok(());
            }
        }
    }

    /// Has it come to an end?
    pub(super) fn is_whole(&self) -> bool {
        self.between
    }
}

impl fmt::Debug for Gunzip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gunzip").finish_non_exhaustive()
    }
}

// gzip itself packs what is unpacked.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut gzip = Command::new("gzip")
            .arg("-c")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        gzip.stdin.take().unwrap().write_all(text).unwrap();
        gzip.wait_with_output().unwrap().stdout
    }

    fn unpack(input: &[u8], step: usize, most: usize) -> Result<(Vec<u8>, bool), NotGzip> {
        let (mut gunzip, mut out) = (Gunzip::new(), Vec::new());
        for part in input.chunks(step) {
            gunzip.push(part, &mut out, most)?;
        }
        Ok((out, gunzip.is_whole()))
    }

    #[test]
    fn what_gzip_has_packed_is_unpacked_in_pieces_of_any_size() {
        let text: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
        let (one, two) = text.split_at(100_001);
        let both = [packed(one), packed(b""), packed(two)].concat();
        for step in [1, 7, 1000, both.len()] {
            assert_eq!(unpack(&both, step, usize::MAX), Ok((text.clone(), true)));
        }
        let cut = both.get(..both.len() - 1).unwrap();
        assert_eq!(unpack(cut, 1000, usize::MAX), Ok((text, false)));
    }

    #[test]
    fn what_is_not_gzip_is_refused() {
        assert_eq!(unpack(b"{\"Version\":\"v1\"}", 100, 100), Err(NotGzip));
        let behind = [packed(b"x"), b"y".to_vec()].concat();
        assert!(matches!(
            unpack(&behind, 100, 100),
            Err(NotGzip) | Ok((_, false))
        ));
        let mut damaged = packed(b"the checksum says otherwise");
        let end = damaged.len() - 8;
        damaged[end] ^= 1;
        assert_eq!(unpack(&damaged, 100, 100), Err(NotGzip));
    }

    #[test]
    fn a_bomb_ends_at_the_bound() {
        let bomb = packed(&vec![0; 50 << 20]);
        let (out, _) = unpack(&bomb, bomb.len(), 10_000).unwrap();
        assert!(out.len() < 20_000, "{}", out.len());
        let pieces = packed(b"").repeat(5000);
        assert_eq!(unpack(&pieces, pieces.len(), 10_000), Err(NotGzip));
    }
}
