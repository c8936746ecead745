//! Start-up files that goroam may change: how they are read, and what becomes of a line.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::doctor::files::MOST_BYTES;
use crate::doctor::repair::{Fix, Target};
use crate::trust;

/// The beginning of the comment that goroam writes above a line that it comments out.
pub(super) const MARK: &str = "# goroam doctor --fix:";

/// Returns the two lines that replace a line.
pub(super) fn commented(text: &str, names: &[String]) -> [String; 2] {
    let indent = text.len() - text.trim_start().len();
    let (indent, rest) = text.split_at(indent);
    let (names, hides) = (
        names.join(", "),
        if names.len() == 1 { "hides" } else { "hide" },
    );
    [
        format!("{indent}{MARK} {names} {hides} what `go env` has; undo: `goroam doctor --undo`"),
        format!("{indent}# {rest}"),
    ]
}

/// Comments lines of a text out, with the reason above each; every other byte stays. `None`: one of
/// the lines is not there.
pub(super) fn edit<'f>(text: &str, fixes: impl Iterator<Item = &'f Fix>) -> Option<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for fix in fixes {
        let Target::Line { line, text, .. } = &fix.target else {
            continue;
        };
        let old = lines.get_mut(line.checked_sub(1)?)?;
        let (found, end) = match old.strip_suffix('\n') {
            Some(found) => match found.strip_suffix('\r') {
                Some(found) => (found, "\r\n"),
                None => (found, "\n"),
            },
            None => (old.as_str(), ""),
        };
        if found != text {
            return None;
        }
        let [reason, comment] = commented(text, &fix.names);
        let between = if end.is_empty() { "\n" } else { end };
        *old = format!("{reason}{between}{comment}{end}");
    }
    Some(lines.concat())
}

/// Reads a file that goroam may change, through links. Returns its real path and its text.
pub(super) fn read(path: &Path) -> Result<(PathBuf, String), String> {
    let path = dunce::canonicalize(path).map_err(|error| error.to_string())?;
    let file = bounded::open(&path).map_err(|error| error.to_string())?;
    let meta = file.metadata().map_err(|error| error.to_string())?;
    is_own(&meta)?;
    trust::file_and_way(&path, &meta).map_err(|why| why.to_string())?;
    let folder = path.parent().unwrap_or(&path);
    for place in [&path, folder] {
        let may = trust::may_write(place);
        may.map_err(|error| format!("{}: {error}", place.display()))?;
    }
    let bytes = bounded::read_open(&file, MOST_BYTES).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok((path, text))
}

/// Checks that the file is the user's own, not one that root keeps for all users.
#[cfg(unix)]
fn is_own(meta: &Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;

    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err("it does not belong to you".to_owned());
    }
    if meta.nlink() > 1 {
        return Err("it has hard links, which a new file would lose".to_owned());
    }
    if meta.mode() & 0o200 == 0 {
        return Err("it is read-only".to_owned());
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
fn is_own(_: &Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::doctor::repair::FixKind;

    fn fix(line: usize, text: &str) -> Fix {
        let target = Target::Line {
            path: PathBuf::new(),
            line,
            text: text.to_owned(),
            shells: BTreeSet::new(),
        };
        let names = vec!["GOPROXY".to_owned()];
        Fix::new(FixKind::CommentOut, names, String::new(), target)
    }

    #[test]
    fn only_these_lines_become_comments_and_their_ends_stay() {
        let text = "a\r\n  export GOPROXY=x\r\nb\nexport GOPROXY=y";
        let fixes = [fix(2, "  export GOPROXY=x"), fix(4, "export GOPROXY=y")];
        let reason =
            "# goroam doctor --fix: GOPROXY hides what `go env` has; undo: `goroam doctor --undo`";
        assert_eq!(
            edit(text, fixes.iter()).unwrap(),
            format!("a\r\n  {reason}\r\n  # export GOPROXY=x\r\nb\n{reason}\n# export GOPROXY=y")
        );
        assert_eq!(edit("other\n", fixes.iter()), None);
        assert_eq!(edit("", fixes.iter()), None);
    }
}
