//! Checksums that do not match (modfetch/fetch.go, modfetch/sumdb.go, x/mod/sumdb).

use super::super::class::Class;
use super::line;
use super::seen::{Hashes, Seen};
use super::statement::Finding;

/// The hash of an empty go.mod (modfetch/fetch.go:emptyGoModHash): what a server that answers
/// everything with 200 and nothing looks like.
const EMPTY: &str = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=";

/// `verifying M@V: checksum mismatch` and `SECURITY ERROR`, which stand without `go: `. What
/// follows must be go's as well: anybody may print the first line.
pub(super) fn own_block(first: &str, behind: &[&str]) -> Option<Class> {
    let next = behind.first().copied().unwrap_or_default();
    if first == "SECURITY ERROR" {
        let go_says = next.starts_with("This download does NOT match")
            || next.starts_with("go.sum database server misbehavior detected!");
        return go_says.then_some(Class::Mismatch);
    }
    (first.ends_with(": checksum mismatch") && next.starts_with("\tdownloaded: "))
        .then_some(Class::Mismatch)
}

/// What a part of a statement says of the checksum database.
pub(super) fn of(part: &str, _behind: &[&str]) -> Option<Class> {
    [
        ("checksum mismatch", Class::Mismatch),
        ("checksum missing from sumdb response", Class::Mismatch),
        ("downloaded inconsistent tile", Class::Mismatch),
        ("malformed record data", Class::Portal),
    ]
    .iter()
    .find(|(begin, _)| part.starts_with(begin))
    .map(|(_, class)| *class)
}

/// The same body under the URLs of different modules is a login page.
pub(super) fn same_hash_for_different_modules(_findings: &mut [Finding]) {}

/// The finding as it is shown, with the hashes of a mismatch; `portal` where the text proves
/// that nothing was served in its place.
pub(super) fn with_hashes(finding: Finding) -> Seen {
    let hashes = hashes(&finding.text);
    let empty = hashes.as_ref().is_some_and(|h| h.downloaded == EMPTY);
    let class = match finding.class {
        Class::Mismatch if empty => Class::Portal,
        class => class,
    };
    let first = finding.text.lines().next().unwrap_or_default();
    Seen {
        class,
        line: line::shown(first),
        url: finding.url.as_deref().map(crate::model::mask),
        module: finding.module,
        version: finding.version,
        hashes: hashes.filter(|_| finding.class == Class::Mismatch),
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
