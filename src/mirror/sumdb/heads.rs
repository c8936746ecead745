//! Signed tree heads: a head, the lookups that contain one, and the ledger of those that go has
//! ever seen. Also the errors: why stored or fetched data proves nothing.

use std::io;
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::gomod::sum::{LookupRecord, Note, NoteError, TreeHead};
use crate::model::VerifierKey;

/// Why something proves nothing, or could not be fetched. Then nothing is stored, and the existing
/// files are unchanged.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// GOSUMDB is off.
    #[error("GOSUMDB=off: there is no checksum database that could prove anything")]
    Off,
    /// A key, a database or a module has a name that go could not use.
    #[error("{0}")]
    Unusable(String),
    /// A lookup is missing.
    #[error("{0}")]
    Absent(String),
    /// A tile is missing.
    #[error("{0}")]
    NoTile(String),
    /// A file cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The stored data is not what the database signed.
    #[error("{0}")]
    False(String),
    /// Two signed heads contradict each other.
    #[error("{fork}{}", evidence.as_ref().map_or(String::new(), |kept| {
        format!("kept as evidence: {}", kept.display())
    }))]
    Forked {
        /// Both heads.
        fork: Box<Forked>,
        /// The file with both notes, if it was written.
        evidence: Option<PathBuf>,
    },
    /// The database cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// No source has a tile that is needed.
    #[error("{0}")]
    Tile(String),
    /// An answer is wrong: not signed, about another module, or not in the tree.
    #[error("{0}")]
    Wrong(String),
    /// A file cannot be written.
    #[error("{0}")]
    Unwritable(String),
}

impl ProofError {
    pub(super) fn unreadable(path: &Path, error: impl std::fmt::Display) -> ProofError {
        ProofError::Unreadable(format!("{}: {error}", path.display()))
    }

    pub(super) fn unwritable(path: &Path, error: &io::Error) -> ProofError {
        ProofError::Unwritable(format!("{}: {error}", path.display()))
    }

    /// Reports whether the cause is that something is not what the database signed.
    pub fn is_mismatch(&self) -> bool {
        matches!(
            self,
            ProofError::False(_) | ProofError::Wrong(_) | ProofError::Forked { .. }
        )
    }
}

impl From<crate::gomod::sum::EscapeError> for ProofError {
    fn from(error: crate::gomod::sum::EscapeError) -> ProofError {
        ProofError::Unusable(error.to_string())
    }
}

/// Two heads, both signed by the database, of which the newer does not contain the older: the
/// database has shown different trees to different clients (`sumdb.Client.checkTrees`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "SECURITY: the checksum database has forked: its tree of {} records does not begin with its tree of {} records, \
     and both are signed\nolder:\n{}newer:\n{}",
    newer.head.size, older.head.size, older.note, newer.note
)]
pub struct Forked {
    /// The smaller tree.
    pub older: SignedHead,
    /// The larger tree, or a different one of the same size.
    pub newer: SignedHead,
}

/// A tree head, and the note with which the database signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The tree.
    pub head: TreeHead,
    /// The whole note, unchanged.
    pub note: String,
}

impl SignedHead {
    /// Parses a note that this key has signed: from a lookup, from `/latest`, or from
    /// `$GOPATH/pkg/sumdb/NAME/latest`, where go stores the last head it saw.
    ///
    /// # Errors
    /// When it is not a note, not signed by the key, or not a tree head.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<SignedHead, NoteError> {
        let head = TreeHead::parse(Note::parse(note)?.verify(key)?)?;
        // Note::parse has checked that it is UTF-8.
        let note = String::from_utf8_lossy(note).into_owned();
        Ok(SignedHead { head, note })
    }
}

/// A lookup, with the head from its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) id: u64,
    /// go.sum lines, without the last newline.
    pub(super) lines: String,
    pub(super) head: SignedHead,
}

impl Lookup {
    /// Parses an answer; the key must have signed its note, or the note must be the known one.
    pub(super) fn open(
        answer: &[u8],
        key: &VerifierKey,
        known: Option<&SignedHead>,
    ) -> Result<Lookup, NoteError> {
        let record = LookupRecord::parse(answer)?;
        let head = match known {
            Some(known) if known.note == record.note => known.clone(),
            Some(_) | None => SignedHead {
                head: TreeHead::parse(record.tree.verify(key)?)?,
                note: record.note.to_owned(),
            },
        };
        Ok(Lookup {
            id: record.id,
            lines: record.lines.to_owned(),
            head,
        })
    }

    /// The same answer with a newer head.
    pub(super) fn with_head(&self, head: &SignedHead) -> Vec<u8> {
        format!("{}\n{}\n\n{}", self.id, self.lines, head.note).into_bytes()
    }

    /// Returns the hashes that it has for this module: of its zip, of its go.mod.
    pub(super) fn sums(&self, path: &str, version: &str) -> (Option<String>, Option<String>) {
        let find = |version: &str| {
            self.lines.split('\n').find_map(|line| {
                let rest = line.strip_prefix(path)?.strip_prefix(' ')?;
                let sum = rest.strip_prefix(version)?.strip_prefix(' ')?;
                sum.starts_with("h1:").then(|| sum.to_owned())
            })
        };
        (find(version), find(&format!("{version}/go.mod")))
    }
}

/// Maximum number of heads in the ledger: enough for years of daily additions.
const MAX_HEADS: usize = 4096;
/// Maximum size of the ledger in bytes. A note has some 250 bytes.
const MAX_LEDGER: u64 = 4 << 20;

/// Reads the ledger; omits notes that the key has not signed. The newest is last.
pub(super) fn read_ledger(path: &Path, key: &VerifierKey) -> Result<Vec<SignedHead>, ProofError> {
    let bytes = bounded::if_any(bounded::read(path, MAX_LEDGER))
        .map_err(|error| ProofError::unreadable(path, error))?;
    let Some(bytes) = bytes else {
        return Ok(Vec::new());
    };
    let notes: Vec<String> =
        serde_json::from_slice(&bytes).map_err(|error| ProofError::unreadable(path, error))?;
    let signed = |note: &String| SignedHead::open(note.as_bytes(), key).ok();
    Ok(ordered(notes.iter().filter_map(signed).collect()))
}

/// Formats the ledger: a JSON list of notes, the oldest first.
pub(super) fn format_ledger(heads: &[SignedHead]) -> Vec<u8> {
    let from = heads.len().saturating_sub(MAX_HEADS);
    let notes = heads.iter().skip(from).map(|head| head.note.as_str());
    // Serializing text as JSON never fails.
    serde_json::to_vec_pretty(&notes.collect::<Vec<_>>()).unwrap_or_default()
}

/// Sorts by size and removes duplicates. Two different trees of one size both stay: that is a fork.
pub(super) fn ordered(mut heads: Vec<SignedHead>) -> Vec<SignedHead> {
    heads.sort_by_key(|head| (head.head.size, head.head.root));
    heads.dedup_by_key(|head| head.head);
    heads
}
