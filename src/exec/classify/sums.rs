//! Recognises checksums that do not match (modfetch/fetch.go, modfetch/sumdb.go, x/mod/sumdb).

use super::form::any;
use super::outcome::{Class, Classified, GoStatement, MismatchHashes};
use super::words::class_of;
use super::{blame, form};
use crate::gomod::form::is_web_page;

/// Recognises `verifying M@V: checksum mismatch` and `SECURITY ERROR`, which go prints without `go:
/// `. The lines that follow must be go's as well: any program may print the first line.
pub(super) fn own_block(first: &str, behind: &[&str]) -> Option<Class> {
    let next = behind.first().copied().unwrap_or_default();
    if first == "SECURITY ERROR" {
        let go_says = "This download does NOT match|The checksum database|\
            go.sum database server misbehavior detected!";
        return any(go_says, |words| next.starts_with(words)).then_some(Class::Mismatch);
    }
    (first.ends_with(": checksum mismatch") && is_downloaded(next)).then_some(Class::Mismatch)
}

/// Recognises go's own hash of the downloaded content: `h1:` and SHA-256 in base64.
fn is_downloaded(line: &str) -> bool {
    let hash = line.strip_prefix("\tdownloaded: ").unwrap_or_default();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    hash.trim().strip_prefix("h1:").is_some_and(|digits| {
        digits.len() == 44 && digits.ends_with('=') && digits.bytes().all(fits)
    })
}

/// Reports whether a mismatch message is complete, as go prints it. `behind` has the lines after
/// its first. If a server may have written it, it is still taken for go's: in doubt, nothing else
/// is tried.
pub(super) fn is_whole(first: &str, behind: &[&str]) -> bool {
    let says = |words: &str| behind.iter().take(5).any(|line| line.starts_with(words));
    if first.ends_with(" checksum mismatch") {
        return behind.first().is_some_and(|line| is_downloaded(line));
    }
    if first == "SECURITY ERROR" {
        return says("go.sum database server misbehavior detected!");
    }
    says("SECURITY ERROR") || says("note:")
}

/// Returns what a part of a statement means for the checksum database. `behind` has the lines after
/// it.
pub(super) fn of(part: &str, behind: &[&str]) -> Option<Class> {
    let class = class_of(BEGIN, |begin| part.starts_with(begin))?;
    // go prints any note. A web page has no signature, not even a wrong one.
    let mut note = behind
        .iter()
        .take(40)
        .skip_while(|line| line.trim_start() != "note:");
    let page = note.nth(1).is_some_and(|line| is_web_page(line.as_bytes()));
    Some(if class == Class::Corrupt && page {
        Class::Portal
    } else {
        class
    })
}

pub(super) const BEGIN: &str = "
    # Of x/mod/sumdb/tlog: what came is not what the signed tree says. The last two are notes that
    # this key has not signed: another database answers under this name.
    mismatch: checksum mismatch|checksum missing from sumdb response|downloaded inconsistent tile
    mismatch: cannot authenticate record data|invalid transparency proof
    mismatch: security error: misbehaving server|note has no verifiable signatures
    mismatch: invalid signature for key
    # 200, and no record of any kind: what a login page for all hosts looks like here.
    portal: malformed record data
    corrupt: malformed note|malformed tree note|TileReader returned bad result slice
";

/// Makes the finding to show, with the hashes if there are any.
pub(super) fn with_hashes(finding: GoStatement) -> Classified {
    let first = finding.text.lines().next().unwrap_or_default();
    // If the first line ends with a colon, the cause is in the last line.
    let last = finding.text.lines().last().unwrap_or_default().trim();
    let line = if first.ends_with(':') {
        form::shown(&format!("{first} {last}"))
    } else {
        form::shown(first)
    };
    Classified {
        blame: blame::blame(&finding),
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
