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

/// What one line of output says of a build, if it is one of these:
/// - a `build-output` event of `go build -json` and `go test -json` (go 1.24 and later; `go help
///   buildjson`). A test's own output has other events, and is none of go's words.
/// - the `Error` of `go mod download -json` (modcmd/download.go:ModuleJSON), which names a module
///   and its version. Other programs print an `Error`, too.
pub fn told_in_json(line: &str) -> Option<String> {
    if line.len() > MOST {
        return None;
    }
    let line = line.trim();
    if let Some(value) = line.strip_prefix("\"Error\": ") {
        let text: String = serde_json::from_str(value.trim_end_matches(',')).ok()?;
        return is_of_a_module(&text).then(|| ["go: ", &text, "\n"].concat());
    }
    // A test may say a gigabyte in other events.
    if !line.starts_with('{') || !line.contains("build-output") {
        return None;
    }
    let event: Event = serde_json::from_str(line).ok()?;
    (event.action == "build-output").then_some(event.output)
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
