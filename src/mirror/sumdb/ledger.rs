//! The ledger of the heads that were ever shown to go.

use std::path::Path;

use super::error::ProofError;
use super::folder::read;
use super::heads::SignedHead;
use crate::model::VerifierKey;

/// A ledger of this many heads has a place for years of daily additions.
const MAX_HEADS: usize = 4096;
/// A note has some 250 bytes.
const MAX_LEDGER: u64 = 4 << 20;

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
