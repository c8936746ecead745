//! The decision: which profile holds, given what is known so far. Pure and three-valued, so
//! that the choice is made the moment it can no longer change: all earlier profiles are
//! false and this one is true. A black hole that no earlier profile needs delays nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::evaluate::{DecisionFacts, Trace, evaluate, open_targets};
use super::profile::{EnvValue, Policy, Profile};
use crate::model::Truth;

/// A profile, as far as it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// The profile's name.
    pub profile: String,
    /// Its condition; `None`: it was not reached.
    pub trace: Option<Trace>,
}

/// What was chosen, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The profile's name.
    pub profile: String,
    /// Chosen by hand (`goroam use`).
    pub pinned: bool,
    /// The variables it sets, `fastest` settled, `${…}` not expanded yet.
    pub env: BTreeMap<String, String>,
    /// Every profile in order, with every condition, its value and the evidence.
    pub considered: Vec<Considered>,
    /// How it weakens verification; empty: it does not.
    pub loosens: Vec<String>,
    /// The policy accepts that without a fact that cannot be forged.
    pub accept_unauthenticated: bool,
    /// The targets that had not answered and were not waited for.
    pub not_waited_for: Vec<String>,
}

/// Decides, if it can be decided yet.
pub fn decide(policy: &Policy, facts: DecisionFacts<'_>, pinned: Option<&str>) -> Option<Decision> {
    if let Some((_, profile)) = pinned.and_then(|name| policy.profile(name)) {
        let env = resolve_env(policy, profile, facts)?;
        let considered = policy
            .profiles
            .iter()
            .map(|profile| Considered {
                profile: profile.name.clone(),
                trace: None,
            })
            .collect();
        return Some(decision(policy, profile, env, considered, facts, true));
    }
    let mut considered = Vec::new();
    let mut chosen = None;
    for profile in &policy.profiles {
        if chosen.is_some() {
            considered.push(Considered {
                profile: profile.name.clone(),
                trace: None,
            });
            continue;
        }
        let trace = evaluate(&profile.when, policy, &facts, profile.is_loose());
        let value = trace.value;
        considered.push(Considered {
            profile: profile.name.clone(),
            trace: Some(trace),
        });
        match value {
            Truth::True => chosen = Some(profile),
            Truth::False => {}
            Truth::Unknown => return None,
        }
    }
    // The last profile has no `when`, so there is always one; a policy without would be refused.
    let profile = chosen?;
    let env = resolve_env(policy, profile, facts)?;
    Some(decision(policy, profile, env, considered, facts, false))
}

/// The targets whose answer can still change the choice. Empty: `decide` has its answer.
pub fn needed(policy: &Policy, facts: DecisionFacts<'_>, pinned: Option<&str>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let candidates: Vec<&Profile> = match pinned.and_then(|name| policy.profile(name)) {
        Some((_, profile)) => {
            want_fastest(profile, facts, &mut names);
            return names;
        }
        None => policy.profiles.iter().collect(),
    };
    for profile in candidates {
        let loose = profile.is_loose();
        match evaluate(&profile.when, policy, &facts, loose).value {
            Truth::False => {}
            Truth::True => {
                want_fastest(profile, facts, &mut names);
                break;
            }
            Truth::Unknown => {
                open_targets(&profile.when, policy, &facts, loose, &mut names);
                want_fastest(profile, facts, &mut names);
            }
        }
    }
    names
}

fn decision(
    policy: &Policy,
    profile: &Profile,
    env: BTreeMap<String, String>,
    considered: Vec<Considered>,
    facts: DecisionFacts<'_>,
    pinned: bool,
) -> Decision {
    let mut asked = BTreeSet::new();
    for profile in &policy.profiles {
        asked.extend(profile.when.targets());
    }
    let not_waited_for = asked
        .into_iter()
        .filter(|name| !facts.seen.contains_key(*name))
        .map(str::to_owned)
        .collect();
    Decision {
        profile: profile.name.clone(),
        pinned,
        env,
        considered,
        loosens: profile.loosens.clone(),
        accept_unauthenticated: profile.accept_unauthenticated,
        not_waited_for,
    }
}

/// A present choice is kept while it is at most this much slower than the fastest.
const NEAR: f64 = 1.3;

/// All started at the same time, so the first that is up is the fastest: once one is, nobody
/// else is waited for.
fn want_fastest(profile: &Profile, facts: DecisionFacts<'_>, names: &mut BTreeSet<String>) {
    for value in profile.env.values() {
        if let EnvValue::Fastest { of, .. } = value
            && !of
                .iter()
                .any(|name| facts.seen.get(name).is_some_and(|seen| seen.up))
        {
            names.extend(
                of.iter()
                    .filter(|name| !facts.seen.contains_key(*name))
                    .cloned(),
            );
        }
    }
}

/// The profile's variables; `None` while a `fastest` is open.
fn resolve_env(
    policy: &Policy,
    profile: &Profile,
    facts: DecisionFacts<'_>,
) -> Option<BTreeMap<String, String>> {
    let mut open = BTreeSet::new();
    want_fastest(profile, facts, &mut open);
    if !open.is_empty() {
        return None;
    }
    let env = profile.env.iter().map(|(name, value)| {
        let text = match value {
            EnvValue::Text(text) => text.clone(),
            EnvValue::Fastest {
                of,
                then,
                separator,
            } => {
                let url = fastest_url(policy, of, facts, facts.present.get(name));
                match (url, then) {
                    (Some(url), Some(then)) => format!("{url}{separator}{then}"),
                    (None, Some(then)) => then.clone(),
                    (Some(url), None) => url,
                    (None, None) => "off".to_owned(),
                }
            }
        };
        (name.clone(), text)
    });
    Some(BTreeMap::from_iter(env))
}

fn fastest_url(
    policy: &Policy,
    of: &[String],
    facts: DecisionFacts<'_>,
    present: Option<&String>,
) -> Option<String> {
    let time = |name: &String| -> Option<f64> {
        let seen = facts.seen.get(name).filter(|seen| seen.up)?;
        seen.observation.phases.total
    };
    let target = |name: &String| policy.targets.get(name);
    let url = |name: &String| target(name)?.hop_url();
    let best = of
        .iter()
        .filter_map(|name| Some((time(name)?, name)))
        .min_by(|(a, _), (b, _)| a.total_cmp(b));
    let kept = best.and_then(|(best, _)| {
        of.iter().find(|name| {
            let in_force = url(name).is_some_and(|url| {
                present.is_some_and(|value| {
                    value
                        .strip_prefix(&url)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with([',', '|']))
                })
            });
            in_force && time(name).is_some_and(|time| time <= best * NEAR)
        })
    });
    // With none up the first proxy named is as good a guess as any: the user put it first. Of a
    // mirror it is known that nothing is there.
    let guess = of
        .iter()
        .find(|name| target(name).is_some_and(|target| !target.is_local()));
    kept.or(best.map(|(_, name)| name)).or(guess).and_then(url)
}
