//! Which target of a `fastest` is used. The one in use is kept until another one is clearly faster
//! in two measurements in a row; one that is down is left at once. Pure: measurements in, name out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::evaluate::{DecisionFacts, TargetState};
use super::profile::{Policy, Profile};
use super::speeds::{Rival, SpeedRound, TIMES, compare};
use crate::model::{Target, Verdict};

/// The chosen target of a `fastest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FastestChoice {
    /// Its name.
    pub target: String,
    /// Why it was chosen or kept, in a few words.
    pub reason: String,
}

/// Adds the targets that a `fastest` still waits for: the one in use on this network and the one
/// that takes its place; without those, or if they are down, the first that is up decides.
pub(super) fn want(profile: &Profile, facts: DecisionFacts<'_>, names: &mut BTreeSet<String>) {
    let Some(of) = profile.fastest() else { return };
    let open = |name: &&String| !facts.seen.contains_key(*name);
    let is_up = |name: &String| is_up(facts.seen.get(name));
    match standing(of, facts).filter(|name| open(name) || is_up(name)) {
        Some(standing) => {
            let next = facts.fastest.successor(of);
            let next = of.iter().filter(|name| Some(name.as_str()) == next);
            names.extend(std::iter::once(standing).chain(next).filter(open).cloned());
        }
        None if of.iter().any(is_up) => {}
        None => names.extend(of.iter().filter(open).cloned()),
    }
}

/// Chooses a target, once none is waited for; `None`: there is only a mirror, and it is not there.
pub(super) fn choose(
    policy: &Policy,
    of: &[String],
    facts: DecisionFacts<'_>,
) -> Option<FastestChoice> {
    let choice = |name: &str, reason: String| {
        Some(FastestChoice {
            target: name.to_owned(),
            reason,
        })
    };
    let is_local = |name: &String| policy.targets.get(name).is_some_and(Target::is_local);
    let up = of.iter().filter(|name| is_up(facts.seen.get(*name)));
    let up = Vec::from_iter(up.cloned());
    if let Some(local) = up.iter().find(|name| is_local(name)) {
        return choice(local, "on this machine".to_owned());
    }
    let standing = standing(of, facts);
    if let Some(standing) = standing.filter(|standing| up.contains(standing)) {
        // One that was seen once need not be asked in every turn.
        let rival = facts.fastest.rival(of);
        let counts =
            |rival: &Rival<'_>| rival.times < TIMES || up.iter().any(|up| up == rival.name);
        let rival = rival.filter(counts).or_else(|| facts.fastest.rival(&up));
        let Some(rival) = rival else {
            let reason = match facts.fastest.rounds.is_empty() {
                true => "kept; not measured yet",
                false => "kept; no other is clearly faster",
            };
            return choice(standing, reason.to_owned());
        };
        let (by, name) = (by(rival.saves), rival.name);
        return match rival.times {
            TIMES.. => choice(name, format!("faster than {standing}{by}, seen twice")),
            _ => choice(
                standing,
                format!("kept; {name} would be faster{by}, seen once"),
            ),
        };
    }
    let unmeasured = SpeedRound::new();
    let last = facts.fastest.rounds.last().unwrap_or(&unmeasured);
    let latency = |name: &String| {
        let seen = facts.seen.get(name);
        seen.and_then(|seen| seen.observation.phases.total)
    };
    let best = up.iter().min_by(|one, other| {
        let latency = |name| latency(name).unwrap_or(f64::INFINITY);
        let by_latency = latency(one).total_cmp(&latency(other));
        compare(last, one, other).then(by_latency)
    });
    let is_wrong = |name: &String| {
        let seen = facts.seen.get(name);
        seen.is_some_and(|seen| seen.observation.verdict == Verdict::Wrong)
    };
    match (best, standing) {
        (Some(best), Some(gone)) => {
            let verdict = facts.seen.get(gone).map(|seen| seen.observation.verdict);
            choice(
                best,
                format!("because {gone} is {}", verdict.unwrap_or_default()),
            )
        }
        (Some(best), None) => choice(best, "the first to answer on this network".to_owned()),
        // `fall` may say that it still counts as up.
        (None, Some(standing)) if !is_wrong(standing) => {
            choice(standing, "kept; none is up".to_owned())
        }
        // The first proxy in the list is as good a guess as any: the user put it first. A mirror
        // that is not up is known to be absent.
        (None, _) => {
            let guess = of.iter().find(|name| !is_local(name) && !is_wrong(name))?;
            choice(guess, "the first in the list; none is up".to_owned())
        }
    }
}

/// Returns the target in use here, if it is one of these.
fn standing<'a>(of: &'a [String], facts: DecisionFacts<'_>) -> Option<&'a String> {
    let standing = facts.fastest.standing.as_ref()?;
    of.iter().find(|name| *name == standing)
}

/// `fall` does not apply here: another target is at hand.
fn is_up(seen: Option<&TargetState>) -> bool {
    seen.is_some_and(|seen| seen.observation.verdict == Verdict::Up)
}

fn by(saves: Option<f64>) -> String {
    match saves {
        Some(part) => format!(" by {:.0} %", (part * 100.0).min(99.0)),
        None => String::new(),
    }
}
