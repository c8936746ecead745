//! Explains a decision in sentences.

use std::collections::BTreeMap;

use super::decide::Decision;
use super::evaluate::{TargetState, Trace};
use super::profile::Policy;
use crate::model::{LinkKind, Snapshot, Target, Truth, Verdict};

/// Returns in one line why this profile was chosen: the facts it depends on, or what is missing.
pub fn because(
    decision: &Decision,
    policy: &Policy,
    snapshot: &Snapshot,
    seen: &BTreeMap<String, TargetState>,
) -> String {
    if decision.pinned {
        return match &decision.over {
            Some(over) => format!("GOPROXY chosen by hand, all else as in {over}"),
            None => "chosen by hand".to_owned(),
        };
    }
    let Some(trace) = decision.trace() else {
        return "as last time on this network; being proven".to_owned();
    };
    let mut facts = Vec::new();
    if decision.provisional {
        let open = decision.open().join(", ");
        facts.push(format!("provisional, while {open} is not decided"));
    }
    carrying(trace, &mut facts);
    if facts.is_empty() {
        return missing(policy, snapshot, seen);
    }
    facts.join("; ")
}

/// Collects the leaves that make a true condition true.
fn carrying(trace: &Trace, facts: &mut Vec<String>) {
    if trace.value != Truth::True || trace.what == "always" {
        return;
    }
    if trace.parts.is_empty() || trace.what == "not" {
        let what = match trace.parts.first() {
            Some(part) => format!("not {}", part.what),
            None => trace.what.clone(),
        };
        facts.push(if trace.evidence.is_empty() {
            what
        } else {
            format!("{what} ({})", trace.evidence)
        });
        return;
    }
    for part in &trace.parts {
        carrying(part, facts);
    }
}

/// Explains why no better profile holds.
fn missing(policy: &Policy, snapshot: &Snapshot, seen: &BTreeMap<String, TargetState>) -> String {
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
    // The reader asks what the network lacks; a missing mirror comes last.
    let is_local = |seen: &TargetState| {
        let target = policy.targets.get(&seen.observation.target);
        target.is_some_and(Target::is_local)
    };
    let mut down = seen.values().filter(|seen| !seen.up).collect::<Vec<_>>();
    down.sort_by_key(|seen| is_local(seen));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::evaluate::TargetState;
    use super::super::file::{PolicyLocation, parse};
    use super::missing;
    use crate::model::{Observation, Phases, Proof, Snapshot, Verdict};

    const POLICY: &str = r#"
        version = 1
        [target.athens]
        listening = "127.0.0.1:3000"
        [target.proxy]
        goproxy = "https://proxy.golang.org"
        [[profile]]
        name = "public"
        when = { up = "proxy" }
        [[profile]]
        name = "offline"
    "#;

    fn down(target: &str) -> (String, TargetState) {
        let observation = Observation {
            target: target.to_owned(),
            verdict: Verdict::Down,
            reason: "no answer".to_owned(),
            failed: None,
            phases: Phases::default(),
            proof: Proof::None,
            definite: true,
            tries: 1,
            silent: false,
            portal_url: None,
            caveat: None,
            speed: None,
        };
        let up = false;
        (target.to_owned(), TargetState { observation, up })
    }

    #[test]
    fn what_the_network_lacks_is_told_before_what_this_machine_lacks() {
        let place = PolicyLocation {
            folder: Path::new("/"),
            home: None,
        };
        let policy = parse(POLICY, place).policy.unwrap();
        let snapshot = Snapshot {
            blind: true,
            ..Snapshot::default()
        };
        let seen = BTreeMap::from([down("athens"), down("proxy")]);
        let why = missing(&policy, &snapshot, &seen);
        assert_eq!(why, "proxy: no answer; 1 more not up");
        let seen = BTreeMap::from([down("athens")]);
        assert_eq!(missing(&policy, &snapshot, &seen), "athens: no answer");
    }
}
