//! go.sum and go.work.sum: what each module must hash to.

use super::module_version::ModuleVersion;

/// Which file of a version the hash is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hashed {
    /// The module's zip.
    Zip,
    /// Its go.mod alone (`VERSION/go.mod`).
    GoMod,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Of which version.
    pub module: ModuleVersion,
    /// Of which file of it.
    pub of: Hashed,
    /// `h1:…`. Other algorithms are kept as they are; go ignores what it does not know.
    pub hash: String,
}

/// A line that go would refuse (`malformed go.sum`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: malformed go.sum: wrong number of fields {fields}")]
pub struct GoSumError {
    /// Its number, from 1.
    pub line: usize,
    /// How many words it has; three are wanted.
    pub fields: usize,
}

/// Reads a go.sum (`modfetch.readGoSum`): three words a line, empty lines are passed over.
///
/// # Errors
/// The first line that go would refuse.
pub fn parse(text: &str) -> Result<Vec<Line>, GoSumError> {
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
                lines.push(Line {
                    module: ModuleVersion::new(*path, version),
                    of,
                    hash: (*hash).to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

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
