//! Evaluates conditions and collects the evidence: pure, three-valued, and stricter for a profile
//! that weakens verification.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::profile::{Condition, Policy};
use super::speeds::FastestFacts;
use crate::environment::Environment;
use crate::model::pattern::glob_match;
use crate::model::{Link, Observation, Proof, Snapshot, Truth, Verdict};

/// Returns the value of a condition with its evidence. For a profile that weakens verification
/// (`loose`) only the present observation of a target counts, never a remembered state.
pub(super) fn evaluate(
    condition: &Condition,
    policy: &Policy,
    facts: &DecisionFacts<'_>,
    loose: bool,
) -> Trace {
    let (snapshot, dns) = (facts.snapshot, &facts.snapshot.dns);
    let running = || snapshot.links.iter().filter(|link| link.is_running());
    let up = |name: &String| {
        let (up, evidence) = target_up(name, facts, loose);
        leaf(format!("up {name}"), up, evidence)
    };
    let of = |parts: &[Condition]| -> Vec<Trace> {
        let parts = parts.iter();
        parts
            .map(|part| evaluate(part, policy, facts, loose))
            .collect()
    };
    let trace = match condition {
        Condition::Always => leaf("always", Truth::True, String::new()),
        Condition::Up(name) => up(name),
        Condition::Down(name) => {
            let up = up(name);
            leaf(format!("down {name}"), !up.value, up.evidence)
        }
        Condition::AtLeast { n, of } => {
            let parts: Vec<Trace> = of.iter().map(up).collect();
            let up = parts.iter().filter(|part| part.value == Truth::True);
            Trace {
                evidence: format!("{} up", up.count()),
                ..group(format!("at least {n} of {}", of.len()), parts, |values| {
                    Truth::at_least(*n, values)
                })
            }
        }
        Condition::Portal(wanted) => portal(*wanted, policy, facts),
        Condition::Online(wanted) => {
            let routes = snapshot.default_routes();
            let evidence = match routes.first() {
                Some(route) => {
                    let link = snapshot.link(route.link);
                    let link = link.map_or("?", |link| link.name.as_str());
                    let via = route.gateway.map(|gateway| format!(" via {gateway}"));
                    format!("default route by {link}{}", via.unwrap_or_default())
                }
                None => "no default route".to_owned(),
            };
            let what = if *wanted { "online" } else { "offline" };
            leaf(what, Truth::from(routes.is_empty() != *wanted), evidence)
        }
        Condition::InterfaceName(glob) => {
            let link = running().find(|link| glob_match(glob, &link.name) == Ok(true));
            of_link(format!("interface {glob}"), link, "")
        }
        Condition::InterfaceKind(kind) => {
            let link = running().find(|link| link.kind == *kind);
            of_link(format!("interface of kind {kind}"), link, "")
        }
        Condition::Subnet(net) => {
            let found = running().find_map(|link| {
                let mut own = link.addresses.iter().map(|own| own.addr());
                let own = own.find(|own| net.contains(own))?;
                Some(format!("{} has {own}", link.name))
            });
            let value = Truth::from(found.is_some());
            let evidence = found.unwrap_or_else(|| "no own address in it".to_owned());
            leaf(format!("subnet {net}"), value, evidence)
        }
        Condition::Gateway(address) => {
            let routes = snapshot.default_routes();
            let gateways: Vec<_> = routes.iter().filter_map(|route| route.gateway).collect();
            let found = gateways.contains(address);
            let evidence = match gateways.is_empty() {
                _ if found => "the default route uses it".to_owned(),
                true => "no gateway".to_owned(),
                false => format!("the gateway is {}", joined(&gateways)),
            };
            leaf(format!("gateway {address}"), Truth::from(found), evidence)
        }
        Condition::DnsServer(address) => {
            let found = dns.servers.contains(address);
            let evidence = listed("name servers", &dns.servers);
            leaf(
                format!("dns_server {address}"),
                Truth::from(found),
                evidence,
            )
        }
        Condition::SearchDomain(domain) => {
            let mut own = dns.search.iter();
            let found = own.any(|own| own.eq_ignore_ascii_case(domain));
            let evidence = listed("search domains", &dns.search);
            leaf(
                format!("search_domain {domain}"),
                Truth::from(found),
                evidence,
            )
        }
        Condition::Ssid(name) => {
            let link = running().find(|link| link.ssid.as_deref() == Some(name));
            of_link(format!("ssid {name}"), link, " is in it")
        }
        Condition::Env(wanted) => {
            let what = wanted
                .iter()
                .map(|(name, value)| format!(" {name}={value}"));
            let what = format!("env{}", what.collect::<String>());
            if facts.gaps.env {
                return leaf(what, Truth::Unknown, "not known".to_owned());
            }
            let is_set = |name: &str, value: &str| facts.env.get(name).unwrap_or("") == value;
            let missing = wanted.iter().find(|(name, value)| !is_set(name, value));
            let evidence = match missing {
                None => "set".to_owned(),
                Some((name, _)) => format!("{name} is not that"),
            };
            leaf(what, Truth::from(missing.is_none()), evidence)
        }
        Condition::All(parts) => group("all", of(parts), Truth::all),
        Condition::Any(parts) => group("any", of(parts), Truth::any),
        Condition::Not(part) => {
            let part = evaluate(part, policy, facts, loose);
            let value = !part.value;
            group("not", vec![part], |_| value)
        }
    };
    if facts.gaps.network && trace.value == Truth::False && condition.asks_network() {
        let evidence = "not among the parts of the network that are known".to_owned();
        return leaf(trace.what, Truth::Unknown, evidence);
    }
    trace
}

/// Collects the targets in the parts of a condition that are still undecided.
pub(super) fn open_targets(
    condition: &Condition,
    policy: &Policy,
    facts: &DecisionFacts<'_>,
    loose: bool,
    names: &mut BTreeSet<String>,
) {
    if evaluate(condition, policy, facts, loose).value.is_known() {
        return;
    }
    if let Condition::Portal(_) = condition {
        names.extend(unseen(portal_witnesses(policy), facts).map(str::to_owned));
    } else if condition.parts().is_empty() {
        names.extend(unseen(condition.targets().into_iter(), facts).map(str::to_owned));
    }
    for part in condition.parts() {
        open_targets(part, policy, facts, loose, names);
    }
}

/// Collects the conditions that are still undecided and ask for no target.
pub(super) fn open_facts(trace: &Trace, condition: &Condition, found: &mut BTreeSet<String>) {
    if trace.value.is_known() {
        return;
    }
    let asks_target = matches!(
        condition,
        Condition::Up(_) | Condition::Down(_) | Condition::AtLeast { .. } | Condition::Portal(_)
    );
    if condition.parts().is_empty() && !asks_target {
        found.insert(trace.what.clone());
    }
    for (trace, part) in trace.parts.iter().zip(condition.parts()) {
        open_facts(trace, part, found);
    }
}

fn unseen<'a>(
    names: impl Iterator<Item = &'a str>,
    facts: &DecisionFacts<'_>,
) -> impl Iterator<Item = &'a str> {
    names.filter(|name| !facts.seen.contains_key(*name))
}

/// Returns the targets that a portal could answer for: all that use the network.
fn portal_witnesses(policy: &Policy) -> impl Iterator<Item = &str> {
    policy
        .targets
        .values()
        .filter(|target| !target.is_local())
        .map(|target| target.name.as_str())
}

fn leaf(what: impl Into<String>, value: Truth, evidence: String) -> Trace {
    Trace {
        what: what.into(),
        value,
        evidence,
        parts: Vec::new(),
    }
}

fn group(
    what: impl Into<String>,
    parts: Vec<Trace>,
    combine: impl Fn(Vec<Truth>) -> Truth,
) -> Trace {
    Trace {
        what: what.into(),
        value: combine(parts.iter().map(|part| part.value).collect()),
        evidence: String::new(),
        parts,
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

fn listed<T: ToString>(what: &str, items: &[T]) -> String {
    if items.is_empty() {
        return format!("no {what}");
    }
    format!("{what}: {}", joined(items))
}

fn of_link(what: String, found: Option<&Link>, more: &str) -> Trace {
    match found {
        Some(link) => leaf(what, Truth::True, format!("{}{more}", link.name)),
        None => leaf(what, Truth::False, "no running link is".to_owned()),
    }
}

fn target_up(name: &str, facts: &DecisionFacts<'_>, loose: bool) -> (Truth, String) {
    let Some(TargetState { observation, up }) = facts.seen.get(name) else {
        return (Truth::Unknown, "not needed".to_owned());
    };
    let mut evidence = observation.reason.clone();
    if loose || *up == observation.is_up() {
        return (Truth::from(observation.is_up()), evidence);
    }
    let word = if *up { "up" } else { "down" };
    evidence.push_str(&format!(" (still counts as {word})"));
    (Truth::from(*up), evidence)
}

/// Evaluates `portal`. A portal answers for every target: one target that is proven to be itself
/// rules it out. Until then every such target is waited for, so that the value does not depend on
/// which one answers first.
fn portal(wanted: bool, policy: &Policy, facts: &DecisionFacts<'_>) -> Trace {
    let what = if wanted { "portal" } else { "no portal" };
    let mut seen = facts.seen.values().map(|seen| &seen.observation);
    let is_itself = |one: &&Observation| one.is_up() && one.proof != Proof::None;
    if let Some(proven) = seen.clone().find(is_itself) {
        let evidence = format!("{} is itself", proven.target);
        return leaf(what, Truth::from(!wanted), evidence);
    }
    if unseen(portal_witnesses(policy), facts).next().is_some() {
        return leaf(what, Truth::Unknown, "not needed".to_owned());
    }
    match seen.find(|one| one.verdict == Verdict::Portal) {
        Some(one) => {
            let evidence = format!("{}: {}", one.target, one.reason);
            leaf(what, Truth::from(wanted), evidence)
        }
        None => {
            let evidence = "nothing answers in another's place".to_owned();
            leaf(what, Truth::from(!wanted), evidence)
        }
    }
}

/// What a target counts as, and what was observed.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetState {
    /// The last observation, unchanged.
    pub observation: Observation,
    /// What it counts as after `fall` and `rise`.
    pub up: bool,
}

/// Everything that a decision may depend on.
#[derive(Debug, Clone, Copy)]
pub struct DecisionFacts<'a> {
    /// The network.
    pub snapshot: &'a Snapshot,
    /// The targets that have answered so far (or have failed to).
    pub seen: &'a BTreeMap<String, TargetState>,
    /// The environment of the agent.
    pub env: &'a Environment,
    /// What is known of the targets of a `fastest` here.
    pub fastest: &'a FastestFacts,
    /// What is missing in these facts.
    pub gaps: Gaps,
}

/// What is missing in the facts: a condition that asks for it is not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gaps {
    /// The environment is not known.
    pub env: bool,
    /// The snapshot holds only a part of the network.
    pub network: bool,
}

/// A condition, its value and the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The condition in words: "up corp", "subnet 10.0.0.0/8", "any".
    pub what: String,
    /// Its value.
    pub value: Truth,
    /// Why: "wlan0 has 10.20.0.50".
    pub evidence: String,
    /// The parts of `all`, `any` and `not`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Trace>,
}
