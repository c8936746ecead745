//! The record of one turn.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::gomod::sum::sha256_hex;
use crate::model::plan::{Plan, PlanStep};
use crate::model::status::Drift;
use crate::model::{Change, Observation, Omitted, Snapshot};
use crate::policy::Decision;

/// One turn, with everything that led to it. Credentials are removed before it is written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub turn: u64,
    /// When it ended.
    pub at: Timestamp,
    /// What started it: "start", "asked", "recheck", "network", "policy", "drift", "wake".
    pub cause: String,
    /// The changes of the network.
    pub changes: Vec<Change>,
    /// Managed variables that were set by hand (or by another program) since the previous turn, and
    /// those that this turn has set again; credentials removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// The network; of very many links, addresses and routes only the first.
    pub snapshot: Snapshot,
    /// The parts of the network that this line omits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// The results of the probes.
    pub report: Vec<Observation>,
    /// The chosen profile, and why it was chosen.
    pub decision: Option<Decision>,
    /// The profile before.
    pub from: Option<String>,
    /// The planned changes.
    pub plan: Plan,
    /// The result.
    pub outcome: Outcome,
    /// Milliseconds by step: `survey`, `probe`, `decide`, `apply`, and `all` since the first event.
    pub ms: BTreeMap<String, f64>,
}

/// The parts of the network that a line of the journal omits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The number of omitted parts of each kind.
    #[serde(flatten)]
    pub omitted: Omitted,
    /// SHA-256 of the whole snapshot's JSON.
    pub sha256: String,
}

/// The maximum number of links, addresses of each, routes and rules that a line lists.
const MOST_NAMED: usize = 16;
/// The maximum of every other part, if a line would be too long.
const MOST_PARTS: usize = 32;
const MOST_CHARACTERS: usize = 256;

impl Entry {
    /// Returns the entry with a bounded network: a router that announces 4,000 routes must not push
    /// earlier turns out of the journal.
    pub(super) fn with_small_network(&self) -> Entry {
        let (snapshot, omitted) = self.snapshot.trimmed(MOST_NAMED);
        let left_out = (!omitted.is_nothing()).then(|| LeftOut {
            omitted,
            sha256: sha256(&self.snapshot),
        });
        Entry {
            snapshot,
            left_out,
            ..self.clone()
        }
    }

    /// Returns the entry with all parts shortened: what `history` prints stays, and of the reasons
    /// only those of the chosen profile.
    pub(super) fn shortened(mut self) -> Entry {
        cut(&mut self.cause);
        self.changes.truncate(MOST_PARTS);
        for change in &mut self.changes {
            cut(&mut change.what);
        }
        self.drift.truncate(MOST_PARTS);
        for drift in &mut self.drift {
            drift.wrote.iter_mut().chain(&mut drift.found).for_each(cut);
        }
        self.report.truncate(MOST_PARTS);
        for seen in &mut self.report {
            cut(&mut seen.reason);
        }
        if let Some(decision) = &mut self.decision {
            for considered in &mut decision.considered {
                if considered.profile != decision.profile {
                    considered.trace = None;
                }
            }
            decision.env.values_mut().for_each(cut);
        }
        self.plan.steps.truncate(MOST_PARTS);
        for step in &mut self.plan.steps {
            if let PlanStep::Set { value, .. } = step {
                cut(value);
            }
        }
        if let Outcome::Failed { error } = &mut self.outcome {
            cut(error);
        }
        self
    }

    /// Returns only what was done.
    pub(super) fn bare(self) -> Entry {
        Entry {
            changes: Vec::new(),
            drift: Vec::new(),
            snapshot: Snapshot::default(),
            report: Vec::new(),
            decision: None,
            plan: Plan::default(),
            ..self
        }
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MOST_CHARACTERS) {
        text.truncate(end);
        text.push('…');
    }
}

fn sha256(snapshot: &Snapshot) -> String {
    let bytes = serde_json::to_vec(snapshot).unwrap_or_default();
    sha256_hex(&bytes)
}

/// The result of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Outcome {
    /// The file was changed.
    Written {
        /// The names of the changed variables.
        changed: Vec<String>,
    },
    /// Every value was right already.
    #[default]
    Unchanged,
    /// The caller only asked what would be done.
    DryRun,
    /// It failed.
    Failed {
        /// The reason, credentials removed.
        error: String,
    },
    /// `goroam restore`.
    Restored {
        /// The names of the changed variables.
        changed: Vec<String>,
    },
}
