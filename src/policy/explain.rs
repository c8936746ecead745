//! A decision in sentences.

use std::collections::BTreeMap;

use super::decide::Decision;
use super::facts::{Seen, Trace};
use crate::model::{LinkKind, Snapshot, Truth, Verdict};

/// Why this profile, in one line: the facts that carry it, or what is missing.
pub fn because(decision: &Decision, snapshot: &Snapshot, seen: &BTreeMap<String, Seen>) -> String {
    if decision.pinned {
        return "chosen by hand".to_owned();
    }
    let chosen = decision
        .considered
        .iter()
        .find(|one| one.profile == decision.profile);
    let Some(trace) = chosen.and_then(|one| one.trace.as_ref()) else {
        return "as last time on this network; being proven".to_owned();
    };
    let mut facts = Vec::new();
    carrying(trace, &mut facts);
    if facts.is_empty() {
        return missing(snapshot, seen);
    }
    facts.join("; ")
}

/// The leaves that make a true condition true.
fn carrying(trace: &Trace, facts: &mut Vec<String>) {
    if trace.value != Truth::True || trace.what == "always" {
        return;
    }
    if trace.parts.is_empty() || trace.what == "not" {
        let what = match trace.parts.first() {
            Some(part) => format!("not {}", part.what),
            None => trace.what.clone(),
        };
        facts.push(match trace.evidence.is_empty() {
            true => what,
            false => format!("{what} ({})", trace.evidence),
        });
        return;
    }
    for part in &trace.parts {
        carrying(part, facts);
    }
}

/// Why nothing better holds.
fn missing(snapshot: &Snapshot, seen: &BTreeMap<String, Seen>) -> String {
    let portal = seen
        .values()
        .find(|seen| seen.observation.verdict == Verdict::Portal);
    if let Some(portal) = portal {
        return match &portal.observation.portal_url {
            Some(url) => format!("a login page answers for everybody: {url}"),
            None => format!(
                "something answers in the place of {}: {}",
                portal.observation.target, portal.observation.reason
            ),
        };
    }
    if !snapshot.has_any_way_out() {
        let down: Vec<&str> = snapshot
            .links
            .iter()
            .filter(|link| link.kind != LinkKind::Loopback && !link.is_running())
            .map(|link| link.name.as_str())
            .collect();
        return match down.as_slice() {
            [] => "no network".to_owned(),
            [one] => format!("no network; {one} is down"),
            many => format!("no network; {} are down", many.join(", ")),
        };
    }
    let down = seen.values().filter(|seen| !seen.up).collect::<Vec<_>>();
    match down.as_slice() {
        [] => "no earlier profile holds".to_owned(),
        [one] => format!("{}: {}", one.observation.target, one.observation.reason),
        [one, more @ ..] => format!(
            "{}: {}; {} more not up",
            one.observation.target,
            one.observation.reason,
            more.len()
        ),
    }
}
