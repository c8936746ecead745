//! One line of the journal, bound to the one before it: `{"prev":"…","hash":"…", …entry}`,
//! where `hash` is SHA-256 over the 64 hexadecimal digits of `prev` and the entry's JSON as
//! it stands in the line. Nothing has to be serialised again to check it.

use serde_json::Value;

use super::entry::Entry;
use crate::gomod::sum::sha256_hex;
use crate::model::mask;

/// What the first line of all follows from.
pub(super) const BEGINNING: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";

const PREV: &[u8] = b"{\"prev\":\"";
const HASH: &[u8] = b"\",\"hash\":\"";
const BODY: &[u8] = b"\",";

/// A well-formed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) prev: &'a str,
    pub(super) hash: &'a str,
    /// The entry's JSON without its opening brace.
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a line (without its end) as far as the chain is concerned.
    pub(super) fn parse(line: &'a [u8]) -> Option<Line<'a>> {
        let (prev, line) = digits(line.strip_prefix(PREV)?)?;
        let (hash, line) = digits(line.strip_prefix(HASH)?)?;
        let rest = line.strip_prefix(BODY)?;
        (rest.last() == Some(&b'}')).then_some(Line { prev, hash, rest })
    }

    /// Is the line as it was written?
    pub(super) fn is_whole(&self) -> bool {
        hash(self.prev, self.rest) == self.hash
    }
}

/// The line for an entry, with its end, and its hash. Credentials are hidden first.
pub(super) fn line(prev: &str, entry: &Entry) -> serde_json::Result<(Vec<u8>, String)> {
    let body = serde_json::to_vec(&masked(serde_json::to_value(entry)?))?;
    let rest = body.strip_prefix(b"{").unwrap_or(&body);
    let hash = hash(prev, rest);
    let mut line = Vec::with_capacity(body.len() + 160);
    for part in [
        PREV,
        prev.as_bytes(),
        HASH,
        hash.as_bytes(),
        BODY,
        rest,
        b"\n",
    ] {
        line.extend_from_slice(part);
    }
    Ok((line, hash))
}

fn hash(prev: &str, rest: &[u8]) -> String {
    sha256_hex(&[prev.as_bytes(), b"{", rest].concat())
}

fn digits(text: &[u8]) -> Option<(&str, &[u8])> {
    let (digits, rest) = text.split_at_checked(64)?;
    let is_hex = digits
        .iter()
        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
    Some((digits, rest))
}

fn masked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask(&text)),
        Value::Array(items) => items.into_iter().map(masked).collect(),
        Value::Object(fields) => {
            // `collect` would bring a sort of its own.
            let mut hidden = serde_json::Map::new();
            for (name, value) in fields {
                hidden.insert(mask(&name), masked(value));
            }
            Value::Object(hidden)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
