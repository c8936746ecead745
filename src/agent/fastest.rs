//! Remembers how fast the targets of a `fastest` are on each network, and measures it: after a turn,
//! in the background, if nothing is known yet, if one may be faster than the one in use, or if it was
//! long ago. Otherwise nothing runs here.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};

use super::clock;
use super::targets::{care, mark};
use crate::environment::Environment;
use crate::model::{Observation, Snapshot, Target, Verdict};
use crate::policy::{Decision, FastestFacts, Policy};
use crate::probe::{ProbeOptions, Prober};
use crate::state::Memory;
use crate::state::memory::FastestRecord;

/// How many measurements are remembered: the choice needs no more.
const ROUNDS: usize = 2;
/// How long a measurement is relied on.
const FRESH: SignedDuration = SignedDuration::from_hours(6);

/// Returns what a decision may use of the record.
pub(super) fn known(record: Option<&FastestRecord>, policy: &Policy) -> FastestFacts {
    let Some(record) = record else {
        return FastestFacts::default();
    };
    let marks = policy.targets.values();
    let names: BTreeMap<String, &String> = marks
        .filter_map(|target| Some((mark(target)?, &target.name)))
        .collect();
    let name = |mark: &String| names.get(mark).map(|name| (*name).clone());
    let rounds = record.rounds.iter().map(|round| {
        let times = round.iter();
        times
            .filter_map(|(mark, ms)| Some((name(mark)?, *ms)))
            .collect()
    });
    FastestFacts {
        standing: record.standing.as_ref().and_then(name),
        rounds: rounds.collect(),
    }
}

/// Notes which target a turn has chosen, and whose content is wrong. Measurements from before
/// another one was chosen no longer count: it has to be clearly slower twice, too.
pub(super) fn note_round(
    memory: &mut Memory,
    snapshot: &Snapshot,
    decision: &Decision,
    report: &[Observation],
    policy: &Policy,
) {
    let Some(choice) = &decision.fastest else {
        return;
    };
    let record = memory.fastest_record_mut(snapshot);
    for seen in report.iter().filter(|seen| seen.tries > 0) {
        note_content(record, seen, policy);
    }
    let is_up = |seen: &Observation| seen.target == choice.target && seen.is_up();
    let chosen = policy.targets.get(&choice.target).and_then(mark);
    if report.iter().any(is_up) && chosen.is_some() && record.standing != chosen {
        record.standing = chosen;
        record.rounds.clear();
        record.measured = None;
    }
}

/// Reports whether it is news that this target's content is wrong.
fn note_content(record: &mut FastestRecord, seen: &Observation, policy: &Policy) -> bool {
    let Some(mark) = policy.targets.get(&seen.target).and_then(mark) else {
        return false;
    };
    match seen.verdict {
        Verdict::Wrong => record.wrong.insert(mark),
        // Only a whole zip proves anything.
        Verdict::Up if seen.speed.is_some() => {
            record.wrong.remove(&mark);
            false
        }
        Verdict::Up | Verdict::Portal | Verdict::Down => false,
    }
}

/// Returns the targets that the profile in force chooses from.
fn candidates<'p>(memory: &Memory, policy: &'p Policy) -> Option<&'p [String]> {
    policy.profile(memory.profile.as_deref()?)?.1.fastest()
}

/// What a measurement leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The choice stays.
    Nothing,
    /// Another target may be faster: the next turn is worth taking soon.
    Doubt,
    /// The choice has to be made again.
    Change,
}

/// Notes the result of a measurement.
pub(super) fn note_measurement(
    memory: &mut Memory,
    policy: &Policy,
    snapshot: &Snapshot,
    seen: &[Observation],
) -> Finding {
    let of = candidates(memory, policy).unwrap_or_default();
    let record = memory.fastest_record_mut(snapshot);
    let news = seen
        .iter()
        .filter(|seen| note_content(record, seen, policy));
    let is_news = news.count() > 0;
    let times = seen.iter().filter_map(|seen| {
        let mark = policy.targets.get(&seen.target).and_then(mark)?;
        Some((mark, seen.speed.map(|speed| speed.expected_ms())))
    });
    record.rounds.push(times.collect());
    let surplus = record.rounds.len().saturating_sub(ROUNDS);
    record.rounds.drain(..surplus);
    record.measured = Some(clock::now());
    let facts = known(Some(record), policy);
    if is_news || facts.successor(of).is_some() {
        Finding::Change
    } else if facts.is_in_doubt(of) {
        Finding::Doubt
    } else {
        Finding::Nothing
    }
}

/// The measurement under way, if there is one.
#[derive(Default)]
pub(super) struct SpeedMeasurement {
    running: Option<Pin<Box<dyn Future<Output = Vec<Observation>>>>>,
}

impl SpeedMeasurement {
    /// Drops it: on another network, or for another policy, it is useless.
    pub(super) fn stop(&mut self) {
        self.running = None;
    }

    /// After a turn: measures the targets that the profile in force chooses from, if that is due.
    pub(super) fn after_turn(
        &mut self,
        memory: &Memory,
        policy: &Policy,
        env: &Environment,
        snapshot: &Snapshot,
    ) {
        if self.running.is_some() || memory.paused || !snapshot.has_any_way_out() {
            return;
        }
        let Some(targets) = due(memory, policy, snapshot, clock::now()) else {
            return;
        };
        let targets = targets.into_iter().map(|target| {
            let care = care(memory, true, snapshot, target);
            let options = ProbeOptions {
                speed: true,
                ..care
            };
            (target.clone(), options)
        });
        let targets = Vec::from_iter(targets);
        let prober = Prober::new(env);
        self.running = Some(Box::pin(async move {
            let mut seen = Vec::with_capacity(targets.len());
            // One after another: at the same time they would share the line.
            for (target, options) in targets {
                seen.push(prober.probe_with(&target, options).await);
            }
            seen
        }));
    }

    /// Returns its result; waits forever if none is under way. Cancel-safe.
    pub(super) async fn next(&mut self) -> Vec<Observation> {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let seen = running.await;
        self.running = None;
        seen
    }
}

/// Returns the targets to measure now, if there are several to choose from.
fn due<'p>(
    memory: &Memory,
    policy: &'p Policy,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Option<Vec<&'p Target>> {
    let of = candidates(memory, policy)?;
    let targets = of.iter().filter_map(|name| policy.targets.get(name));
    let targets = Vec::from_iter(targets.filter(|target| target.measured_zip().is_some()));
    let record = memory.fastest_record(true, snapshot)?;
    let facts = known(Some(record), policy);
    let standing = memory.seen.get(facts.standing.as_ref()?)?;
    let age = record.measured.map(|at| now.duration_since(at).abs());
    let is_known = age.is_some_and(|age| age < FRESH) && !facts.is_in_doubt(of);
    (targets.len() > 1 && standing.is_up() && !is_known).then_some(targets)
}
