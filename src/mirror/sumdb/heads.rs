//! Signed tree heads, and the lookups that carry one.

use crate::gomod::sum::{LookupRecord, Note, NoteError, TreeHead};
use crate::model::VerifierKey;

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
    /// Takes an answer apart; its note must be signed by the key, or be one that is known to be.
    pub(super) fn open(
        answer: &[u8],
        key: &VerifierKey,
        known: Option<&SignedHead>,
    ) -> Result<Lookup, NoteError> {
        let record = LookupRecord::parse(answer)?;
        // LookupRecord::parse has taken it as UTF-8, with a note behind the first blank line.
        let text = String::from_utf8_lossy(answer);
        let note = text.split_once("\n\n").map_or("", |(_, note)| note);
        let head = match known {
            Some(known) if known.note == note => known.clone(),
            Some(_) | None => SignedHead {
                head: TreeHead::parse(record.tree.verify(key)?)?,
                note: note.to_owned(),
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
