//! What `goroam mirror add` did.

use std::path::PathBuf;

use serde::Serialize;

use super::lift::How;
use super::wants::Failed;

/// What was done.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Added {
    /// The mirror's folder.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub mirror: PathBuf,
    /// Versions that were not there before.
    pub added: Vec<AddedVersion>,
    /// Versions that were.
    pub present: Vec<PresentVersion>,
    /// What could not be brought, and why.
    pub failed: Vec<Failed>,
    /// Offline: the command that brings what is missing, to be run with a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch: Option<String>,
    /// Sums.
    pub totals: Totals,
}

/// One version that was not there before.
#[derive(Debug, Clone, Serialize)]
pub struct AddedVersion {
    /// The module's path.
    pub module: String,
    /// The version.
    pub version: String,
    /// Bytes of its zip.
    pub zip_bytes: u64,
    /// How the zip came.
    pub how: How,
    /// The checksum database's name, `go.sum`, or `go`.
    pub proven_by: String,
    /// Why the proof that go will ask for is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_proof: Option<String>,
}

/// One version that was there.
#[derive(Debug, Clone, Serialize)]
pub struct PresentVersion {
    /// The module's path.
    pub module: String,
    /// The version.
    pub version: String,
    /// The checksum database's name, `go.sum`, or `go`.
    pub proven_by: String,
    /// Why the proof that go will ask for is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_proof: Option<String>,
}

/// Sums, in versions and bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    /// Versions that are new.
    pub added: usize,
    /// Versions that were there.
    pub present: usize,
    /// What failed.
    pub failed: usize,
    /// go.mods that only module graphs need, new ones.
    pub go_mods: usize,
    /// Bytes of the new zips.
    pub bytes: u64,
    /// Of these, by hard link.
    pub linked_bytes: u64,
    /// Of these, by reflink.
    pub reflinked_bytes: u64,
    /// Of these, copied.
    pub copied_bytes: u64,
    /// Versions, new or there, that a checksum database does not prove.
    pub unproven: usize,
    /// Of these, those of which go will ask a proof that is not there.
    pub without_proof: usize,
}

impl Added {
    /// With its totals.
    pub(super) fn summed(mut self) -> Added {
        let totals = &mut self.totals;
        totals.added = self.added.len();
        totals.present = self.present.len();
        totals.failed = self.failed.len();
        for one in &self.added {
            totals.bytes += one.zip_bytes;
            *match one.how {
                How::Link => &mut totals.linked_bytes,
                How::Reflink => &mut totals.reflinked_bytes,
                How::Copy => &mut totals.copied_bytes,
            } += one.zip_bytes;
        }
        let added = self
            .added
            .iter()
            .map(|one| (&one.proven_by, &one.without_proof));
        let present = self
            .present
            .iter()
            .map(|one| (&one.proven_by, &one.without_proof));
        for (by, without) in added.chain(present) {
            totals.unproven += usize::from(by == "go" || by == "go.sum");
            totals.without_proof += usize::from(without.is_some());
        }
        self
    }
}
