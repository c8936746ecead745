//! What goroam counts of its turns, for metrics. The counts outlive the process.

use std::collections::BTreeMap;
use std::path::PathBuf;

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
    /// Since when no export has succeeded; `None`: the last one has.
    pub unsent: Option<Timestamp>,
    /// The file of metrics that was written last.
    pub textfile: Option<PathBuf>,
}

/// The number of targets that are counted. Those that left the policy are forgotten only
/// above it: one that comes back goes on counting, since a count with the same start never shrinks.
const MOST_TARGETS: usize = 256;

impl Counts {
    /// Counts a turn. `has_target`: whether the policy has this target.
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
        if self.probes.len().max(self.probe_failures.len()) > MOST_TARGETS {
            self.probes.retain(|name, _| has_target(name));
            self.probe_failures.retain(|name, _| has_target(name));
        }
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

#[cfg(test)]
mod tests {
    use super::Counts;
    use crate::model::{Observation, Verdict};
    use crate::state::Entry;

    #[test]
    fn a_target_that_comes_back_goes_on_counting_and_names_do_not_pile_up() {
        let of = |target: &str| Entry {
            report: vec![Observation {
                target: target.to_owned(),
                verdict: Verdict::Down,
                began_ms: Some(0.0),
                ..Observation::default()
            }],
            ..Entry::default()
        };
        let mut counts = Counts::default();
        counts.note(&of("a"), |name| name == "a");
        counts.note(&of("b"), |name| name == "b");
        counts.note(&of("a"), |_| true);
        assert_eq!(counts.probe_failures["a"], 2);
        for number in 0..1000 {
            let name = number.to_string();
            counts.note(&of(&name), |known| known == name);
        }
        assert!(counts.probe_failures.len() <= super::MOST_TARGETS + 1);
    }
}
