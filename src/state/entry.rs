//! The record of one turn.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::gomod::sum::sha256_hex;
use crate::model::plan::{Plan, PlanStep};
use crate::model::status::Drift;
use crate::model::text::duration;
use crate::model::{Change, Observation, Omitted, Snapshot, Truth};
use crate::policy::{Decision, Trace};

/// One turn, with everything that led to it. Credentials are removed before it is written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub turn: u64,
    /// When it ended.
    pub at: Timestamp,
    /// Its trace id: 32 hexadecimal digits, made at its start; empty in a line of an older goroam.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace: String,
    /// What started it: "start", "asked", "recheck", "network", "policy", "drift", "wake".
    pub cause: String,
    /// The changes of the network.
    pub changes: Vec<Change>,
    /// Managed variables that were set by hand (or by another program) since the previous turn, and
    /// those that this turn has set again; credentials removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// What the relay got from a proxy instead of the right content: "goproxy.example sent wrong
    /// content for example.com/m@v1.0.0".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<String>,
    /// What became of the fleet's policy: a new version, or why one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
    /// The network; of very many links, addresses and routes only the first.
    pub snapshot: Snapshot,
    /// The parts of the network that this line omits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// The results of the probes.
    pub report: Vec<Observation>,
    /// The targets that count as the opposite of their result, because of `fall` or `rise`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub counts_as_before: BTreeSet<String>,
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
        self.incidents.truncate(MOST_PARTS);
        self.incidents.iter_mut().for_each(cut);
        self.fleet.iter_mut().for_each(cut);
        self.report.truncate(MOST_PARTS);
        for seen in &mut self.report {
            cut(&mut seen.reason);
        }
        if let Some(decision) = &mut self.decision {
            let chosen = decision.place();
            for (place, considered) in decision.considered.iter_mut().enumerate() {
                if Some(place) != chosen {
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
        if let Outcome::Failed { error, .. } = &mut self.outcome {
            cut(error);
        }
        self
    }

    /// Returns only what was done.
    pub(super) fn bare(self) -> Entry {
        Entry {
            changes: Vec::new(),
            drift: Vec::new(),
            incidents: Vec::new(),
            snapshot: Snapshot::default(),
            report: Vec::new(),
            decision: None,
            plan: Plan::default(),
            ..self
        }
    }

    /// Reports whether it chose another profile than the one before.
    pub fn is_switch(&self) -> bool {
        let to = self.decision.as_ref().map(|decision| &decision.profile);
        to.is_some() && to != self.from.as_ref() && self.outcome != Outcome::DryRun
    }

    /// Describes the turn in one sentence: "home → office in 38 ms: default route moved to wlan0; up
    /// corp".
    pub fn summary(&self) -> String {
        let changes = self.changes.iter().filter(|change| change.major);
        let changes = changes.map(|change| change.what.clone());
        let incidents = self.incidents.iter().chain(&self.fleet).cloned();
        let by_hand = self.drift.iter().map(by_hand);
        let mut reasons: Vec<String> = incidents.chain(by_hand).chain(changes).collect();
        if reasons.is_empty() {
            reasons.push(self.cause.clone());
        }
        reasons.truncate(3);
        if let Some(decision) = &self.decision
            && self.from.as_deref() != Some(decision.profile.as_str())
        {
            if decision.pinned {
                reasons.push("chosen by hand".to_owned());
            } else if let Some(trace) = decision.trace() {
                reasons.extend(proof(trace));
            }
        }
        let (profiles, ending) = (self.profiles(), self.ending());
        format!("{profiles}{ending}: {}", reasons.join("; "))
    }

    fn profiles(&self) -> String {
        let decision = self.decision.as_ref();
        let to = decision.map(|decision| &decision.profile);
        let is_provisional = decision.is_some_and(|decision| decision.provisional);
        let so_far = if is_provisional { " (provisional)" } else { "" };
        match (&self.outcome, &self.from, to) {
            (Outcome::Restored { .. }, Some(from), _) => format!("{from} → put back"),
            (Outcome::Restored { .. }, None, _) => "put back".to_owned(),
            (_, Some(from), Some(to)) if from == to => format!("{to} stays{so_far}"),
            (_, Some(from), Some(to)) => format!("{from} → {to}{so_far}"),
            (_, None, Some(to)) => format!("→ {to}"),
            // No decision was needed.
            (_, Some(from), None)
                if !self.drift.is_empty() || !self.incidents.is_empty() || self.fleet.is_some() =>
            {
                format!("{from} stays")
            }
            (_, Some(from), None) => format!("{from} stays, undecided"),
            (_, None, None) => "undecided".to_owned(),
        }
    }

    fn ending(&self) -> String {
        match &self.outcome {
            Outcome::Written { .. } | Outcome::Restored { .. } => match self.ms.get("all") {
                Some(ms) => format!(" in {}", duration(*ms)),
                None => String::new(),
            },
            Outcome::Unchanged => String::new(),
            Outcome::DryRun => " (dry run)".to_owned(),
            Outcome::Failed { error, .. } => format!(", not written ({error})"),
        }
    }
}

/// Describes a drift: "GOPROXY was set by hand to direct".
fn by_hand(drift: &Drift) -> String {
    match &drift.found {
        Some(value) => format!("{} was set by hand to {value}", drift.name),
        None => format!("{} was removed by hand", drift.name),
    }
}

/// Returns the first true condition with evidence, which is the reason for the choice.
fn proof(trace: &Trace) -> Option<String> {
    if trace.value != Truth::True {
        return None;
    }
    if trace.parts.is_empty() && !trace.evidence.is_empty() {
        return Some(format!("{} ({})", trace.what, trace.evidence));
    }
    trace.parts.iter().find_map(proof)
}

/// Reports whether a text is the one that a line holds, which may have been cut.
pub fn is_as_recorded(recorded: &str, text: &str) -> bool {
    let mut shortened = text.to_owned();
    cut(&mut shortened);
    recorded == text || recorded == shortened
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
        /// The kind of the reason, one of a few words; empty: it is not known.
        #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
        kind: String,
    },
    /// `goroam restore`.
    Restored {
        /// The names of the changed variables.
        changed: Vec<String>,
    },
}
