//! What passes through the relay, as it is offered to a mirror. The mirror is above the relay: it
//! implements [`PassedStore`].

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::spool::Content;
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::Hashed;
use crate::model::SumDb;

/// How long a relay that ends may still store what has passed.
pub const KEEP_LIMIT: Duration = Duration::from_secs(5);

/// A version of which files have passed.
#[derive(Debug, Clone)]
pub struct PassedVersion {
    /// Which.
    pub module: ModuleVersion,
    /// Its go.mod.
    pub go_mod: Bytes,
    /// Its `.info`; with a zip it is always there.
    pub info: Option<Bytes>,
    /// Its zip; `None` if only its go.mod passed.
    pub zip: Option<Content>,
    /// What must prove it.
    pub proof: Proof,
}

/// What must prove a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The checksum database, which covers it: a public hop has it.
    Database,
    /// The project's go.sum, as no database covers it.
    GoSum(Vec<(Hashed, String)>),
}

/// Where the proofs of a checksum database can be read.
#[derive(Debug, Clone)]
pub struct ProofSource {
    /// The database.
    pub sumdb: SumDb,
    /// The relay's own URL.
    pub relay: String,
}

/// What became of versions that were offered.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Versions with a zip that are in the mirror now, and were not before.
    pub versions: u64,
    /// Something was left out, as the mirror is as large as it may be.
    pub is_full: bool,
    /// Versions whose proof could not be had just now.
    pub unproven: Vec<PassedVersion>,
}

/// Why nothing could be stored.
#[derive(Debug, Clone)]
pub enum NotKept {
    /// Another goroam writes to the mirror.
    Busy,
    /// The reason, for people.
    Failed(String),
}

/// A mirror. It judges by itself, and stores only what is proven.
pub trait PassedStore: fmt::Debug + Send + Sync {
    /// Stores these versions.
    fn store(
        &self,
        versions: Vec<PassedVersion>,
        proofs: Option<ProofSource>,
    ) -> BoxFuture<'_, Result<Kept, NotKept>>;
}
