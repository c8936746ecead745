//! What a decision may rest on, and what is kept of it as evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::model::{Observation, Snapshot, Truth};

/// What a target counts as, and what was seen of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The last observation, as it was.
    pub observation: Observation,
    /// What it counts as after `fall` and `rise`.
    pub up: bool,
}

/// Everything that a decision may rest on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The network.
    pub snapshot: &'a Snapshot,
    /// The targets that have answered so far (or have failed to).
    pub seen: &'a BTreeMap<String, Seen>,
    /// The environment of the agent.
    pub env: &'a Environment,
    /// The value of each variable now, for `fastest` to stay where it is among near equals.
    pub present: &'a BTreeMap<String, String>,
}

/// A condition, its value and the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The condition in words: "up corp", "subnet 10.0.0.0/8", "any".
    pub what: String,
    /// Its value.
    pub value: Truth,
    /// Why: "wlan0 has 10.20.0.50".
    pub evidence: String,
    /// The parts of `all`, `any` and `not`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Trace>,
}
