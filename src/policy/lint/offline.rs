//! Profiles for a network that is not there.

use super::view::{View, note};
use crate::model::{HopKind, Patterns};
use crate::policy::finding::Finding;
use crate::policy::profile::{Condition, EnvValue, Policy};

pub(super) fn lint(view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    direct_in_air_gap(view, &mut findings);
    needs_gonoproxy(view, &mut findings);
    findings
}

/// `direct` at the end of a chain for an air gap: git's time-outs for every module that is missing.
fn direct_in_air_gap(view: &View<'_>, findings: &mut Vec<Finding>) {
    let is_last = view
        .policy
        .profiles
        .last()
        .is_some_and(|last| std::ptr::eq(last, view.profile));
    for possible in &view.chains {
        let hops = &possible.chain.hops;
        let has_mirror = hops.iter().any(|hop| matches!(hop.kind, HopKind::File(_)));
        let Some(direct) = hops.last().filter(|hop| hop.kind == HopKind::Direct) else {
            continue;
        };
        let asks_for_network = rests_on_network(&view.profile.when, true, view.policy);
        let fallback = is_last || (is_behind_others(view) && !asks_for_network);
        let air_gap = says_offline(&view.profile.when, true) || (fallback && has_mirror);
        if hops.len() > 1 && air_gap {
            note(
                findings,
                Finding::warning(
                    "direct-in-air-gap",
                    "where no network is, `direct` waits for version control to give up",
                    view.span(possible, direct.at),
                )
                .help("write `off`: what is missing then fails at once, with its name"),
            );
        }
    }
}

/// Is an earlier profile for a network, so that this one is reached when there is none?
fn is_behind_others(view: &View<'_>) -> bool {
    let earlier = view.policy.profiles.iter();
    earlier
        .take_while(|profile| !std::ptr::eq(*profile, view.profile))
        .any(|profile| rests_on_network(&profile.when, true, view.policy))
}

/// Does `condition == value` speak of a network that is there?
fn rests_on_network(condition: &Condition, value: bool, policy: &Policy) -> bool {
    let remote = |name: &String| policy.targets.get(name).is_some_and(|one| !one.is_local());
    match condition {
        Condition::Up(name) => value && remote(name),
        Condition::Down(name) => !value && remote(name),
        Condition::AtLeast { of, .. } => value && of.iter().any(remote),
        Condition::Online(online) => *online == value,
        Condition::InterfaceName(_)
        | Condition::InterfaceKind(_)
        | Condition::Subnet(_)
        | Condition::Gateway(_)
        | Condition::DnsServer(_)
        | Condition::SearchDomain(_)
        | Condition::Ssid(_) => value,
        Condition::All(parts) | Condition::Any(parts) => parts
            .iter()
            .any(|part| rests_on_network(part, value, policy)),
        Condition::Not(part) => rests_on_network(part, !value, policy),
        Condition::Always | Condition::Portal(_) | Condition::Env(_) => false,
    }
}

/// `proxyList` puts GONOPROXY's modules before everything, `off` and file:// included.
fn needs_gonoproxy(view: &View<'_>, findings: &mut Vec<Finding>) {
    let offline = !view.chains.is_empty()
        && view
            .hops()
            .all(|(_, hop)| matches!(hop.kind, HopKind::File(_) | HopKind::Off));
    let private = view.policy.profiles.iter().any(|profile| {
        let set = |name| match profile.env.get(name) {
            Some(EnvValue::Text(text)) => covers_something(text),
            Some(EnvValue::Fastest { .. }) | None => false,
        };
        set("GOPRIVATE") || set("GONOPROXY")
    });
    let answered = view
        .value("GONOPROXY")
        .is_some_and(|value| !value.is_empty() && !covers_something(value));
    if offline && private && !answered {
        note(
            findings,
            Finding::warning(
                "offline-needs-gonoproxy",
                "modules that GOPRIVATE covers pass the mirror and `off` over, and go to the network",
                view.span_of("GOPROXY"),
            )
            .help("add GONOPROXY = \"none\" to this profile"),
        );
    }
}

/// Does a list name anything that a module path can begin with? `none` does not: it has no dot.
fn covers_something(list: &str) -> bool {
    Patterns::parse(list)
        .globs()
        .iter()
        .any(|glob| glob.contains(['.', '*', '?', '[']))
}

/// Does `condition == value` say that the network is not there, or not itself?
fn says_offline(condition: &Condition, value: bool) -> bool {
    if let Condition::Portal(portal) = condition {
        return *portal == value;
    }
    if let Condition::Online(online) = condition {
        return *online != value;
    }
    let value = value != matches!(condition, Condition::Not(_));
    condition
        .parts()
        .iter()
        .any(|part| says_offline(part, value))
}
