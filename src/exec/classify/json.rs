//! Finds go's messages that `-json` moves from standard error to standard output.

use std::io::BufRead as _;

use serde::Deserialize;

use super::{form, words};

/// How many bytes of a line are examined; go's own lines are far shorter, a test's output may be
/// longer.
const MOST: usize = 64 << 10;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "Output", default)]
    output: String,
}

/// Finds go's messages in lines of output:
/// - a `build-output` event of `go build -json` and `go test -json` (go 1.24 and later; `go help
///   buildjson`). A test's own output has other events, and is not a message of go.
/// - the `Error` of `go mod download -json` (modcmd/download.go:ModuleJSON), which names a module
///   and its version. Other programs print an `Error`, too.
#[derive(Debug, Default)]
pub struct JsonWords {
    /// The lines so far belong to one object, indented as go does.
    in_object: bool,
}

impl JsonWords {
    /// Returns go's message in the next line, if there is one.
    pub fn next(&mut self, line: &str) -> Option<String> {
        let line = line.trim_end();
        let in_object = self.in_object;
        self.in_object = line == "{" || in_object && line.starts_with('\t');
        if line.len() > MOST {
            return None;
        }
        if let Some(value) = line.strip_prefix("\t\"Error\": ").filter(|_| in_object) {
            let text: String = serde_json::from_str(value.trim_end_matches(',')).ok()?;
            return is_of_a_module(&text).then(|| statement(&text));
        }
        // A test may print a gigabyte of other events.
        if !line.starts_with('{') || !line.contains("build-output") {
            return None;
        }
        let event: Event = serde_json::from_str(line).ok()?;
        (event.action == "build-output").then_some(event.output)
    }
}

/// Makes one statement of go: all lines but the first are indented, whatever a server wrote into
/// it.
fn statement(text: &str) -> String {
    let mut lines = text.lines();
    let mut all = format!("go: {}\n", lines.next().unwrap_or_default());
    for line in lines {
        if !line.starts_with('\t') {
            all.push('\t');
        }
        all.push_str(line);
        all.push('\n');
    }
    all
}

fn is_of_a_module(text: &str) -> bool {
    let named = text
        .split_once(": ")
        .and_then(|(first, _)| form::versioned(first));
    let is_asked = |version: &str| {
        form::is_version(version) || ["latest", "upgrade", "patch"].contains(&version)
    };
    named.is_some_and(|(_, version)| is_asked(version)) || words::is_of_a_zip(text)
}

/// Assembles lines of JSON from pieces.
#[derive(Debug, Default)]
pub(in crate::exec) struct JsonLines {
    line: Vec<u8>,
    too_long: bool,
    words: JsonWords,
}

impl JsonLines {
    /// Takes a piece; passes the messages in it to `keep`.
    pub(in crate::exec) fn push(&mut self, mut bytes: &[u8], mut keep: impl FnMut(&[u8])) {
        while let Some(part) = next_line(&mut bytes) {
            self.too_long |= self.line.len() + part.len() > MOST;
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

/// Returns the next line with its end, or the rest if the end is missing. The search is the
/// system's memchr(3): a command may print a gigabyte.
pub(in crate::exec) fn next_line<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let all: &'a [u8] = bytes;
    // Reading from a slice cannot fail.
    let count = bytes.skip_until(b'\n').unwrap_or(0);
    all.get(..count).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{JsonLines, MOST};

    fn kept(parts: &[&[u8]]) -> String {
        let (mut unwrap, mut kept) = (JsonLines::default(), Vec::new());
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
        // This is one statement, whatever a server wrote into it, and not an object of go.
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
        let long = vec![b'{'; MOST + 1];
        let event = b"{\"Action\":\"build-output\",\"Output\":\"x\"}\n";
        assert_eq!(kept(&[&long, b"\n", event]), "x");
    }
}
