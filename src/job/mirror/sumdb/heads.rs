//! Signed tree heads, and the ledger of those that were ever shown to go.

use std::path::Path;

use super::error::ProofError;
use super::folder::read;
use crate::gosum::{LookupRecord, Note, NoteError, TreeHead};
use crate::model::VerifierKey;

/// A ledger of this many heads has a place for years of daily additions.
pub(super) const MAX_HEADS: usize = 4096;
/// A note has some 250 bytes.
const MAX_LEDGER: u64 = 4 << 20;

/// A tree head, and the note by which the database signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The tree.
    pub head: TreeHead,
    /// The whole note, as it came.
    pub note: String,
}

impl SignedHead {
    /// Takes a note that this key has signed: of a lookup, of `/latest`, or of
    /// `$GOPATH/pkg/sumdb/NAME/latest`, where go keeps the head that it saw last.
    ///
    /// # Errors
    /// When it is no note, not signed by the key, or no tree head.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<SignedHead, NoteError> {
        let head = TreeHead::parse(Note::parse(note)?.verify(key)?)?;
        // Note::parse has taken it as UTF-8.
        let note = String::from_utf8_lossy(note).into_owned();
        Ok(SignedHead { head, note })
    }
}

/// A lookup, with the head in its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) id: u64,
    /// go.sum lines, without the last newline.
    pub(super) lines: String,
    pub(super) head: SignedHead,
}

impl Lookup {
    /// Takes an answer apart; its note must be signed by the key.
    pub(super) fn open(answer: &[u8], key: &VerifierKey) -> Result<Lookup, NoteError> {
        let record = LookupRecord::parse(answer)?;
        let head = TreeHead::parse(record.tree.verify(key)?)?;
        // LookupRecord::parse has taken it as UTF-8, with a note behind the first blank line.
        let text = String::from_utf8_lossy(answer);
        let note = text.split_once("\n\n").map_or("", |(_, note)| note);
        Ok(Lookup {
            id: record.id,
            lines: record.lines.to_owned(),
            head: SignedHead {
                head,
                note: note.to_owned(),
            },
        })
    }

    /// The same answer with a newer head.
    pub(super) fn with_head(&self, head: &SignedHead) -> Vec<u8> {
        format!("{}\n{}\n\n{}", self.id, self.lines, head.note).into_bytes()
    }

    /// The hashes that it gives this module.
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

/// Reads the ledger; notes that the key has not signed are left out. The newest is last.
pub(super) fn read_ledger(path: &Path, key: &VerifierKey) -> Result<Vec<SignedHead>, ProofError> {
    let unreadable = |error| ProofError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let Some(bytes) = read(path, MAX_LEDGER).map_err(unreadable)? else {
        return Ok(Vec::new());
    };
    let notes: Vec<String> =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.into()))?;
    let signed = |note: &String| SignedHead::open(note.as_bytes(), key).ok();
    Ok(ordered(notes.iter().filter_map(signed).collect()))
}

/// As it is written: a JSON list of notes, the oldest first.
pub(super) fn format_ledger(heads: &[SignedHead]) -> Vec<u8> {
    let from = heads.len().saturating_sub(MAX_HEADS);
    let notes: Vec<&str> = heads
        .iter()
        .skip(from)
        .map(|head| head.note.as_str())
        .collect();
    // Text always becomes JSON.
    serde_json::to_vec_pretty(&notes).unwrap_or_default()
}

/// By size, each tree once. Two trees of one size stay two: that is a fork.
pub(super) fn ordered(mut heads: Vec<SignedHead>) -> Vec<SignedHead> {
    heads.sort_by_key(|head| (head.head.size, head.head.root));
    heads.dedup_by_key(|head| head.head);
    heads
}
