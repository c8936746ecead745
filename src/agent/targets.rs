//! Remembers what is known of the targets on a network, so that it is found out only once: whose
//! zips arrive, and which targets stay silent however long one waits. It also waits: a target that
//! accepted a request and did not answer in time is asked once more, in the background, for as long
//! as a cold cache may need; its answer leads to a new decision. When all have answered, nothing
//! runs here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tracing::info;

use super::command::Cause;
use crate::environment::Environment;
use crate::gomod::sum::sha256_hex;
use crate::model::status::TargetStatus;
use crate::model::{Observation, Snapshot, Target, TargetKind};
use crate::policy::Policy;
use crate::probe::{ProbeOptions, Prober};
use crate::state::Memory;

/// How many networks' zip results are remembered.
const NETWORKS: usize = 64;

/// The longest time that a person who runs a command waits for a first byte.
pub(crate) const AT_THE_PROMPT: Duration = Duration::from_secs(30);

/// Reports whether this is still the network of the last turn, as far as that can be known.
pub(crate) fn same_stay(memory: &Memory, cause: Cause, snapshot: &Snapshot) -> bool {
    match cause {
        Cause::Network | Cause::Wake | Cause::Policy => false,
        Cause::Start | Cause::Asked => memory.snapshot.may_be_in(snapshot),
        Cause::Recheck
        | Cause::Drift
        | Cause::PinEnded
        | Cause::Late
        | Cause::Incident
        | Cause::Fleet
        | Cause::Measured => true,
    }
}

/// Returns how thoroughly a target is checked in a round.
pub(crate) fn care(
    memory: &Memory,
    same_stay: bool,
    snapshot: &Snapshot,
    target: &Target,
) -> ProbeOptions {
    let here = Some(&memory.zips_here).filter(|_| same_stay);
    let marks = match memory.network_id(snapshot) {
        Some(network) => memory.zips.get(&network),
        None => here,
    };
    let is_known = |mark| marks.is_some_and(|marks| marks.contains(&mark));
    let was_wrong = |mark| {
        let record = memory.fastest_record(same_stay, snapshot);
        record.is_some_and(|record| record.wrong.contains(&mark))
    };
    ProbeOptions {
        zip: !mark(target).is_none_or(is_known),
        patience: None,
        // Its small files may be right all the time.
        speed: mark(target).is_some_and(was_wrong),
    }
}

/// Returns how long a person waits for the target.
pub(crate) fn at_the_prompt(target: &Target) -> Option<Duration> {
    target
        .patience()
        .map(|patience| patience.min(AT_THE_PROMPT).max(target.limits.first_byte))
}

/// Notes the results of a round. If a target is up, its zip has arrived, now or before; after a
/// failure the zip must be checked again.
pub(crate) fn note_round(
    memory: &mut Memory,
    cause: Cause,
    snapshot: &Snapshot,
    report: &[Observation],
    policy: &Policy,
) {
    if !same_stay(memory, cause, snapshot) {
        memory.zips_here = BTreeSet::new();
        memory.fastest_here = Default::default();
        memory.waited = BTreeSet::new();
    }
    let network = memory.network_id(snapshot);
    let mut marks = match &network {
        Some(network) => memory.zips.remove(network).unwrap_or_default(),
        None => std::mem::take(&mut memory.zips_here),
    };
    for seen in report.iter().filter(|seen| seen.tries > 0) {
        if seen.is_up() {
            memory.waited.remove(&seen.target);
        }
        let target = policy.targets.get(&seen.target);
        if let Some(mark) = target.and_then(mark) {
            if seen.is_up() {
                marks.insert(mark);
            } else {
                marks.remove(&mark);
            }
        }
    }
    // Otherwise a mark of a target that the policy no longer asks would be kept forever.
    let asked: BTreeSet<String> = policy.targets.values().filter_map(mark).collect();
    marks.retain(|mark| asked.contains(mark));
    match network {
        Some(network) if !marks.is_empty() => {
            // Networks that the memory no longer knows are dropped first, then any: it costs one
            // zip each.
            let networks = &memory.networks;
            memory.zips.retain(|one, _| networks.contains_key(one));
            while memory.zips.len() >= NETWORKS && memory.zips.pop_first().is_some() {}
            memory.zips.insert(network, marks);
        }
        Some(_) => {}
        None => memory.zips_here = marks,
    }
}

/// Identifies a proxy and the module that it is asked for, as a short text that reveals neither; it
/// differs for another URL or another module.
pub(super) fn mark(target: &Target) -> Option<String> {
    let TargetKind::GoProxy {
        url,
        module,
        version,
        ..
    } = &target.kind
    else {
        return None;
    };
    let mut mark = sha256_hex(format!("{url}\n{module}@{version}").as_bytes());
    mark.truncate(16);
    Some(mark)
}

/// How many rounds are kept for each target: about five hours with the usual recheck.
pub(crate) const MOST_ROUNDS: usize = 32;

/// The last rounds of each target, oldest first: the milliseconds if it was up.
#[derive(Debug, Default)]
pub(crate) struct TargetHistory(BTreeMap<String, VecDeque<Option<f64>>>);

impl TargetHistory {
    /// Records a finished round. A target that was not asked keeps its history; one that the policy
    /// no longer names is forgotten.
    pub(crate) fn note_round<'a>(
        &mut self,
        report: &[Observation],
        targets: impl IntoIterator<Item = &'a String>,
    ) {
        let mut kept = BTreeMap::new();
        for name in targets {
            let mut rounds = self.0.remove(name).unwrap_or_default();
            if let Some(seen) = report.iter().find(|seen| seen.target == *name) {
                let took = seen.phases.total.unwrap_or_default();
                // More digits would only make every status longer.
                let took = (took * 100.0).round() / 100.0;
                rounds.push_back(seen.is_up().then_some(took));
            }
            while rounds.len() > MOST_ROUNDS {
                rounds.pop_front();
            }
            kept.insert(name.clone(), rounds);
        }
        self.0 = kept;
    }

    /// Adds the history to the status of the targets.
    pub(crate) fn add_to(&self, targets: &mut [TargetStatus]) {
        for target in targets {
            let rounds = self.0.get(&target.name);
            target.history = rounds.into_iter().flatten().copied().collect();
        }
    }
}

/// The background tries, one for each target, each with one connection.
#[derive(Default)]
pub(super) struct LateTargets {
    tries: FuturesUnordered<Pin<Box<dyn Future<Output = Observation>>>>,
    pub(super) waiting: BTreeSet<String>,
    /// The answers that have arrived, for the round that they start.
    pub(super) news: BTreeMap<String, Observation>,
}

impl LateTargets {
    /// Drops all: answers on another network, or for another policy, are useless.
    pub(super) fn drop_all(&mut self) {
        *self = LateTargets::default();
    }

    /// Asks these targets with a long time limit, in the background; each target is asked only once
    /// at a time.
    pub(super) fn wait_for(
        &mut self,
        silent: BTreeSet<String>,
        env: &Environment,
        policy: &Policy,
        memory: &Memory,
        snapshot: &Snapshot,
    ) {
        if memory.paused || silent.is_empty() {
            return;
        }
        let prober = Arc::new(Prober::new(env));
        for name in silent {
            let Some(target) = policy.targets.get(&name).cloned() else {
                continue;
            };
            info!(
                target = target.name,
                "no answer yet; waiting for it in the background"
            );
            let options = ProbeOptions {
                patience: target.patience(),
                ..care(memory, true, snapshot, &target)
            };
            let prober = Arc::clone(&prober);
            if self.waiting.insert(name) {
                let answer = async move { prober.probe_with(&target, options).await };
                self.tries.push(Box::pin(answer));
            }
        }
    }

    /// Returns the next answer; waits forever if no target is waited for. Cancel-safe.
    pub(super) async fn next(&mut self) -> Observation {
        match self.tries.next().await {
            Some(seen) => seen,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_ROUNDS, TargetHistory};
    use crate::model::status::TargetStatus;
    use crate::model::{Observation, Phases, Proof, Verdict};

    fn seen(target: &str, verdict: Verdict, ms: f64) -> Observation {
        Observation {
            began_ms: None,
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
            speed: None,
        }
    }

    fn told(history: &TargetHistory, name: &str) -> Vec<Option<f64>> {
        let mut targets = [TargetStatus::new(name, None)];
        history.add_to(&mut targets);
        targets[0].history.clone()
    }

    #[test]
    fn a_round_is_a_number_where_it_was_up_and_nothing_where_it_was_not_asked() {
        let names = ["corp".to_owned(), "proxy".to_owned()];
        let mut history = TargetHistory::default();
        history.note_round(&[seen("corp", Verdict::Up, 12.3456)], &names);
        history.note_round(&[seen("proxy", Verdict::Portal, 3.0)], &names);
        history.note_round(&[seen("corp", Verdict::Down, 3000.0)], &names);
        assert_eq!(told(&history, "corp"), [Some(12.35), None]);
        assert_eq!(told(&history, "proxy"), [None]);
        assert_eq!(told(&history, "other"), []);
    }

    #[test]
    fn only_the_last_rounds_of_the_policys_own_targets_are_kept() {
        let names = ["corp".to_owned()];
        let mut history = TargetHistory::default();
        for round in 0..100 {
            let ms = f64::from(round);
            history.note_round(&[seen("corp", Verdict::Up, ms)], &names);
        }
        let rounds = told(&history, "corp");
        assert_eq!(rounds.len(), MOST_ROUNDS);
        assert_eq!(rounds.last(), Some(&Some(99.0)));
        history.note_round(&[], &["proxy".to_owned()]);
        history.note_round(&[], &names);
        assert_eq!(told(&history, "corp"), [], "the policy was without it");
    }
}
