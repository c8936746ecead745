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
use crate::policy::{Decision, FastestFacts, Policy, TargetState};
use crate::probe::{ProbeOptions, Prober};
use crate::state::Memory;
use crate::state::memory::FastestRecord;

/// Targets, as `decide` takes them.
type Seen = BTreeMap<String, TargetState>;

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

/// Returns what a decision without a probe may assume: the target in use here is up, the others are
/// as they were.
pub(super) fn assumed(record: Option<&FastestRecord>, policy: &Policy) -> Seen {
    let standing = known(record, policy).standing;
    let standing = standing.map(|name| (name, Verdict::Up));
    let verdicts = record.map(|record| record.verdicts.clone());
    let state = |(target, verdict): (String, Verdict)| {
        let observation = Observation {
            target: target.clone(),
            verdict,
            ..Observation::default()
        };
        let up = observation.is_up();
        (target, TargetState { observation, up })
    };
    let verdicts = verdicts.unwrap_or_default().into_iter();
    verdicts.chain(standing).map(state).collect()
}

/// Notes which targets of a turn's `fastest` were up, which one was chosen, and whose content is
/// wrong. Measurements from before another one was chosen no longer count: it has to be clearly
/// slower twice, too.
pub(super) fn note_round(
    memory: &mut Memory,
    snapshot: &Snapshot,
    decision: &Decision,
    report: &[Observation],
    policy: &Policy,
) {
    let profile = policy.profile(&decision.profile, decision.variant);
    let Some(of) = profile.and_then(|profile| profile.fastest()) else {
        return;
    };
    let record = memory.fastest_record_mut(snapshot);
    let verdicts = &mut record.verdicts;
    verdicts.retain(|name, _| policy.targets.contains_key(name));
    let asked = report.iter().filter(|seen| of.contains(&seen.target));
    verdicts.extend(asked.map(|seen| (seen.target.clone(), seen.verdict)));
    let Some(choice) = &decision.fastest else {
        return;
    };
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
    memory.in_force(policy)?.fastest()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::{assumed, known, note_round};
    use crate::environment::Environment;
    use crate::model::{Observation, Snapshot, Verdict};
    use crate::policy::file::{PolicyLocation, parse};
    use crate::policy::{Decision, DecisionFacts, Gaps, Policy, TargetState, decide};
    use crate::state::Memory;

    const TARGETS: &str = r#"
version = 1
[target.cn]
goproxy = "https://goproxy.cn"
[target.io]
goproxy = "https://goproxy.io"
[target.mirror]
mirror = "/srv/mirror"
"#;

    fn policy(profile: &str) -> Policy {
        let text = format!("{TARGETS}[[profile]]\nname = \"p\"\n[profile.env]\n{profile}\n");
        let place = PolicyLocation {
            folder: Path::new("/"),
            home: None,
        };
        parse(&text, place).policy.unwrap()
    }

    /// Takes a turn in which the targets are seen so, and returns the value from before and the one
    /// that the memory gives afterwards.
    fn turn(
        memory: &mut Memory,
        policy: &Policy,
        seen: &[(&str, Verdict)],
    ) -> (Option<String>, Option<String>) {
        let (snapshot, env) = (Snapshot::default(), Environment::default());
        let goproxy = |memory: &Memory, seen: &BTreeMap<String, TargetState>| {
            let facts = DecisionFacts {
                snapshot: &snapshot,
                seen,
                env: &env,
                fastest: &known(Some(&memory.fastest_here), policy),
                gaps: Gaps::default(),
            };
            decide(policy, facts, Some("p"))
        };
        let seen = seen.iter().map(|(name, verdict)| Observation {
            target: (*name).to_owned(),
            verdict: *verdict,
            tries: 1,
            ..Observation::default()
        });
        let report = Vec::from_iter(seen);
        let seen = report.iter().map(|one| {
            let observation = one.clone();
            let up = one.is_up();
            (one.target.clone(), TargetState { observation, up })
        });
        let decision = goproxy(memory, &seen.collect());
        if let Some(decision) = &decision {
            note_round(memory, &snapshot, decision, &report, policy);
        }
        let again = goproxy(memory, &assumed(Some(&memory.fastest_here), policy));
        let value = |decision: Option<Decision>| decision?.env.remove("GOPROXY");
        (value(decision), value(again))
    }

    /// The variable in the policy, what is seen, and the value.
    type Case<'a> = (&'a str, &'a [(&'a str, Verdict)], &'a str);

    #[test]
    fn a_value_is_remembered_as_it_was_resolved() {
        use Verdict::{Down, Up, Wrong};
        let several = r#"GOPROXY = { fastest = ["cn", "io"], then = "direct" }"#;
        let single = r#"GOPROXY = { fastest = ["cn"], then = "direct" }"#;
        let mirror = r#"GOPROXY = { fastest = ["mirror"], then = "off" }"#;
        let cases: [Case<'_>; 7] = [
            (several, &[("io", Up)], "https://goproxy.io,direct"),
            (
                several,
                &[("cn", Down), ("io", Down)],
                "https://goproxy.cn,direct",
            ),
            (
                several,
                &[("cn", Wrong), ("io", Down)],
                "https://goproxy.io,direct",
            ),
            (single, &[("cn", Up)], "https://goproxy.cn,direct"),
            (single, &[("cn", Wrong)], "direct"),
            (mirror, &[("mirror", Up)], "file:///srv/mirror,off"),
            (mirror, &[("mirror", Down)], "off"),
        ];
        for (profile, seen, value) in cases {
            let mut memory = Memory::default();
            let policy = policy(profile);
            assert_eq!(turn(&mut memory, &policy, &[]), (None, None), "{profile}");
            let value = Some(value.to_owned());
            let both = (value.clone(), value);
            assert_eq!(turn(&mut memory, &policy, seen), both, "{profile} {seen:?}");
        }
    }

    #[test]
    fn of_an_older_goroam_the_target_in_use_is_remembered() {
        let policy = policy(r#"GOPROXY = { fastest = ["cn", "io"], then = "direct" }"#);
        let mut memory = Memory::default();
        turn(
            &mut memory,
            &policy,
            &[("cn", Verdict::Down), ("io", Verdict::Up)],
        );
        let mut older = serde_json::to_value(&memory).unwrap();
        let record = older["fastest_here"].as_object_mut().unwrap();
        assert!(record.remove("verdicts").is_some());
        let mut older: Memory = serde_json::from_value(older).unwrap();
        let (_, remembered) = turn(&mut older, &policy, &[]);
        assert_eq!(remembered.as_deref(), Some("https://goproxy.io,direct"));
    }
}
