//! What was seen in a run.

use super::super::class::Class;
use super::blame::Blame;

/// A run, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What became of it.
    pub class: Class,
    /// The line that says so, at most 400 characters, without credentials; empty for `ok`.
    pub line: String,
    /// The URL of the request that failed, as go printed it: without its password, and for a
    /// failed redirect perhaps only a path.
    pub url: Option<String>,
    /// The module it was about.
    pub module: Option<String>,
    /// Its version, or the query (`latest`).
    pub version: Option<String>,
    /// For `mismatch`: the two hashes, where there are two.
    pub hashes: Option<Hashes>,
    /// Whom go's words blame, and for what.
    pub blame: Blame,
}

/// The two sides of a checksum mismatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    /// The `h1:` of what came.
    pub downloaded: String,
    /// The `h1:` that was wanted.
    pub wanted: String,
    /// Who wanted it: `go.sum`, `go.work.sum` or the name of a checksum database.
    pub by: String,
    /// It is the hash of a go.mod and not of a zip.
    pub of_go_mod: bool,
}

impl Seen {
    pub(in crate::exec) fn plain(class: Class, line: String) -> Seen {
        Seen {
            class,
            line,
            url: None,
            module: None,
            version: None,
            hashes: None,
            blame: Blame::default(),
        }
    }
}
