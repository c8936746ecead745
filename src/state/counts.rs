//! What goroam counts of its turns, for metrics. The counts outlive the process.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Outcome};
use crate::model::metrics::Durations;

/// Counts since the first turn of this state directory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// When the counting began.
    pub since: Option<Timestamp>,
    /// When the last turn ended.
    pub last: Option<Timestamp>,
    /// A random number that stands for this user on this machine: 32 hexadecimal digits.
    pub instance: String,
    /// Turns by cause.
    pub turns: BTreeMap<String, u64>,
    /// Turns that chose another profile.
    pub switches: u64,
    /// From the event to the written file, for turns that chose another profile.
    pub switch_time: Durations,
    /// Turns that failed.
    pub failures: u64,
    /// Managed variables that another program or the user has changed.
    pub drift: u64,
    /// How long the probes took that found a target up, by target.
    pub probes: BTreeMap<String, Durations>,
    /// The probes that did not find it up.
    pub probe_failures: BTreeMap<String, u64>,
    /// Turns whose trace was not sent: the queue was full, or the collector refused it.
    pub dropped: u64,
    /// Exports that failed.
    pub export_failures: u64,
}

impl Counts {
    /// Counts a turn. `has_target`: whether the policy has this target; others are forgotten.
    pub fn note(&mut self, entry: &Entry, has_target: impl Fn(&str) -> bool) {
        self.since.get_or_insert(entry.at);
        self.last = Some(entry.at);
        *self.turns.entry(entry.cause.clone()).or_default() += 1;
        self.drift += entry.drift.len() as u64;
        self.failures += u64::from(matches!(entry.outcome, Outcome::Failed { .. }));
        if entry.is_switch() {
            self.switches += 1;
            let took = entry.ms.get("all");
            if let (Some(ms), Outcome::Written { .. }) = (took, &entry.outcome) {
                self.switch_time.add(*ms);
            }
        }
        self.probes.retain(|name, _| has_target(name));
        self.probe_failures.retain(|name, _| has_target(name));
        let asked = entry.report.iter().filter(|seen| seen.began_ms.is_some());
        for seen in asked.filter(|seen| has_target(&seen.target)) {
            let name = seen.target.clone();
            match seen.phases.total.filter(|_| seen.is_up()) {
                Some(ms) => self.probes.entry(name).or_default().add(ms),
                None => *self.probe_failures.entry(name).or_default() += 1,
            }
        }
    }
}
