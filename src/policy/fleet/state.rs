//! What a machine holds of its fleet's policy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::status::FleetRefusal;

/// What a machine holds of its fleet's policy. All of it changes at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetState {
    /// A random number, which never leaves this machine: it decides whether the machine is among
    /// the first that apply a version.
    pub machine: String,
    /// The name of the policy that was seen first.
    pub id: Option<String>,
    /// The highest version of each key.
    pub highest: BTreeMap<String, SeenVersion>,
    /// The keys that a policy has retired.
    pub retired: BTreeSet<String>,
    /// The newest policy that was accepted.
    pub newest: Option<HeldPair>,
    /// The text in force if this machine is not among those that apply the newest one.
    pub previous: Option<String>,
    /// What the store calls the newest policy.
    pub tag: Option<StoreTag>,
    /// When a store was last asked with success.
    pub fetched_at: Option<Timestamp>,
    /// Why the last offer was refused; `None`: it was not.
    pub refused: Option<FleetRefusal>,
}

/// A version that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SeenVersion {
    /// The version.
    pub version: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// A policy and its signature, as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeldPair {
    /// The policy.
    pub text: String,
    /// The file beside it.
    pub signature: String,
}

/// The entity tag of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoreTag {
    /// SHA-256 of the URL, which may hold a password.
    pub url: String,
    /// The tag.
    pub etag: String,
}
