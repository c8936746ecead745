//! What was found, as scripts get it.

use std::path::PathBuf;

use serde::Serialize;

use super::stamp::Piece;
use crate::doctor::finding::Code;

/// What was found in the module cache.
#[derive(Debug, Default, Serialize)]
pub struct CacheReport {
    /// `$GOMODCACHE`.
    pub cache: String,
    /// How many versions of modules have something in it.
    pub versions: usize,
    /// How many zips were hashed.
    pub hashed: usize,
    /// What is broken, by its place.
    pub broken: Vec<Broken>,
    /// What could not be looked at, and why.
    pub unread: Vec<(String, String)>,
}

impl CacheReport {
    /// Everything could be looked at, and nothing is broken, or nothing any more.
    pub fn is_well(&self) -> bool {
        let gone = |broken: &Broken| broken.outcome == Outcome::Removed;
        self.unread.is_empty() && self.broken.iter().all(gone)
    }
}

/// A broken entry.
#[derive(Debug, Serialize)]
pub struct Broken {
    /// A word for scripts.
    #[serde(serialize_with = "word")]
    pub code: Code,
    /// `MODULE@VERSION`; null: it is of no one module.
    pub module: Option<String>,
    /// The file that is broken.
    pub place: String,
    /// What is wrong with it.
    pub says: String,
    /// What go does about it.
    pub why: String,
    /// What fetches it again.
    pub mend: String,
    /// What is to be removed, in this order, and nothing else.
    pub removes: Vec<Piece>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is still there, where it was to be removed.
    pub because: Option<String>,
    /// The lock that go holds while it works on them; `None`: the file itself.
    #[serde(skip)]
    pub(super) lock: Option<PathBuf>,
    /// The folder that no way to them may lead out of.
    #[serde(skip)]
    pub(super) bounds: PathBuf,
}

/// What became of a broken entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was named, and is still there.
    Found,
    /// It is gone; go fetches it again.
    Removed,
    /// It is still there, though it was to be removed, or it cannot be told what would have to.
    Kept,
}

fn word<S: serde::Serializer>(code: &Code, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(code)
}
