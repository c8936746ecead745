//! TOML's own errors: several in one run, each with its place.

use std::ops::Range;

use toml::de::DeTable;

use super::reader::{Reader, Table};
use crate::policy::finding::Finding;

/// Behind this many, an error is the echo of another.
const MOST: usize = 20;

/// Parses the text and reads what could be understood of it. The second part is TOML's errors.
pub(super) fn document<T>(
    text: &str,
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>, &Table<'_, '_>) -> T,
) -> (Option<T>, Vec<Finding>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let broken = errors
        .iter()
        .take(MOST)
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            finding(error.message(), clamp(span, text))
        })
        .collect();
    let table = Table {
        map: document.get_ref(),
        span: 0..0,
        what: "the policy".to_owned(),
    };
    (Some(read(reader, &table)), broken)
}

/// Would the finding stand if the text were well-formed? What points at a line that TOML could
/// not read, or says that something is missing, may be an echo of the broken syntax.
pub(super) fn is_sure_of(finding: &Finding, text: &str, broken: &[Finding]) -> bool {
    const ABSENCES: [&str; 6] = [
        "no-catch-all",
        "no-profiles",
        "unknown-target",
        "unused-target",
        "missing-key",
        "no-kind",
    ];
    let Some(primary) = &finding.primary else {
        return false;
    };
    let line = line_of(text, primary.span.start);
    let near = broken
        .iter()
        .filter_map(|error| error.primary.as_ref())
        .any(|label| line_of(text, label.span.start) == line);
    !near && !ABSENCES.contains(&finding.code)
}

fn finding(message: &str, span: Range<usize>) -> Finding {
    let first = message.lines().next().unwrap_or("this is not TOML");
    match first {
        "duplicate key" => Finding::error("duplicate-key", "this key is there twice", span)
            .help("keep one of the two"),
        _ => Finding::error("syntax", first.to_owned(), span),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count()
}

/// A span that begins and ends between characters of the text.
fn clamp(span: Range<usize>, text: &str) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}
