//! Lines, freed from what wrappers put around them.

use crate::model::mask;

/// Characters of a telling line that are shown.
const MOST: usize = 400;

/// The text without colours (ECMA-48 control sequences) and other control characters, with plain
/// line ends. A carriage return ends no line: a server may send one in an error's body. A
/// sequence ends with its line at the latest.
pub(super) fn cleaned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\u{1b}' => match rest.next() {
                    // CSI: up to a final byte.
                    Some('[') => while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                    // OSC: up to BEL or ESC \.
                    Some(']') => {
                        while let Some(c) = rest.next() {
                            if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                                break;
                            }
                        }
                    }
                    _ => {}
                },
                '\t' => out.push(c),
                '\r' => out.push(' '),
                c if c.is_control() => {}
                c => out.push(c),
            }
        }
        out.push('\n');
    }
    out
}

/// One line for a person: no credentials, no control characters, bounded.
pub(super) fn shown(text: &str) -> String {
    let one: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let masked = mask(one.trim());
    match masked.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &masked[..end]),
        None => masked,
    }
}

/// What go says while all goes well.
pub(super) fn is_noise(line: &str) -> bool {
    line.starts_with("# ")
        || [
            "downloading ",
            "finding ",
            "found ",
            "extracting ",
            "added ",
            "upgraded ",
            "downgraded ",
            "removed ",
            "warning: ",
            "creating new go.mod",
            "to add module requirements",
        ]
        .iter()
        .any(|word| {
            line.strip_prefix("go: ")
                .is_some_and(|rest| rest.starts_with(word))
        })
        // What follows is the module's author's.
        || line.starts_with("go: module ") && line.contains(" is deprecated: ")
}

/// A line without what a wrapper wrote before it: a time stamp of a CI log or of `ts`, the step of
/// a container build (`#12 1.234 `), the name of a job in brackets or before a bar. What a test
/// logs is indented and stays so.
pub(super) fn unwrapped(line: &str) -> &str {
    let mut rest = line;
    for _ in 0..3 {
        let Some(inner) = stamp(rest).or_else(|| step(rest)).or_else(|| label(rest)) else {
            break;
        };
        rest = inner;
    }
    rest
}

/// RFC 3339, as GitHub's and GitLab's logs have it.
fn stamp(line: &str) -> Option<&str> {
    let (stamp, rest) = line.split_once(' ')?;
    let bytes = stamp.as_bytes();
    let shape = bytes.len() >= 19
        && bytes.get(4) == Some(&b'-')
        && bytes.get(10) == Some(&b'T')
        && bytes.get(13) == Some(&b':')
        && bytes
            .iter()
            .all(|b| b.is_ascii_digit() || b"-:.+TZ".contains(b));
    shape.then_some(rest)
}

/// BuildKit's plain progress.
fn step(line: &str) -> Option<&str> {
    let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
    let (seconds, rest) = rest.split_once(' ')?;
    let is = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (is(number) && is(seconds)).then_some(rest)
}

/// `[build] …`, `build | …` (foreman, docker compose, concurrently).
fn label(line: &str) -> Option<&str> {
    let (label, rest) = match line.strip_prefix('[') {
        Some(inner) => inner.split_once("] ")?,
        None => line.split_once('|')?,
    };
    let label = label.trim_end();
    let fits = !label.is_empty()
        && label.len() <= 40
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b));
    fits.then(|| rest.strip_prefix(' ').unwrap_or(rest))
}
