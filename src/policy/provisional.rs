//! What may be applied on a new network while an earlier profile is still open: a profile that is
//! proven to work here, weakens nothing, and shows no private name of the open profiles to a
//! stranger. Pure.

use std::collections::BTreeSet;

use super::by_hand::{exposed_glob, exposed_target, stranger};
use super::decide::{Decision, as_it_is};
use super::evaluate::{DecisionFacts, evaluate};
use super::expand::chains;
use super::lint::covers_something;
use super::profile::{Condition, Policy, Profile};
use crate::model::host::canonical_url;
use crate::model::{Chain, HopKind, Patterns, Target, Truth};

/// Returns the first later profile that holds, if it may be applied until the open ones are
/// decided. `after` returns the value that a variable would have under a decision.
pub fn provisional(
    policy: &Policy,
    facts: DecisionFacts<'_>,
    after: &dyn Fn(&Decision, &str) -> Option<String>,
) -> Option<Decision> {
    let (mut open, mut traces) = (Vec::new(), Vec::new());
    let mut chosen = None;
    for profile in &policy.profiles {
        // Only what was observed here counts, never a remembered state.
        let trace = evaluate(&profile.when, policy, &facts, true);
        let value = trace.value;
        traces.push(trace);
        match value {
            Truth::True => {
                chosen = Some(profile);
                break;
            }
            Truth::Unknown => open.push(profile),
            Truth::False => {}
        }
    }
    let profile = chosen.filter(|one| !one.is_loose() && rests_on_answers(&one.when, policy))?;
    if open.is_empty() {
        return None;
    }
    let mut decision = as_it_is(policy, profile, facts)?;
    decision.provisional = true;
    for (considered, trace) in decision.considered.iter_mut().zip(traces) {
        considered.trace = Some(trace);
    }
    let is_safe = |open: &&Profile| !shows(policy, open, &decision, after);
    open.iter().all(is_safe).then_some(decision)
}

/// Reports whether the condition holds only if a target on the network is up, and asks for none to
/// be down and for no portal.
fn rests_on_answers(condition: &Condition, policy: &Policy) -> bool {
    let remote = |name: &&String| policy.targets.get(*name).is_some_and(|one| !one.is_local());
    let is_answer = |fact: &Condition, value| match (fact, value) {
        (Condition::Up(name), true) => remote(&name),
        (Condition::AtLeast { n, of }, true) => of.iter().filter(|name| !remote(name)).count() < *n,
        _ => false,
    };
    let is_absence = |(fact, value): (&Condition, bool)| match (fact, value) {
        (Condition::Portal(_) | Condition::Down(_), _) => true,
        (Condition::Up(_) | Condition::AtLeast { .. }, value) => !value,
        _ => false,
    };
    condition.implies(true, &is_answer) && !condition.facts().into_iter().any(is_absence)
}

/// Reports whether a decision may show private names of an open profile to a public proxy or to the
/// checksum database.
fn shows(
    policy: &Policy,
    open: &Profile,
    decision: &Decision,
    after: &dyn Fn(&Decision, &str) -> Option<String>,
) -> bool {
    let targets = private_targets(policy, open);
    let lists = ["GOPRIVATE", "GONOPROXY", "GONOSUMDB"];
    let lists = lists.into_iter().filter_map(|list| open.sets(list));
    let lists = lists.filter(|list| covers_something(list));
    let listed = Patterns::parse(&Vec::from_iter(lists).join(","));
    let set = |name| after(decision, name).filter(|value| !value.is_empty());
    let is_shown_without = |list| {
        let kept = set(list).or_else(|| set("GOPRIVATE")).unwrap_or_default();
        let kept = Patterns::parse(&kept);
        exposed_glob(&listed, &kept).is_some()
            || exposed_target(targets.iter().copied(), &kept).is_some()
    };
    // As the policy has it: the relay's own URL would hide where it leads.
    let goproxy = decision.env.get("GOPROXY").cloned();
    let chain = goproxy.or_else(|| after(decision, "GOPROXY"));
    let chain = chain.and_then(|chain| Chain::parse(&chain).ok());
    let is_public = chain.is_none_or(|chain| stranger(policy, &chain).is_some());
    let is_looked_up = set("GOSUMDB").as_deref() != Some("off");
    (is_public && is_shown_without("GONOPROXY")) || (is_looked_up && is_shown_without("GONOSUMDB"))
}

/// Returns the private targets that a profile asks for, or that its chain leads to.
fn private_targets<'p>(policy: &'p Policy, profile: &Profile) -> Vec<&'p Target> {
    let mut urls = BTreeSet::new();
    for possible in chains(&profile.env, &policy.targets) {
        for hop in possible.chain.hops {
            if let HopKind::Proxy(url) = hop.kind {
                urls.insert(canonical_url(&url));
            }
        }
    }
    let asked = profile.when.targets();
    let is_its = |target: &&Target| {
        let url = target.goproxy_url().map(canonical_url);
        target.private
            && (asked.contains(target.name.as_str()) || url.is_some_and(|url| urls.contains(&url)))
    };
    policy.targets.values().filter(is_its).collect()
}
