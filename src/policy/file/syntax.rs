//! TOML's own errors: several in one run, each with its place.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::DeTable;

use super::reader::{Reader, Table};
use crate::model::lookalike;
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
            with_look_alike(finding(error.message(), clamp(span, text)), text)
        })
        .collect();
    let table = Table {
        map: document.get_ref(),
        span: 0..0,
        what: "the policy".to_owned(),
    };
    (Some(read(reader, &table)), broken)
}

/// Takes away what may be an echo of the broken syntax: findings on a line that TOML could not
/// read, and those that say that something is missing.
pub(super) fn drop_echoes(findings: &mut Vec<Finding>, text: &str, broken: &[Finding]) {
    const ABSENCES: [&str; 6] = [
        "missing-version",
        "no-catch-all",
        "no-profiles",
        "unused-target",
        "missing-key",
        "no-kind",
    ];
    let starts: Vec<usize> = text.match_indices('\n').map(|(i, _)| i).collect();
    let line = |finding: &Finding| {
        let at = finding.primary.as_ref()?.span.start;
        Some(starts.partition_point(|end| *end < at))
    };
    let unreadable = BTreeSet::from_iter(broken.iter().map(line));
    // TOML goes on without loss behind a key that is there twice.
    let lossless = broken.iter().all(|error| error.code == "duplicate-key");
    findings.retain(|finding| {
        let line = line(finding);
        let echo = line.is_some() && unreadable.contains(&line);
        let absence = ABSENCES.contains(&finding.code) || is_defined_somewhere(finding, text);
        !echo && (lossless || !absence)
    });
}

/// Says the finding of a target that it is not defined, while the text seems to define it?
fn is_defined_somewhere(finding: &Finding, text: &str) -> bool {
    let Some(primary) = finding
        .primary
        .as_ref()
        .filter(|_| finding.code == "unknown-target")
    else {
        return false;
    };
    let name = text.get(primary.span.clone()).unwrap_or_default();
    text.contains(&format!("target.{}", name.trim_matches(['"', '\''])))
}

/// Says so where TOML stumbles over a mark of an input method: `“`, `＝`, `，`, a no-break space.
fn with_look_alike(mut finding: Finding, text: &str) -> Finding {
    let Some(primary) = &finding.primary else {
        return finding;
    };
    let rest = text.get(primary.span.start..).unwrap_or_default();
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let length = primary.span.len().max(first);
    if let Some(mark) = rest.get(..length).and_then(lookalike::find) {
        finding.help = Some(format!("{mark}: {}", mark.help()));
    }
    finding
}

fn finding(message: &str, span: Range<usize>) -> Finding {
    let first = message.lines().next().unwrap_or("this is not TOML");
    match first {
        "duplicate key" => Finding::error("duplicate-key", "this key is there twice", span)
            .help("keep one of the two"),
        _ => Finding::error("syntax", first.to_owned(), span),
    }
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
