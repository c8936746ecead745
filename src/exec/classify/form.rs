//! Lines without what wrappers put around them, and the forms in which the go command reports a
//! failure (cmd/go/internal/base.Errorf, load.PackageError, x/mod/module.ModuleError).

use crate::model::mask;

/// How a statement begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// `go: …`
    Go,
    /// `FILE.go:LINE:COLUMN: …`: an import that could not be obtained. The compiler and vet use
    /// this form, too. Without a column it is package log's (Lshortfile).
    Place,
    /// `package P` and the lines `\timports Q: …`.
    Import,
    /// `P imports` or `P tested by`, and the lines `\tQ: …`: go mod tidy before 1.21, which put no
    /// `go: ` before it (modload/load.go).
    Chain,
    /// `M@V: …`, with nothing before it, where V is a version: many programs print `deploy@host:
    /// dial tcp …`.
    Module,
    /// `verifying M@V: …` (go.sum; modfetch/fetch.go:checkModSum).
    Verifying,
    /// `SECURITY ERROR`, alone on its line.
    Security,
}

/// Returns what a line begins with, and its message. Indented lines begin nothing: tests print
/// indented lines.
pub(super) fn lead(line: &str) -> Option<(Lead, &str)> {
    if line.starts_with([' ', '\t']) || is_noise(line) {
        return None;
    }
    let rest = line.strip_prefix("go: ").unwrap_or(line);
    if rest.trim_end() == "SECURITY ERROR" {
        return Some((Lead::Security, rest));
    }
    if rest.starts_with("verifying ") {
        return Some((Lead::Verifying, rest));
    }
    if rest.len() < line.len() {
        return Some((Lead::Go, rest));
    }
    if let Some((has_column, rest)) = placed(line) {
        return has_column.then_some((Lead::Place, rest));
    }
    if line.starts_with("package ") {
        return Some((Lead::Import, line));
    }
    let chain = line.strip_suffix(" imports");
    let chain = chain.or_else(|| line.strip_suffix(" tested by"));
    if chain.is_some_and(|path| !path.is_empty() && !path.contains([' ', ':'])) {
        return Some((Lead::Chain, line));
    }
    let (first, _) = line.split_once(": ")?;
    let (_, version) = versioned(first)?;
    is_version(version).then_some((Lead::Module, line))
}

/// Reports whether the text is a version (`v1.2.3…`) rather than a query like `latest`.
pub(super) fn is_version(text: &str) -> bool {
    text.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('.'))
}

/// Returns what follows `FILE.go:LINE:COLUMN: ` (with true) or `FILE.go:LINE: ` (with false).
pub(super) fn placed(line: &str) -> Option<(bool, &str)> {
    if line.starts_with([' ', '\t']) {
        return None;
    }
    let (file, behind) = line.split_once(".go:")?;
    // An event of `go test -json` may quote such a place.
    if file.contains(['"', '{']) || file.contains(": ") {
        return None;
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (place, rest) = behind.split_once(": ")?;
    let numbers: Vec<&str> = place.split(':').collect();
    let fits = numbers.len() <= 2 && numbers.iter().all(|number| digits(number));
    fits.then_some((numbers.len() == 2, rest))
}

/// `M@V`, or `M@V/go.mod` (sumdb.Client.Lookup): module path and version or query.
pub(super) fn versioned(text: &str) -> Option<(&str, &str)> {
    let (path, version) = text.rsplit_once('@')?;
    let version = version.strip_suffix("/go.mod").unwrap_or(version);
    let is_path = |b: u8| b.is_ascii_alphanumeric() || b"-._~/!+".contains(&b);
    let is_version = |b: u8| is_path(b) || b"<>=".contains(&b);
    let fits = !path.is_empty()
        && !version.is_empty()
        && path.bytes().all(is_path)
        && version.bytes().all(is_version)
        && path.starts_with(|c: char| c.is_ascii_alphanumeric());
    fits.then_some((path, version))
}

/// Splits a failed request into URL and error: `Get "U": ERR` (net/url.Error), `read "U": ERR`
/// (fs.PathError of a body) or `reading U: ERR` (web.HTTPError, web.GetBytes).
pub(super) fn request(text: &str) -> Option<(&str, &str)> {
    for verb in ["Get \"", "Head \"", "read \""] {
        if let Some(quoted) = text.strip_prefix(verb) {
            let (url, rest) = quoted.split_once('"')?;
            return Some((url, rest.strip_prefix(": ")?));
        }
    }
    let url = text.strip_prefix("reading ")?;
    let (scheme, _) = url.split_once("://")?;
    let known = |own: &str| own.eq_ignore_ascii_case(scheme);
    url.split_once(": ")
        .filter(|_| any("http|https|file", known))
}

/// Reports whether the URL is one that go requests from a proxy, a checksum database or a module's
/// host.
pub(super) fn is_of_modules(url: &str, proxies: &[String]) -> bool {
    let marks = "/@v/|/@latest|/sumdb/|?go-get=1|/lookup/|/tile/8/";
    any(marks, |mark| url.contains(mark))
        || proxies.iter().any(|base| {
            let base = base.trim_end_matches('/');
            base.contains("://")
                && url
                    .strip_prefix(base)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// Returns the parts of a statement that can start a new message: its beginning, the text after
/// each `: `, and each further line. A quoted text is a value and is not split.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let starts = outside_quotes(text).filter_map(|(at, c)| match c {
        '\n' => text.get(at + 1..).map(str::trim_start),
        ':' => text.get(at + 1..)?.strip_prefix(' '),
        _ => None,
    });
    std::iter::once(text).chain(starts)
}

/// Returns the characters that are not in quotes; a quote ends with its line at the latest.
pub(super) fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().filter(move |(_, c)| {
        let was_escaped = std::mem::take(&mut escaped);
        match c {
            '\n' => quoted = false,
            '"' if !was_escaped => {
                quoted = !quoted;
                return true;
            }
            '\\' if quoted => escaped = !was_escaped,
            _ => {}
        }
        !quoted
    })
}

/// How many characters of the decisive line are shown.
const MOST: usize = 400;

/// Removes colours (ECMA-48 control sequences) and other control characters from the text, and
/// makes line ends plain. A carriage return does not end a line: a server may send one in an
/// error's body. A control sequence ends with its line at the latest.
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

/// Makes one line for a person: no credentials, no control characters, bounded.
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

/// Recognises lines that go prints when nothing is wrong.
pub(super) fn is_noise(line: &str) -> bool {
    const WELL: &str = "downloading |finding |found |extracting |added |upgraded |downgraded |\
        removed |warning: |creating new go.mod|to add module requirements";
    let said = line.strip_prefix("go: ").is_some_and(|said| {
        // The text after `is deprecated` is written by the module's author.
        any(WELL, |begin| said.starts_with(begin))
            || said.starts_with("module ") && said.contains(" is deprecated: ")
    });
    said || line.starts_with("# ")
}

/// Removes what a wrapper wrote before a line: a time stamp of a CI log or of `ts`, the step of a
/// container build (`#12 1.234 `), the name of a job in brackets or before a bar. What a test logs
/// is indented, and stays indented.
pub(super) fn unwrapped(line: &str) -> &str {
    let inners = std::iter::successors(Some(line), |rest| {
        stamp(rest).or_else(|| step(rest)).or_else(|| label(rest))
    });
    inners.take(4).last().unwrap_or(line)
}

/// RFC 3339, as in GitHub's and GitLab's logs.
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

/// Reports whether one of these words fits. They are separated by `|`.
pub(super) fn any(words: &str, fits: impl Fn(&str) -> bool) -> bool {
    words.split('|').any(fits)
}
