//! Explains a decision in sentences.

use std::collections::BTreeMap;

use super::decide::Decision;
use super::evaluate::{TargetState, Trace};
use super::profile::Policy;
use crate::model::{LinkKind, Observation, Phase, Snapshot, Target, Truth, Verdict};

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
    let is_local = |seen: &TargetState| {
        let target = policy.targets.get(&seen.observation.target);
        target.is_some_and(Target::is_local)
    };
    let remote = seen.values().filter(|seen| !is_local(seen));
    let remote: Vec<&Observation> = remote.map(|seen| &seen.observation).collect();
    let is_any_up = remote.iter().any(|seen| seen.is_up());
    let mut portals = remote.iter().filter(|seen| seen.verdict == Verdict::Portal);
    if let Some(portal) = portals.next().filter(|_| !is_any_up) {
        if portal.portal_url.is_some() || portals.any(|seen| seen.portal_url.is_some()) {
            return "this network wants a login first".to_owned();
        }
        let Observation { target, reason, .. } = portal;
        return format!("something answers in the place of {target}: {reason}");
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
    if let Some(cause) = root_cause(&remote, snapshot) {
        return cause;
    }
    // The reader asks what the network lacks; a missing mirror comes last.
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

/// Returns the one cause why nothing on the network answers; `None`: something does, or there are
/// several causes.
fn root_cause(remote: &[&Observation], snapshot: &Snapshot) -> Option<String> {
    let first = remote.first()?;
    if remote.iter().any(|seen| seen.verdict != Verdict::Down) {
        return None;
    }
    let all = |phases: &[Phase]| {
        let is_one = |seen: &&Observation| seen.failed.is_some_and(|phase| phases.contains(&phase));
        remote.iter().all(is_one)
    };
    if all(&[Phase::Dns]) {
        let servers: Vec<String> = snapshot
            .dns
            .servers
            .iter()
            .map(ToString::to_string)
            .collect();
        let (servers, s) = match servers.as_slice() {
            [] => return None,
            [one] => (one.clone(), "s"),
            many => (many.join(" and "), ""),
        };
        // A server that knows none of several names has answered.
        let unknown = remote.iter().filter(|seen| seen.definite).count();
        return match unknown {
            0 => Some(format!("DNS {servers} answer{s} nothing")),
            n if n == remote.len() && n > 1 => Some(format!("DNS {servers} know{s} no name")),
            _ => None,
        };
    }
    // A server that refuses has answered. One target alone says it best itself.
    if remote.len() == 1 || remote.iter().any(|seen| seen.definite) {
        return None;
    }
    // As with a proxy of the environment that is down.
    if remote.iter().all(|seen| seen.reason == first.reason) {
        return Some(first.reason.clone());
    }
    let routes = snapshot.default_routes();
    let way = routes.first().map(|route| {
        let link = snapshot.link(route.link);
        let name = link.map_or("the default route", |link| link.name.as_str());
        let via = route.gateway.map(|gateway| format!(" via {gateway}"));
        format!("{name}{}", via.unwrap_or_default())
    });
    match way {
        None if snapshot.blind => None,
        None => all(&[Phase::Dns, Phase::Connect]).then(|| "no default route".to_owned()),
        Some(way) if all(&[Phase::Dns, Phase::Connect]) => {
            Some(format!("no connection gets out through {way}"))
        }
        Some(way) if all(&[Phase::Tls, Phase::FirstByte, Phase::Body]) => Some(format!(
            "through {way} connections open, but nothing answers"
        )),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::evaluate::TargetState;
    use super::super::file::{PolicyLocation, parse};
    use super::{missing, root_cause};
    use crate::model::{Observation, Phase, Phases, Proof, Snapshot, Verdict};

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
            began_ms: None,
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

    #[test]
    fn the_headline_names_what_all_failures_have_in_common() {
        let dns = |servers: &[&str]| {
            let mut snapshot = Snapshot::default();
            snapshot.dns.servers = servers
                .iter()
                .map(|server| server.parse().unwrap())
                .collect();
            snapshot
        };
        let failed = |phase, definite, reason: &str| Observation {
            reason: reason.to_owned(),
            failed: Some(phase),
            definite,
            ..Observation::default()
        };
        let said = |seen: &[Observation], snapshot: &Snapshot| {
            root_cause(&seen.iter().collect::<Vec<_>>(), snapshot)
        };
        let silent = failed(Phase::Dns, false, "no answer from DNS in 3 s");
        let unknown = failed(Phase::Dns, true, "DNS knows no a.test");
        let cut = failed(Phase::Connect, false, "no connection to a.test:443 in 3 s");
        let other = failed(Phase::Connect, false, "no route to b.test:443");
        let up = Observation {
            verdict: Verdict::Up,
            ..Observation::default()
        };
        let [none, one, two] = [dns(&[]), dns(&["10.0.0.2"]), dns(&["10.0.0.2", "fe80::1"])];
        for (seen, snapshot, want) in [
            (
                vec![&silent, &silent],
                &one,
                Some("DNS 10.0.0.2 answers nothing"),
            ),
            (
                vec![&silent],
                &two,
                Some("DNS 10.0.0.2 and fe80::1 answer nothing"),
            ),
            (
                vec![&unknown, &unknown],
                &one,
                Some("DNS 10.0.0.2 knows no name"),
            ),
            // That name may not exist.
            (vec![&unknown], &one, None),
            (vec![&unknown, &silent], &one, None),
            (vec![&silent], &none, None),
            (vec![&silent, &up], &one, None),
            (
                vec![&cut, &cut],
                &one,
                Some("no connection to a.test:443 in 3 s"),
            ),
            (vec![&cut, &other], &one, Some("no default route")),
            (vec![&cut], &one, None),
            (vec![], &one, None),
        ] {
            let seen: Vec<Observation> = seen.into_iter().cloned().collect();
            assert_eq!(said(&seen, snapshot).as_deref(), want, "{seen:?}");
        }
    }
}
