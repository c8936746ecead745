//! Keeps of a command's output what is needed to judge it: bounded, however much it writes.

use std::io::BufRead as _;

/// At least this much of its end is kept as it is, in bytes. A failing go prints a few hundred; a failing
/// `make test` may print its logs behind that.
const TAIL: usize = 256 << 10;
/// Lines from before that are kept if go's own failures look like them, in bytes.
const TELLING: usize = 64 << 10;
/// A longer line is not go's; it is judged by its beginning. In bytes.
const LINE: usize = 4 << 10;

/// What go's failures hold, and little else: a request's URL, a lookup, a checksum, a download.
const MARKS: [&str; 8] = [
    "go: ",
    "/@v/",
    "/@latest",
    "/sumdb/",
    "SECURITY ERROR",
    "checksum mismatch",
    "module lookup disabled",
    "dial tcp",
];

/// Lines after a telling one that belong to it: the hashes behind `checksum mismatch`, the
/// sentence behind `SECURITY ERROR` (modfetch/fetch.go:checkModSum).
const BEHIND: u8 = 3;

/// A bounded copy of a stream of text.
#[derive(Debug, Default)]
pub(super) struct KeptOutput {
    telling: Vec<u8>,
    /// Up to twice [`TAIL`], so that bytes are seldom moved.
    tail: Vec<u8>,
    /// The line that is being pushed out of the tail.
    leaving: Vec<u8>,
    /// How many lines still belong to the last telling one.
    behind: u8,
    /// How much of `telling` that one may fill, in bytes.
    most: usize,
    /// A line that may be go's message of a mismatch found no room.
    lost_mismatch: bool,
}

impl KeptOutput {
    /// Takes what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(TAIL) {
            self.tail.extend_from_slice(part);
            if self.tail.len() > 2 * TAIL {
                let mut tail = std::mem::take(&mut self.tail);
                let out = tail.len() - TAIL;
                self.leave(&tail[..out]);
                tail.drain(..out);
                self.tail = tail;
            }
        }
    }

    fn leave(&mut self, mut bytes: &[u8]) {
        while let Some(line) = next_line(&mut bytes) {
            if !line.ends_with(b"\n") {
                self.begin(line);
            } else if self.leaving.is_empty() {
                self.weigh(&line[..line.len().min(LINE)]);
            } else {
                self.begin(line);
                let whole = std::mem::take(&mut self.leaving);
                self.weigh(&whole);
            }
        }
    }

    fn begin(&mut self, line: &[u8]) {
        let room = LINE.saturating_sub(self.leaving.len());
        self.leaving
            .extend_from_slice(&line[..line.len().min(room)]);
    }

    /// Keeps the line if it may be go's failure, or belongs to one that is.
    fn weigh(&mut self, line: &[u8]) {
        if let Some(most) = room_for(line) {
            (self.behind, self.most) = (BEHIND, most);
        } else if self.behind > 0 {
            self.behind -= 1;
        } else {
            return;
        }
        if self.telling.len() + line.len() < self.most {
            self.telling.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                self.telling.push(b'\n');
            }
        } else if self.most > TELLING {
            self.lost_mismatch = true;
        }
    }

    /// Whether more lines that look like a mismatch came than could be kept. Then one of go's own may
    /// be among those that are lost: a server that floods the copy must not hide it.
    pub(super) fn lost_mismatch(&self) -> bool {
        self.lost_mismatch
    }

    /// All that was kept, in order. Bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self) -> String {
        let all = [self.telling.as_slice(), &self.leaving, &self.tail].concat();
        String::from_utf8_lossy(&all).into_owned()
    }

    /// The last whole line that is not empty.
    pub(super) fn last_line(&self) -> String {
        let backwards = self.tail.iter().rev().copied();
        let mut line: Vec<u8> = backwards
            .skip_while(|byte| byte.is_ascii_whitespace())
            .take_while(|byte| *byte != b'\n')
            .take(LINE)
            .collect();
        line.reverse();
        String::from_utf8_lossy(&line).into_owned()
    }
}

/// The next line with its end, or what there is of it. The search is the system's memchr(3):
/// a command may print a gigabyte.
pub(super) fn next_line<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let all: &'a [u8] = bytes;
    // Reading from a slice cannot fail.
    let count = bytes.skip_until(b'\n').unwrap_or(0);
    all.get(..count).filter(|line| !line.is_empty())
}

/// Up to which size of all that is kept a line is worth keeping; `None` if it is not a failure. A
/// mismatch has its own room, however much else was printed: it decides.
fn room_for(line: &[u8]) -> Option<usize> {
    // A search for a byte is far cheaper than one for a word. What holds a mark but the first
    // one also holds a version, a quoted URL, GOPROXY or SECURITY.
    let many = [b'@', b'"', b'Y'].iter().any(|byte| line.contains(byte));
    let marks = if many { &MARKS[..] } else { &MARKS[..1] };
    if !many && !line.contains(&b':') {
        return None;
    }
    let line = String::from_utf8_lossy(line);
    // `go: downloading` comes by the hundred in a good run.
    if line.starts_with("go: downloading ") || !marks.iter().any(|mark| line.contains(mark)) {
        return None;
    }
    let grave = line.contains("checksum mismatch") || line.contains("SECURITY ERROR");
    Some(if grave { 2 * TELLING } else { TELLING })
}

#[cfg(test)]
mod tests {
    use super::{KeptOutput, TAIL, TELLING};

    #[test]
    fn a_short_text_is_kept_as_it_is() {
        let mut keep = KeptOutput::default();
        keep.push(b"one\ntw");
        keep.push(b"o\n\n");
        assert_eq!(keep.text(), "one\ntwo\n\n");
        assert_eq!(keep.last_line(), "two");
        assert_eq!(KeptOutput::default().last_line(), "");
    }

    #[test]
    fn a_telling_line_survives_any_amount_of_noise() {
        let mut keep = KeptOutput::default();
        keep.push(b"noise\ngo: downloading a v1\ngo: a@v1: Get \"http://x/a/@v/v1.zip\": E");
        keep.push(b"OF\nmore");
        for _ in 0..2000 {
            keep.push(&[b'x'; 1000]);
            keep.push(b"\n");
        }
        let text = keep.text();
        assert!(text.starts_with("go: a@v1: Get \"http://x/a/@v/v1.zip\": EOF\n"));
        assert!(!text.contains("downloading") && !text.contains("noise"));
        assert!(text.len() <= 2 * (TAIL + TELLING) + super::LINE);
    }

    #[test]
    fn a_mismatch_is_kept_with_what_belongs_to_it_however_much_else_was_said() {
        let mismatch = "verifying a.test/m@v1.0.0: checksum mismatch\n\tdownloaded: h1:A\n\tgo.sum:     h1:B\n\nSECURITY ERROR\nThis download does NOT match an earlier download recorded in go.sum.\n";
        let mut keep = KeptOutput::default();
        keep.push("go: dial tcp\n".repeat(TELLING).as_bytes());
        keep.push(mismatch.as_bytes());
        keep.push("noise: it goes on\n".repeat(2 * TAIL).as_bytes());
        assert!(keep.text().contains(mismatch));
    }

    #[test]
    fn nothing_makes_it_grow() {
        let mut keep = KeptOutput::default();
        for _ in 0..50 {
            keep.push(&vec![b'y'; TAIL + 7]);
            keep.push("go: dial tcp\n".repeat(10_000).as_bytes());
        }
        assert!(keep.text().len() <= 2 * (TAIL + TELLING) + super::LINE);
        assert!(keep.tail.capacity() <= 4 * TAIL);
    }
}
