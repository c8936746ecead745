//! go.sum and go.work.sum: the expected hashes of modules.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::directive::is_conflict_marker;
use super::semver::ModuleVersion;

/// The file of a version that was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hashed {
    /// The module's zip.
    Zip,
    /// Its go.mod alone (`VERSION/go.mod`).
    GoMod,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoSumLine {
    /// The version.
    pub module: ModuleVersion,
    /// The file of the version.
    pub of: Hashed,
    /// `h1:…`. Other algorithms are kept unchanged; go ignores those it does not know.
    pub hash: String,
    /// The line's number, from 1.
    pub line: usize,
}

/// A line that go refuses (`malformed go.sum`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: malformed go.sum: wrong number of fields {fields}")]
pub struct GoSumError {
    /// The line's number, from 1.
    pub line: usize,
    /// The number of words; three are required.
    pub fields: usize,
}

/// Reads a go.sum (`modfetch.readGoSum`): three words per line, empty lines are skipped.
///
/// # Errors
/// The first line that go refuses.
pub fn parse(text: &str) -> Result<Vec<GoSumLine>, GoSumError> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [path, version, hash] => {
                let (version, of) = match version.strip_suffix("/go.mod") {
                    Some(version) => (version, Hashed::GoMod),
                    None => (*version, Hashed::Zip),
                };
                lines.push(GoSumLine {
                    module: ModuleVersion::new(*path, version),
                    of,
                    hash: (*hash).to_owned(),
                    line: number + 1,
                });
            }
            more => {
                return Err(GoSumError {
                    line: number + 1,
                    fields: more.len(),
                });
            }
        }
    }
    Ok(lines)
}

/// A fault in a line of a go.sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The line's number, from 1.
    pub line: usize,
    /// The kind of the fault.
    pub what: FlawKind,
}

/// The kinds of faults in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlawKind {
    /// A conflict marker of git.
    Conflict,
    /// This number of words instead of three.
    Fields(usize),
    /// The text after `h1:` is not a hash: go compares it, and says that the checksum does not
    /// match.
    NoHash(String),
    /// It has a different hash for the same file than the line with this number: go compares with
    /// that first line only.
    Differs(usize, String),
}

/// Returns all faults of a go.sum, in the order of the lines; at most `most` of them.
pub fn flaws(text: &str, most: usize) -> Vec<Flaw> {
    let mut found = Vec::new();
    let mut first: BTreeMap<(&str, &str), (usize, &str)> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        if found.len() >= most {
            break;
        }
        let number = number + 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        let what = match words.as_slice() {
            [] => continue,
            _ if is_conflict_marker(line) => FlawKind::Conflict,
            [path, version, hash] => {
                // Hashes of unknown kinds are ignored.
                let Some(sum) = hash.strip_prefix("h1:") else {
                    continue;
                };
                let name = format!("{path} {version}");
                match first.entry((path, version)) {
                    _ if !is_sum(sum) => FlawKind::NoHash(name),
                    Entry::Occupied(at) if at.get().1 == *hash => continue,
                    Entry::Occupied(at) => FlawKind::Differs(at.get().0, name),
                    Entry::Vacant(place) => {
                        place.insert((number, hash));
                        continue;
                    }
                }
            }
            more => FlawKind::Fields(more.len()),
        };
        found.push(Flaw { line: number, what });
    }
    found
}

/// Reports whether the text is the base64 of 32 bytes.
fn is_sum(text: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    text.len() == 44 && text.ends_with('=') && text[..43].bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flaw_of_a_go_sum_is_found() {
        let (one, two) = ("A".repeat(43), "B".repeat(43));
        let text = format!(
            "a.test/b v1 h1:{one}=\na.test/b v1/go.mod h1:{two}=\n<<<<<<< HEAD\n\
             a.test/b v1 h1:{two}=\n=======\na.test/b v1 h1:{one}=\n>>>>>>> one two\n\
             a.test/c v1\n\na.test/d v1 h1:x\na.test/b v1 h2:other\n"
        );
        let name = "a.test/b v1".to_owned();
        let found: Vec<(usize, FlawKind)> = flaws(&text, 99)
            .into_iter()
            .map(|flaw| (flaw.line, flaw.what))
            .collect();
        assert_eq!(
            found,
            [
                (3, FlawKind::Conflict),
                (4, FlawKind::Differs(1, name)),
                (5, FlawKind::Conflict),
                (7, FlawKind::Conflict),
                (8, FlawKind::Fields(2)),
                (10, FlawKind::NoHash("a.test/d v1".to_owned())),
            ]
        );
        assert_eq!(flaws(&text, 2).len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,200}") {
            flaws(&text, 9);
        }
    }

    #[test]
    fn both_kinds_of_lines_are_read() {
        let lines = parse("a.test/b v1.0.0 h1:x=\n\na.test/b v1.0.0/go.mod h1:y=\r\n").unwrap();
        let seen: Vec<_> = lines
            .iter()
            .map(|line| (line.module.to_string(), line.of, line.hash.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("a.test/b@v1.0.0".to_owned(), Hashed::Zip, "h1:x="),
                ("a.test/b@v1.0.0".to_owned(), Hashed::GoMod, "h1:y=")
            ]
        );
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_go_refuses_is_named_by_its_line() {
        let error = parse("a v1 h1:x\n<<<<<<< HEAD\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: malformed go.sum: wrong number of fields 2"
        );
    }
}
