//! Checksums that do not match (modfetch/fetch.go, modfetch/sumdb.go, x/mod/sumdb).

use super::outcome::{Class, Classified, GoStatement, MismatchHashes};
use super::{blame, line};
use crate::gomod::form::is_web_page;

/// `verifying M@V: checksum mismatch` and `SECURITY ERROR`, which stand without `go: `. What
/// follows must be go's as well: any program may print the first line.
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
    let downloaded = next.strip_prefix("\tdownloaded: ");
    (first.ends_with(": checksum mismatch") && downloaded.is_some_and(is_hash))
        .then_some(Class::Mismatch)
}

/// go's own hash of what came: `h1:` and SHA-256 in base64.
fn is_hash(text: &str) -> bool {
    let digits = text.trim().strip_prefix("h1:");
    digits.is_some_and(|digits| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
        digits.len() == 44 && digits.ends_with('=') && digits.bytes().all(fits)
    })
}

/// Is a mismatch said as go says it, to the end? `behind` are the lines after its first. Where a
/// server may have written it, this is taken for go's all the same: in doubt, nothing else is
/// tried.
pub(super) fn is_whole(first: &str, behind: &[&str]) -> bool {
    let says = |words: &str| behind.iter().take(5).any(|line| line.starts_with(words));
    if first.ends_with(" checksum mismatch") {
        let hash = behind
            .first()
            .and_then(|line| line.strip_prefix("\tdownloaded: "));
        return hash.is_some_and(is_hash);
    }
    if first == "SECURITY ERROR" {
        return says("go.sum database server misbehavior detected!");
    }
    says("SECURITY ERROR") || says("note:")
}

/// What a part of a statement says of the checksum database. `behind` are the lines after it.
pub(super) fn of(part: &str, behind: &[&str]) -> Option<Class> {
    let (_, class) = BEGIN.iter().find(|(begin, _)| part.starts_with(begin))?;
    // The note is printed, whatever it is. A page has no signature, not even a wrong one.
    let mut note = behind
        .iter()
        .take(40)
        .skip_while(|line| line.trim_start() != "note:");
    let page = note.nth(1).is_some_and(|line| is_web_page(line.as_bytes()));
    Some(if *class == Class::Corrupt && page {
        Class::Portal
    } else {
        *class
    })
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

/// The finding as it is shown, with the hashes where it has some.
pub(super) fn with_hashes(finding: GoStatement) -> Classified {
    let first = finding.text.lines().next().unwrap_or_default();
    // Where the first line ends with a colon, the cause stands in the last one.
    let last = finding.text.lines().last().unwrap_or_default().trim();
    let line = if first.ends_with(':') {
        line::shown(&[first, " ", last].concat())
    } else {
        line::shown(first)
    };
    Classified {
        blame: blame::of(&finding),
        class: finding.class,
        line,
        hashes: hashes(&finding.text),
        url: finding.url.as_deref().map(crate::model::mask),
        module: finding.module,
        version: finding.version,
    }
}

fn hashes(text: &str) -> Option<MismatchHashes> {
    let mut lines = text.lines();
    let first = lines.find(|line| line.ends_with("checksum mismatch"))?;
    let downloaded = lines.next()?.trim().strip_prefix("downloaded: ")?;
    let (by, wanted) = lines.next()?.trim().split_once(": ")?;
    Some(MismatchHashes {
        downloaded: downloaded.trim().to_owned(),
        wanted: wanted.trim().to_owned(),
        by: by.to_owned(),
        of_go_mod: first.contains("/go.mod: ") || first.contains("verifying go.mod: "),
    })
}
