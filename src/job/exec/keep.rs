//! What a command has said, as far as it is needed to judge it: bounded, however much it says.

/// At least this much of its end is kept as it is, in bytes. A failing go prints a few hundred; a failing
/// `make test` may print its logs behind that.
const TAIL: usize = 256 << 10;
/// Lines from before that are kept if go's own failures look like them, in bytes.
const TELLING: usize = 64 << 10;
/// A longer line is no line of go's; it is judged by its beginning. In bytes.
const LINE: usize = 4 << 10;

/// What go's failures hold, and little else: a request's URL, a lookup, a checksum, a download.
const MARKS: [&str; 8] = [
    "/@v/",
    "/@latest",
    "/sumdb/",
    "SECURITY ERROR",
    "checksum mismatch",
    "module lookup disabled",
    "dial tcp",
    "go: ",
];

/// A bounded copy of a stream of text.
#[derive(Debug, Default)]
pub(super) struct Keep {
    telling: Vec<u8>,
    /// Up to twice [`TAIL`], so that bytes are seldom moved.
    tail: Vec<u8>,
    /// The line that is being pushed out of the tail.
    leaving: Vec<u8>,
}

impl Keep {
    /// Takes what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(TAIL) {
            self.tail.extend_from_slice(part);
            if self.tail.len() > 2 * TAIL {
                let out: Vec<u8> = self.tail.drain(..self.tail.len() - TAIL).collect();
                self.leave(&out);
            }
        }
    }

    fn leave(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE.saturating_sub(self.leaving.len());
            self.leaving.extend(&line[..line.len().min(room)]);
            if line.last() != Some(&b'\n') {
                continue;
            }
            let whole = std::mem::take(&mut self.leaving);
            let fits = self.telling.len() + whole.len() < TELLING;
            if fits && is_telling(&whole) {
                self.telling.extend(&whole);
                if whole.last() != Some(&b'\n') {
                    self.telling.push(b'\n');
                }
            }
        }
    }

    /// All that was kept, in order. Bytes that are no UTF-8 are replaced.
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

fn is_telling(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    // `go: downloading` comes by the hundred in a good run.
    !line.starts_with("go: downloading ") && MARKS.iter().any(|mark| line.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::{Keep, TAIL, TELLING};

    #[test]
    fn a_short_text_is_kept_as_it_is() {
        let mut keep = Keep::default();
        keep.push(b"one\ntw");
        keep.push(b"o\n\n");
        assert_eq!(keep.text(), "one\ntwo\n\n");
        assert_eq!(keep.last_line(), "two");
        assert_eq!(Keep::default().last_line(), "");
    }

    #[test]
    fn a_telling_line_survives_any_amount_of_noise() {
        let mut keep = Keep::default();
        keep.push(b"noise\ngo: downloading a v1\ngo: a@v1: Get \"http://x/a/@v/v1.zip\": E");
        keep.push(b"OF\nmore");
        for _ in 0..2000 {
            keep.push(&[b'x'; 1000]);
            keep.push(b"\n");
        }
        let text = keep.text();
        assert!(text.starts_with("go: a@v1: Get \"http://x/a/@v/v1.zip\": EOF\n"));
        assert!(!text.contains("downloading") && !text.contains("noise"));
        assert!(text.len() <= 2 * TAIL + TELLING + super::LINE);
    }

    #[test]
    fn nothing_makes_it_grow() {
        let mut keep = Keep::default();
        for _ in 0..50 {
            keep.push(&vec![b'y'; TAIL + 7]);
            keep.push("go: dial tcp\n".repeat(10_000).as_bytes());
        }
        assert!(keep.text().len() <= 2 * TAIL + TELLING + super::LINE);
        assert!(keep.tail.capacity() <= 4 * TAIL);
    }
}
