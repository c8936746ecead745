//! What go says on standard output instead of standard error, when `-json` asks for it.

use serde::Deserialize;

use super::{form, words};

/// Bytes of a line that are looked at; go's own are far shorter.
const MOST: usize = 64 << 10;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "Output", default)]
    output: String,
}

/// go's words in lines of output:
/// - a `build-output` event of `go build -json` and `go test -json` (go 1.24 and later; `go help
///   buildjson`). A test's own output has other events, and is none of go's words.
/// - the `Error` of `go mod download -json` (modcmd/download.go:ModuleJSON), which names a module
///   and its version. Other programs print an `Error`, too.
#[derive(Debug, Default)]
pub struct JsonWords {
    /// The lines so far are those of one object, as go indents it.
    in_object: bool,
}

impl JsonWords {
    /// The words in the next line, if there are any.
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
        // A test may say a gigabyte in other events.
        if !line.starts_with('{') || !line.contains("build-output") {
            return None;
        }
        let event: Event = serde_json::from_str(line).ok()?;
        (event.action == "build-output").then_some(event.output)
    }
}

/// One statement of go's: all of its lines but the first are indented, whatever a server wrote
/// into it.
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
