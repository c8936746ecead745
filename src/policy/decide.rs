//! The decision: which profile holds, given what is known so far. Pure and three-valued: it is made
//! as soon as it can no longer change, that is, when all earlier profiles are false and this one is
//! true. A black hole that no earlier profile needs causes no delay.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::evaluate::{DecisionFacts, Trace, evaluate, open_targets};
use super::fastest::{self, FastestChoice};
use super::profile::{EnvValue, Policy, Profile};
use crate::model::Truth;

/// A profile and how much of it was evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// The profile's name.
    pub profile: String,
    /// Its condition; `None`: it was not evaluated.
    pub trace: Option<Trace>,
}

/// The chosen profile, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Decision {
    /// The profile's name.
    pub profile: String,
    /// Whether it was chosen by hand (`goroam use`).
    pub pinned: bool,
    /// The profile that everything but GOPROXY comes from, if a mirror was chosen by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// The variables it sets: `fastest` is resolved, `${…}` is not expanded yet.
    pub env: BTreeMap<String, String>,
    /// The target that its `fastest` resolves to, if it names several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fastest: Option<FastestChoice>,
    /// Every profile in order, with every condition, its value and the evidence.
    pub considered: Vec<Considered>,
    /// How it weakens verification; empty: it does not.
    pub loosens: Vec<String>,
    /// Whether the policy accepts this without a fact that cannot be forged.
    pub accept_unauthenticated: bool,
    /// The targets that had not answered and were not waited for.
    pub not_waited_for: Vec<String>,
}

/// Decides, if the facts suffice for a decision; otherwise returns `None`.
pub fn decide(policy: &Policy, facts: DecisionFacts<'_>, pinned: Option<&str>) -> Option<Decision> {
    let by_hand = by_hand(policy, pinned);
    let mut chosen = by_hand;
    let mut considered = Vec::new();
    for profile in &policy.profiles {
        let mut trace = None;
        if chosen.is_none() {
            let reached = evaluate(&profile.when, policy, &facts, profile.is_loose());
            match reached.value {
                Truth::True => chosen = Some(profile),
                Truth::False => {}
                Truth::Unknown => return None,
            }
            trace = Some(reached);
        }
        considered.push(Considered {
            profile: profile.name.clone(),
            trace,
        });
    }
    // The last profile has no `when`, so there is always one; a policy without such a profile is
    // refused.
    let profile = chosen?;
    let conditions = policy.profiles.iter().map(|profile| &profile.when);
    let asked = BTreeSet::from_iter(conditions.flat_map(|when| when.targets()));
    let open = asked
        .into_iter()
        .filter(|name| !facts.seen.contains_key(*name));
    let (env, fastest) = resolve_env(policy, profile, facts)?;
    Some(Decision {
        profile: profile.name.clone(),
        pinned: by_hand.is_some(),
        over: profile.over.clone(),
        env,
        fastest,
        considered,
        loosens: profile.loosens.clone(),
        accept_unauthenticated: profile.accept_unauthenticated,
        not_waited_for: open.map(str::to_owned).collect(),
    })
}

/// Returns for each profile whether its condition holds.
pub fn standing(policy: &Policy, facts: DecisionFacts<'_>) -> Vec<Truth> {
    let value =
        |profile: &Profile| evaluate(&profile.when, policy, &facts, profile.is_loose()).value;
    policy.profiles.iter().map(value).collect()
}

fn by_hand<'p>(policy: &'p Policy, pinned: Option<&str>) -> Option<&'p Profile> {
    policy.profile(pinned?)
}

/// Returns the targets whose answer can still change the choice. Empty: `decide` returns a
/// decision.
pub fn needed(policy: &Policy, facts: DecisionFacts<'_>, pinned: Option<&str>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some(profile) = by_hand(policy, pinned) {
        fastest::want(profile, facts, &mut names);
        return names;
    }
    for profile in &policy.profiles {
        let loose = profile.is_loose();
        let value = evaluate(&profile.when, policy, &facts, loose).value;
        if value == Truth::False {
            continue;
        }
        fastest::want(profile, facts, &mut names);
        if value == Truth::True {
            break;
        }
        open_targets(&profile.when, policy, &facts, loose, &mut names);
    }
    names
}

/// Returns the profile's variables and the choice of its `fastest`; `None` while that is undecided.
fn resolve_env(
    policy: &Policy,
    profile: &Profile,
    facts: DecisionFacts<'_>,
) -> Option<(BTreeMap<String, String>, Option<FastestChoice>)> {
    let mut open = BTreeSet::new();
    fastest::want(profile, facts, &mut open);
    if !open.is_empty() {
        return None;
    }
    let chosen = profile
        .fastest()
        .and_then(|of| fastest::choose(policy, of, facts));
    let url = || {
        let target = policy.targets.get(&chosen.as_ref()?.target)?;
        target.hop_url()
    };
    let is_chosen = profile.fastest().is_some_and(|of| of.len() > 1);
    let env = profile.env.iter().map(|(name, value)| {
        let text = match value {
            EnvValue::Text(text) => text.clone(),
            EnvValue::Fastest {
                then, separator, ..
            } => match (url(), then) {
                (Some(url), Some(then)) => format!("{url}{separator}{then}"),
                (None, Some(then)) => then.clone(),
                (Some(url), None) => url,
                (None, None) => "off".to_owned(),
            },
        };
        (name.clone(), text)
    });
    let env = BTreeMap::from_iter(env);
    Some((env, chosen.filter(|_| is_chosen)))
}
