//! What the targets said in the last rounds, for whoever looks at the agent. Kept in RAM only:
//! it belongs to what is seen now, and it would make every saved state grow.

use std::collections::{BTreeMap, VecDeque};

use crate::model::Observation;
use crate::model::status::TargetStatus;

/// Rounds that are kept for each target: with the usual recheck some five hours.
pub(crate) const MOST_ROUNDS: usize = 32;

/// The last rounds of each target, oldest first: milliseconds where it was up.
#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<String, VecDeque<Option<f64>>>);

impl History {
    /// Takes down a finished round. A target that was not asked keeps what it has; one that
    /// the policy no longer names is forgotten.
    pub(crate) fn take_down<'a>(
        &mut self,
        report: &[Observation],
        targets: impl IntoIterator<Item = &'a String>,
    ) {
        let mut kept = BTreeMap::new();
        for name in targets {
            let mut rounds = self.0.remove(name).unwrap_or_default();
            if let Some(seen) = report.iter().find(|seen| seen.target == *name) {
                let took = seen.phases.total.map_or(0.0, hundredths);
                rounds.push_back(seen.is_up().then_some(took));
            }
            while rounds.len() > MOST_ROUNDS {
                rounds.pop_front();
            }
            kept.insert(name.clone(), rounds);
        }
        self.0 = kept;
    }

    /// Adds it to what status tells of the targets.
    pub(crate) fn tell(&self, targets: &mut [TargetStatus]) {
        for target in targets {
            target.history = match self.0.get(&target.name) {
                Some(rounds) => rounds.iter().copied().collect(),
                None => Vec::new(),
            };
        }
    }
}

/// A longer number would only make every status longer.
fn hundredths(ms: f64) -> f64 {
    (ms * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::{History, MOST_ROUNDS};
    use crate::model::status::TargetStatus;
    use crate::model::{Observation, Phases, Proof, Verdict};

    fn seen(target: &str, verdict: Verdict, ms: f64) -> Observation {
        Observation {
            target: target.to_owned(),
            verdict,
            reason: String::new(),
            failed: None,
            phases: Phases {
                total: Some(ms),
                ..Phases::default()
            },
            proof: Proof::None,
            definite: true,
            tries: 1,
            silent: false,
            portal_url: None,
            caveat: None,
        }
    }

    fn told(history: &History, name: &str) -> Vec<Option<f64>> {
        let mut targets = [TargetStatus::new(name, None)];
        history.tell(&mut targets);
        targets[0].history.clone()
    }

    #[test]
    fn a_round_is_a_number_where_it_was_up_and_nothing_where_it_was_not_asked() {
        let names = ["corp".to_owned(), "proxy".to_owned()];
        let mut history = History::default();
        history.take_down(&[seen("corp", Verdict::Up, 12.3456)], &names);
        history.take_down(&[seen("proxy", Verdict::Portal, 3.0)], &names);
        history.take_down(&[seen("corp", Verdict::Down, 3000.0)], &names);
        assert_eq!(told(&history, "corp"), [Some(12.35), None]);
        assert_eq!(told(&history, "proxy"), [None]);
        assert_eq!(told(&history, "other"), []);
    }

    #[test]
    fn only_the_last_rounds_of_the_policys_own_targets_are_kept() {
        let names = ["corp".to_owned()];
        let mut history = History::default();
        for round in 0..100 {
            let ms = f64::from(round);
            history.take_down(&[seen("corp", Verdict::Up, ms)], &names);
        }
        let rounds = told(&history, "corp");
        assert_eq!(rounds.len(), MOST_ROUNDS);
        assert_eq!(rounds.last(), Some(&Some(99.0)));
        history.take_down(&[], &["proxy".to_owned()]);
        history.take_down(&[], &names);
        assert_eq!(told(&history, "corp"), [], "the policy was without it");
    }
}
