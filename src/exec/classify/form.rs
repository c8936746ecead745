//! The forms in which the go command says that something failed (cmd/go/internal/base.Errorf,
//! load.PackageError, x/mod/module.ModuleError).

/// How a statement begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// `go: …`
    Go,
    /// `FILE.go:LINE:COLUMN: …`: an import that could not be had. The compiler and vet write so, too.
    /// Without a column it is package log's (Lshortfile).
    Place,
    /// `package P` and the lines `\timports Q: …`.
    Import,
    /// `P imports` or `P tested by`, and the lines `\tQ: …`: go mod tidy before 1.21, which put no
    /// `go: ` before it (modload/load.go).
    Chain,
    /// `M@V: …`, with nothing before it, and V a version: `deploy@host: dial tcp …` is what many
    /// a program prints.
    Module,
    /// `verifying M@V: …` (go.sum; modfetch/fetch.go:checkModSum).
    Verifying,
    /// `SECURITY ERROR`, alone on its line.
    Security,
}

/// What a line begins with, and what it says. Indented lines begin nothing: tests print so.
pub(super) fn lead(line: &str) -> Option<(Lead, &str)> {
    if line.starts_with([' ', '\t']) || super::line::is_noise(line) {
        return None;
    }
    let (go, rest) = match line.strip_prefix("go: ") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    if rest.trim_end() == "SECURITY ERROR" {
        return Some((Lead::Security, rest));
    }
    if rest.starts_with("verifying ") {
        return Some((Lead::Verifying, rest));
    }
    if go {
        return Some((Lead::Go, rest));
    }
    if let Some(rest) = placed(line) {
        return has_column(line).then_some((Lead::Place, rest));
    }
    if line.starts_with("package ") {
        return Some((Lead::Import, line));
    }
    if is_chain(line) {
        return Some((Lead::Chain, line));
    }
    let (first, _) = line.split_once(": ")?;
    let (_, version) = versioned(first)?;
    is_version(version).then_some((Lead::Module, line))
}

fn is_chain(line: &str) -> bool {
    let path = line
        .strip_suffix(" imports")
        .or_else(|| line.strip_suffix(" tested by"));
    path.is_some_and(|path| !path.is_empty() && !path.contains([' ', ':']))
}

/// A version (`v1.2.3…`) and no query such as `latest`.
pub(super) fn is_version(text: &str) -> bool {
    text.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('.'))
}

fn has_column(line: &str) -> bool {
    let place = line
        .split_once(".go:")
        .and_then(|(_, behind)| behind.split_once(": "));
    place.is_some_and(|(place, _)| place.contains(':'))
}

/// What follows `FILE.go:LINE:COLUMN: ` or `FILE.go:LINE: `.
pub(super) fn placed(line: &str) -> Option<&str> {
    if line.starts_with([' ', '\t']) {
        return None;
    }
    let (file, behind) = line.split_once(".go:")?;
    // An event of `go test -json` quotes such a place.
    if file.contains(['"', '{']) || file.contains(": ") {
        return None;
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (place, rest) = behind.split_once(": ")?;
    let mut numbers = place.split(':');
    let (row, column) = (numbers.next()?, numbers.next());
    (digits(row) && column.is_none_or(digits) && numbers.next().is_none()).then_some(rest)
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

/// A failed request: `Get "U": ERR` (net/url.Error), `read "U": ERR` (fs.PathError of a body) or
/// `reading U: ERR` (web.HTTPError, web.GetBytes).
pub(super) fn request(text: &str) -> Option<(&str, &str)> {
    for verb in ["Get \"", "Head \"", "read \""] {
        if let Some(quoted) = text.strip_prefix(verb) {
            let (url, rest) = quoted.split_once('"')?;
            return Some((url, rest.strip_prefix(": ")?));
        }
    }
    let url = text.strip_prefix("reading ")?;
    if !["http://", "https://", "file://"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(scheme))
    }) {
        return None;
    }
    url.split_once(": ")
}

/// Is it the URL of something that go asks a proxy, a checksum database or a module's host for?
pub(super) fn is_of_modules(url: &str, proxies: &[String]) -> bool {
    let marks = [
        "/@v/",
        "/@latest",
        "/sumdb/",
        "?go-get=1",
        "/lookup/",
        "/tile/8/",
    ];
    marks.iter().any(|mark| url.contains(mark))
        || proxies.iter().any(|base| {
            let base = base.trim_end_matches('/');
            base.contains("://")
                && url
                    .strip_prefix(base)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// Where within a statement something new is said: its beginning, behind each `: ` and at the
/// beginning of each further line. What stands in quotes is a value.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let starts = text.char_indices().filter_map(move |(at, c)| {
        let was_escaped = std::mem::take(&mut escaped);
        match c {
            '\n' => {
                quoted = false;
                text.get(at + 1..).map(str::trim_start)
            }
            '"' if !was_escaped => {
                quoted = !quoted;
                None
            }
            '\\' if quoted => {
                escaped = !was_escaped;
                None
            }
            ':' if !quoted => text.get(at + 1..)?.strip_prefix(' '),
            _ => None,
        }
    });
    std::iter::once(text).chain(starts)
}

/// The text without what stands in quotes.
pub(super) fn unquoted(text: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let keep = |c: &char| {
        let was_escaped = std::mem::take(&mut escaped);
        match c {
            '"' if !was_escaped => {
                quoted = !quoted;
                true
            }
            '\\' if quoted => {
                escaped = !was_escaped;
                false
            }
            _ => !quoted,
        }
    };
    text.chars().filter(keep).collect()
}
