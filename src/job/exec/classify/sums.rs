//! Checksums that do not match (modfetch/fetch.go, modfetch/sumdb.go, x/mod/sumdb).

use super::super::class::Class;
use super::finding::Finding;
use super::line;
use super::seen::{Hashes, Seen};

/// The hash of an empty go.mod (modfetch/fetch.go:emptyGoModHash): what a server that answers
/// everything with 200 and nothing looks like.
const EMPTY: &str = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=";

/// `verifying M@V: checksum mismatch` and `SECURITY ERROR`, which stand without `go: `. What
/// follows must be go's as well: anybody may print the first line.
pub(super) fn own_block(first: &str, behind: &[&str]) -> Option<Class> {
    let next = behind.first().copied().unwrap_or_default();
    if first == "SECURITY ERROR" {
        let go_says = [
            "This download does NOT match",
            "go.sum database server misbehavior detected!",
            "The checksum database",
        ];
        let says = go_says.iter().any(|words| next.starts_with(words));
        return says.then_some(Class::Mismatch);
    }
    (first.ends_with(": checksum mismatch") && next.starts_with("\tdownloaded: "))
        .then_some(Class::Mismatch)
}

/// What a part of a statement says of the checksum database. `behind` are the lines after it.
pub(super) fn of(part: &str, behind: &[&str]) -> Option<Class> {
    let (_, class) = BEGIN.iter().find(|(begin, _)| part.starts_with(begin))?;
    // The note is printed, whatever it is.
    let mut note = behind.iter().take(40).skip_while(|line| **line != "note:");
    let page = note.any(|line| is_page(line));
    Some(if page { Class::Portal } else { *class })
}

fn is_page(line: &str) -> bool {
    let line = line.trim_start().to_ascii_lowercase();
    ["<!doctype", "<html", "<head", "<body"]
        .iter()
        .any(|tag| line.starts_with(tag))
}

const BEGIN: [(&str, Class); 12] = [
    ("checksum mismatch", Class::Mismatch),
    ("checksum missing from sumdb response", Class::Mismatch),
    // x/mod/sumdb/tlog: what came is not what the signed tree says.
    ("downloaded inconsistent tile", Class::Mismatch),
    ("cannot authenticate record data", Class::Mismatch),
    ("invalid transparency proof", Class::Mismatch),
    ("security error: misbehaving server", Class::Mismatch),
    // A note that this key has not signed: another database answers under this name.
    ("note has no verifiable signatures", Class::Mismatch),
    ("invalid signature for key", Class::Mismatch),
    // 200, and no record of any kind: what a login page for all hosts looks like here.
    ("malformed record data", Class::Portal),
    ("malformed note", Class::Corrupt),
    ("malformed tree note", Class::Corrupt),
    ("TileReader returned bad result slice", Class::Corrupt),
];

/// The same body under the URLs of different modules is a login page, not an attack on one.
pub(super) fn same_hash_for_different_modules(findings: &mut [Finding]) {
    let downloaded: Vec<Option<(String, Option<String>)>> = findings
        .iter()
        .map(|finding| Some((hashes(&finding.text)?.downloaded, finding.module.clone())))
        .collect();
    for (finding, own) in findings.iter_mut().zip(&downloaded) {
        let Some((hash, module)) = own else { continue };
        let elsewhere = downloaded
            .iter()
            .flatten()
            .any(|(other, of)| other == hash && of.is_some() && of != module);
        if finding.class == Class::Mismatch && (hash == EMPTY || elsewhere) {
            finding.class = Class::Portal;
        }
    }
}

/// The finding as it is shown, with the hashes where it has some.
pub(super) fn with_hashes(finding: Finding) -> Seen {
    let first = finding.text.lines().next().unwrap_or_default();
    // Where the first line ends with a colon, the cause stands in the last one.
    let last = finding.text.lines().last().unwrap_or_default().trim();
    let line = match first.ends_with(':') {
        true => line::shown(&[first, " ", last].concat()),
        false => line::shown(first),
    };
    Seen {
        class: finding.class,
        line,
        hashes: hashes(&finding.text),
        url: finding.url.as_deref().map(crate::model::mask),
        module: finding.module,
        version: finding.version,
    }
}

fn hashes(text: &str) -> Option<Hashes> {
    let mut lines = text.lines();
    let first = lines.find(|line| line.ends_with("checksum mismatch"))?;
    let downloaded = lines.next()?.trim().strip_prefix("downloaded: ")?;
    let (by, wanted) = lines.next()?.trim().split_once(": ")?;
    Some(Hashes {
        downloaded: downloaded.trim().to_owned(),
        wanted: wanted.trim().to_owned(),
        by: by.to_owned(),
        of_go_mod: first.contains("/go.mod: ") || first.contains("verifying go.mod: "),
    })
}
