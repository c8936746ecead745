//! What a machine holds of its fleet's policy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::gomod::sum::sha256_hex;
use crate::model::status::FleetRefusal;
use crate::policy::file::header;

/// What a machine holds of its fleet's policy. All of it changes at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetState {
    /// A random number, which never leaves this machine: it decides whether the machine is among
    /// the first that apply a version.
    pub machine: String,
    /// The name of the policy that was seen first.
    pub id: Option<String>,
    /// The highest version of each key; of no key, if the record of it was lost.
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

/// What a store offers.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The policy's bytes.
    pub body: &'a [u8],
    /// The content of the file beside it.
    pub signature: &'a str,
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

impl FleetState {
    /// Returns what the text in force still says if the record of it was lost: what was seen, and
    /// which keys no longer count. `None`: it says nothing.
    pub fn recovered(text: &str) -> Option<FleetState> {
        let header = header(text);
        let seen = SeenVersion::of(text)?;
        Some(FleetState {
            id: header.id,
            highest: [(String::new(), seen)].into(),
            retired: header.retire_keys.into_iter().collect(),
            ..FleetState::default()
        })
    }
}

impl SeenVersion {
    /// Returns the version that a text has.
    pub(super) fn of(text: &str) -> Option<SeenVersion> {
        Some(SeenVersion {
            version: header(text).version?,
            sha256: sha256_hex(text.as_bytes()),
        })
    }
}

impl HeldPair {
    pub(super) fn offer(&self) -> Offer<'_> {
        Offer {
            body: self.text.as_bytes(),
            signature: &self.signature,
        }
    }
}
