//! The decision: which profile holds, given what is known so far. Pure and three-valued: it is made
//! as soon as it can no longer change, that is, when all earlier profiles are false and this one is
//! true. A black hole that no earlier profile needs causes no delay.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::evaluate::{DecisionFacts, Trace, evaluate, open_facts, open_targets};
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
    /// Which variant of that profile it is; 0: the first, or the only one.
    #[serde(default, skip_serializing_if = "crate::model::status::is_default")]
    pub variant: usize,
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
    /// Whether an earlier profile is still open, so that this one is in force for the time being.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
}

impl Decision {
    /// Returns the place of the chosen profile in `considered`.
    pub fn place(&self) -> Option<usize> {
        let same = (0..).zip(&self.considered);
        let mut same = same.filter(|(_, one)| one.profile == self.profile);
        same.nth(self.variant).map(|(place, _)| place)
    }

    /// Returns the names of the earlier profiles that are open, if it is provisional.
    pub fn open(&self) -> Vec<&str> {
        let is_open = |one: &&Considered| {
            let trace = one.trace.as_ref();
            trace.is_some_and(|trace| trace.value == Truth::Unknown)
        };
        let open = self.considered.iter().filter(is_open);
        let mut names = Vec::from_iter(open.map(|one| one.profile.as_str()));
        names.dedup();
        names
    }

    /// Returns the condition of the chosen profile, if it was evaluated.
    pub fn trace(&self) -> Option<&Trace> {
        self.considered.get(self.place()?)?.trace.as_ref()
    }
}

/// Decides, if the facts suffice for a decision; otherwise returns `None`. Of a profile that was
/// chosen by hand the first variant that holds is taken, or else the first one.
pub fn decide(policy: &Policy, facts: DecisionFacts<'_>, pinned: Option<&str>) -> Option<Decision> {
    let by_hand = by_hand(policy, pinned);
    let (mut chosen, mut traces) = (None, Vec::new());
    for profile in asked(policy, by_hand) {
        let reached = evaluate(&profile.when, policy, &facts, profile.is_loose());
        let value = reached.value;
        traces.push((profile, reached));
        match value {
            Truth::True => {
                chosen = Some(profile);
                break;
            }
            Truth::False => {}
            Truth::Unknown => return None,
        }
    }
    // The last profile has no `when`, so there is always one; a policy without such a profile is
    // refused.
    let profile = chosen.or_else(|| by_hand?.first())?;
    let mut decision = as_it_is(policy, profile, facts)?;
    decision.pinned = by_hand.is_some();
    let mut traces = traces.into_iter().peekable();
    for (profile, considered) in policy.profiles.iter().zip(&mut decision.considered) {
        let reached = traces.next_if(|(reached, _)| std::ptr::eq(*reached, profile));
        considered.trace = reached.map(|(_, trace)| trace);
    }
    Some(decision)
}

/// Returns the decision for a profile whatever its condition is; `None`: what it sets is not known.
pub fn as_it_is(policy: &Policy, profile: &Profile, facts: DecisionFacts<'_>) -> Option<Decision> {
    let (env, fastest) = resolve_env(policy, profile, facts)?;
    let conditions = policy.profiles.iter().map(|profile| &profile.when);
    let asked = BTreeSet::from_iter(conditions.flat_map(|when| when.targets()));
    let open = asked
        .into_iter()
        .filter(|name| !facts.seen.contains_key(*name));
    let considered = policy.profiles.iter().map(|profile| Considered {
        profile: profile.name.clone(),
        trace: None,
    });
    Some(Decision {
        profile: profile.name.clone(),
        variant: policy.variant_of(profile),
        pinned: false,
        over: profile.over.clone(),
        env,
        fastest,
        considered: considered.collect(),
        loosens: profile.loosens.clone(),
        accept_unauthenticated: profile.accept_unauthenticated,
        not_waited_for: open.map(str::to_owned).collect(),
        provisional: false,
    })
}

/// Returns for each profile whether its condition holds.
pub fn standing(policy: &Policy, facts: DecisionFacts<'_>) -> Vec<Truth> {
    let value =
        |profile: &Profile| evaluate(&profile.when, policy, &facts, profile.is_loose()).value;
    policy.profiles.iter().map(value).collect()
}

/// Returns the variants of the profile that was chosen by hand.
fn by_hand<'p>(policy: &'p Policy, pinned: Option<&str>) -> Option<&'p [Profile]> {
    let variants = policy.variants(pinned?);
    (!variants.is_empty()).then_some(variants)
}

/// Returns the profiles whose conditions decide. A single one that was chosen by hand needs none.
fn asked<'p>(policy: &'p Policy, by_hand: Option<&'p [Profile]>) -> &'p [Profile] {
    match by_hand {
        None => &policy.profiles,
        Some([_]) => &[],
        Some(variants) => variants,
    }
}

/// Returns the targets whose answer can still change the choice. Empty: `decide` returns a
/// decision.
pub fn needed(policy: &Policy, facts: DecisionFacts<'_>, pinned: Option<&str>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let by_hand = by_hand(policy, pinned);
    for profile in asked(policy, by_hand) {
        let loose = profile.is_loose();
        let value = evaluate(&profile.when, policy, &facts, loose).value;
        if value == Truth::False {
            continue;
        }
        fastest::want(profile, facts, &mut names);
        if value == Truth::True {
            return names;
        }
        open_targets(&profile.when, policy, &facts, loose, &mut names);
    }
    if let Some(first) = by_hand.and_then(<[Profile]>::first) {
        fastest::want(first, facts, &mut names);
    }
    names
}

/// Returns what the choice depends on next, in words: the targets that the first undecided profile
/// asks for, by name, and its other facts that are not known. Empty: `decide` returns a decision.
pub fn open(policy: &Policy, facts: DecisionFacts<'_>, pinned: Option<&str>) -> Vec<String> {
    let mut names = BTreeSet::new();
    let by_hand = by_hand(policy, pinned);
    for profile in asked(policy, by_hand) {
        let loose = profile.is_loose();
        let trace = evaluate(&profile.when, policy, &facts, loose);
        match trace.value {
            Truth::False => continue,
            Truth::True => fastest::want(profile, facts, &mut names),
            Truth::Unknown => {
                open_targets(&profile.when, policy, &facts, loose, &mut names);
                open_facts(&trace, &profile.when, &mut names);
            }
        }
        return names.into_iter().collect();
    }
    if let Some(first) = by_hand.and_then(<[Profile]>::first) {
        fastest::want(first, facts, &mut names);
    }
    names.into_iter().collect()
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
