//! go's own words out of its JSON: `go build -json` and `go test -json` (1.24 and later) wrap
//! them into `build-output` events on standard output (`go help buildjson`), and
//! `go mod download -json` into `"Error"` (cmd/go/internal/modcmd/download.go).

use super::classify::JsonWords;
use super::keep::next_line;

/// A longer line is no event of a build; a test's output may be. In bytes.
const LONGEST: usize = 64 << 10;

/// Lines of JSON, put together from what comes.
#[derive(Debug, Default)]
pub(super) struct Unwrap {
    line: Vec<u8>,
    too_long: bool,
    words: JsonWords,
}

impl Unwrap {
    /// Takes what came; hands on the words in it.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut keep: impl FnMut(&[u8])) {
        while let Some(part) = next_line(&mut bytes) {
            self.too_long |= self.line.len() + part.len() > LONGEST;
            if !self.too_long {
                self.line.extend_from_slice(part);
            }
            if part.last() == Some(&b'\n') {
                let line = if self.too_long {
                    ""
                } else {
                    std::str::from_utf8(&self.line).unwrap_or_default()
                };
                if let Some(words) = self.words.next(line) {
                    keep(words.as_bytes());
                }
                self.line.clear();
                self.too_long = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Unwrap};

    fn kept(parts: &[&[u8]]) -> String {
        let (mut unwrap, mut kept) = (Unwrap::default(), Vec::new());
        for part in parts {
            unwrap.push(part, |words| kept.extend(words));
        }
        String::from_utf8(kept).unwrap()
    }

    #[test]
    fn what_go_says_of_a_build_is_kept_and_what_a_test_prints_is_not() {
        let text: &[u8] = br#"{"ImportPath":"w","Action":"build-output","Output":"w.go:3:8: E\n"}
{"Action":"output","Package":"w","Output":"dial tcp: connection refused\n"}
not json
{"ImportPath":"w","Action":"build-fail"}
"#;
        assert_eq!(kept(&[text]), "w.go:3:8: E\n");
        let bytes: Vec<&[u8]> = text.chunks(7).collect();
        assert_eq!(kept(&bytes), "w.go:3:8: E\n");
    }

    #[test]
    fn the_error_of_a_download_is_kept() {
        let text = b"{\n\t\"Path\": \"m\",\n\t\"Error\": \"m@v1.0.0: reading \\\"x\\\": 404\"\n}\n";
        assert_eq!(kept(&[text]), "go: m@v1.0.0: reading \"x\": 404\n");
        // One statement, whatever a server wrote into it; and no object of go's.
        let forged = b"{\n\t\"Error\": \"m@v1.0.0: x\\nverifying n@v1.0.0: y\"\n}\n\t\"Error\": \"m@v1.0.0: z\"\n";
        assert_eq!(
            kept(&[forged]),
            "go: m@v1.0.0: x\n\tverifying n@v1.0.0: y\n"
        );
        let other = b"{\n\t\"Error\": \"dial tcp 10.0.0.1:5432: connection refused\"\n}\n";
        assert_eq!(kept(&[other]), "");
    }

    #[test]
    fn an_endless_line_is_passed_over() {
        let long = vec![b'{'; LONGEST + 1];
        let event = b"{\"Action\":\"build-output\",\"Output\":\"x\"}\n";
        assert_eq!(kept(&[&long, b"\n", event]), "x");
    }
}
