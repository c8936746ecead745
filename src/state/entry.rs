//! One turn as a record.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::status::Drift;
use crate::model::{Change, Observation, Snapshot};
use crate::plan::Plan;
use crate::policy::Decision;

/// One turn, with all that led to it. Credentials are removed before it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts up from 1.
    pub turn: u64,
    /// When it ended.
    pub at: Timestamp,
    /// What set it off: "start", "asked", "recheck", "network", "policy", "drift", "wake".
    pub cause: String,
    /// What had changed in the network.
    pub changes: Vec<Change>,
    /// Managed variables that were set by hand (or by another program) since the turn before, and
    /// those that this turn has set again; credentials removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// The network.
    pub snapshot: Snapshot,
    /// What the probes saw.
    pub report: Vec<Observation>,
    /// What was chosen, and why.
    pub decision: Option<Decision>,
    /// The profile before.
    pub from: Option<String>,
    /// What was to be done.
    pub plan: Plan,
    /// What came of it.
    pub outcome: Outcome,
    /// Milliseconds by step: `survey`, `probe`, `decide`, `apply`, and `all` of it since the first event.
    pub ms: BTreeMap<String, f64>,
}

/// What came of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Outcome {
    /// The file was changed.
    Written {
        /// The names.
        changed: Vec<String>,
    },
    /// Everything was right already.
    Unchanged,
    /// Only asked what would be done.
    DryRun,
    /// It could not be done.
    Failed {
        /// Why, credentials removed.
        error: String,
    },
    /// `goroam restore`.
    Restored {
        /// The names.
        changed: Vec<String>,
    },
}
