//! The value of a condition, with its evidence: pure, three-valued, and stricter for a
//! profile that weakens verification.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::profile::{Condition, Policy};
use crate::environment::Environment;
use crate::model::pattern::glob_match;
use crate::model::{Link, Observation, Proof, Snapshot, Truth, Verdict};

/// The value of a condition with its evidence. For a profile that weakens verification
/// (`loose`) a target counts as what it was seen to be just now, never as what is remembered.
pub(super) fn evaluate(
    condition: &Condition,
    policy: &Policy,
    facts: &DecisionFacts<'_>,
    loose: bool,
) -> Trace {
    let snapshot = facts.snapshot;
    match condition {
        Condition::Always => leaf("always", Truth::True, String::new()),
        Condition::Up(name) => {
            let (up, evidence) = target_up(name, facts, loose);
            leaf(format!("up {name}"), up, evidence)
        }
        Condition::Down(name) => {
            let (up, evidence) = target_up(name, facts, loose);
            leaf(format!("down {name}"), !up, evidence)
        }
        Condition::AtLeast { n, of } => {
            let parts: Vec<Trace> = of
                .iter()
                .map(|name| {
                    let (up, evidence) = target_up(name, facts, loose);
                    leaf(format!("up {name}"), up, evidence)
                })
                .collect();
            let value = Truth::at_least(*n, parts.iter().map(|part| part.value));
            let up = parts
                .iter()
                .filter(|part| part.value == Truth::True)
                .count();
            Trace {
                what: format!("at least {n} of {}", of.len()),
                value,
                evidence: format!("{up} up"),
                parts,
            }
        }
        Condition::Portal(wanted) => portal(*wanted, policy, facts),
        Condition::Online(wanted) => {
            let routes = snapshot.default_routes();
            let evidence = match routes.first() {
                Some(route) => {
                    let link = snapshot
                        .link(route.link)
                        .map_or("?", |link| link.name.as_str());
                    match route.gateway {
                        Some(gateway) => format!("default route by {link} via {gateway}"),
                        None => format!("default route by {link}"),
                    }
                }
                None => "no default route".to_owned(),
            };
            leaf(
                if *wanted { "online" } else { "offline" },
                Truth::from(routes.is_empty() != *wanted),
                evidence,
            )
        }
        Condition::InterfaceName(glob) => {
            let found = running(snapshot).find(|link| glob_match(glob, &link.name) == Ok(true));
            from_link(format!("interface {glob}"), found, |_| String::new())
        }
        Condition::InterfaceKind(kind) => {
            let found = running(snapshot).find(|link| link.kind == *kind);
            from_link(format!("interface of kind {kind}"), found, |_| {
                String::new()
            })
        }
        Condition::Subnet(net) => {
            let found = snapshot
                .links
                .iter()
                .filter(|link| link.is_running())
                .find_map(|link| {
                    let own = link
                        .addresses
                        .iter()
                        .find(|own| net.contains(&own.addr()))?;
                    Some(format!("{} has {}", link.name, own.addr()))
                });
            let what = format!("subnet {net}");
            match found {
                Some(evidence) => leaf(what, Truth::True, evidence),
                None => leaf(what, Truth::False, "no own address in it".to_owned()),
            }
        }
        Condition::Gateway(address) => {
            let routes = snapshot.default_routes();
            let found = routes.iter().any(|route| route.gateway == Some(*address));
            let evidence = if found {
                "the default route goes by it".to_owned()
            } else {
                let others: Vec<String> = routes
                    .iter()
                    .filter_map(|route| route.gateway)
                    .map(|g| g.to_string())
                    .collect();
                if others.is_empty() {
                    "no gateway".to_owned()
                } else {
                    format!("the gateway is {}", others.join(", "))
                }
            };
            leaf(format!("gateway {address}"), Truth::from(found), evidence)
        }
        Condition::DnsServer(address) => {
            let found = snapshot.dns.servers.contains(address);
            leaf(
                format!("dns_server {address}"),
                Truth::from(found),
                listed("name servers", &snapshot.dns.servers),
            )
        }
        Condition::SearchDomain(domain) => {
            let found = snapshot
                .dns
                .search
                .iter()
                .any(|own| own.eq_ignore_ascii_case(domain));
            leaf(
                format!("search_domain {domain}"),
                Truth::from(found),
                listed("search domains", &snapshot.dns.search),
            )
        }
        Condition::Ssid(name) => {
            let found = running(snapshot).find(|link| link.ssid.as_deref() == Some(name));
            from_link(format!("ssid {name}"), found, |_| " is in it".to_owned())
        }
        Condition::Env(wanted) => {
            let missing = wanted
                .iter()
                .find(|(name, value)| facts.env.get(name).unwrap_or("") != value.as_str());
            let what = wanted
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" ");
            match missing {
                None => leaf(format!("env {what}"), Truth::True, "set".to_owned()),
                Some((name, _)) => leaf(
                    format!("env {what}"),
                    Truth::False,
                    format!("{name} is not that"),
                ),
            }
        }
        Condition::All(parts) => group("all", parts, policy, facts, loose, |values| {
            Truth::all(values)
        }),
        Condition::Any(parts) => group("any", parts, policy, facts, loose, |values| {
            Truth::any(values)
        }),
        Condition::Not(part) => {
            let part = evaluate(part, policy, facts, loose);
            Trace {
                what: "not".to_owned(),
                value: !part.value,
                evidence: String::new(),
                parts: vec![part],
            }
        }
    }
}

/// The targets in the parts of a condition that are still open.
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

fn unseen<'a>(
    names: impl Iterator<Item = &'a str>,
    facts: &DecisionFacts<'_>,
) -> impl Iterator<Item = &'a str> {
    names.filter(|name| !facts.seen.contains_key(*name))
}

/// The targets in whose place a portal could answer: all that use the network.
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

fn listed<T: ToString>(what: &str, items: &[T]) -> String {
    if items.is_empty() {
        return format!("no {what}");
    }
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("{what}: {}", items.join(", "))
}

fn running(snapshot: &Snapshot) -> impl Iterator<Item = &Link> {
    snapshot.links.iter().filter(|link| link.is_running())
}

fn from_link(what: String, found: Option<&Link>, more: impl Fn(&Link) -> String) -> Trace {
    match found {
        Some(link) => leaf(what, Truth::True, format!("{}{}", link.name, more(link))),
        None => leaf(what, Truth::False, "no running link is".to_owned()),
    }
}

fn target_up(name: &str, facts: &DecisionFacts<'_>, loose: bool) -> (Truth, String) {
    match facts.seen.get(name) {
        None => (Truth::Unknown, "not needed".to_owned()),
        Some(seen) => {
            let up = if loose {
                seen.observation.is_up()
            } else {
                seen.up
            };
            let mut evidence = seen.observation.reason.clone();
            if up != seen.observation.is_up() {
                let word = if up { "up" } else { "down" };
                evidence = format!("{evidence} (still counts as {word})");
            }
            (Truth::from(up), evidence)
        }
    }
}

/// A portal answers for everybody: one target that is proven to be itself rules it out. Until
/// there is one, every witness is heard, so that the value does not depend on who answers first.
fn portal(wanted: bool, policy: &Policy, facts: &DecisionFacts<'_>) -> Trace {
    let what = if wanted { "portal" } else { "no portal" };
    let mut seen = facts.seen.values().map(|seen| &seen.observation);
    if let Some(proven) = seen
        .clone()
        .find(|one| one.is_up() && one.proof != Proof::None)
    {
        return leaf(
            what,
            Truth::from(!wanted),
            format!("{} is itself", proven.target),
        );
    }
    if unseen(portal_witnesses(policy), facts).next().is_some() {
        return leaf(what, Truth::Unknown, "not needed".to_owned());
    }
    match seen.find(|one| one.verdict == Verdict::Portal) {
        Some(one) => leaf(
            what,
            Truth::from(wanted),
            format!("{}: {}", one.target, one.reason),
        ),
        None => {
            let evidence = "nothing answers in another's place".to_owned();
            leaf(what, Truth::from(!wanted), evidence)
        }
    }
}

fn group(
    what: &str,
    parts: &[Condition],
    policy: &Policy,
    facts: &DecisionFacts<'_>,
    loose: bool,
    combine: impl Fn(Vec<Truth>) -> Truth,
) -> Trace {
    let parts: Vec<Trace> = parts
        .iter()
        .map(|part| evaluate(part, policy, facts, loose))
        .collect();
    let value = combine(parts.iter().map(|part| part.value).collect());
    Trace {
        what: what.to_owned(),
        value,
        evidence: String::new(),
        parts,
    }
}

/// What a target counts as, and what was seen of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetState {
    /// The last observation, as it was.
    pub observation: Observation,
    /// What it counts as after `fall` and `rise`.
    pub up: bool,
}

/// Everything that a decision may rest on.
#[derive(Debug, Clone, Copy)]
pub struct DecisionFacts<'a> {
    /// The network.
    pub snapshot: &'a Snapshot,
    /// The targets that have answered so far (or have failed to).
    pub seen: &'a BTreeMap<String, TargetState>,
    /// The environment of the agent.
    pub env: &'a Environment,
    /// The value of each variable now, for `fastest` to stay where it is among near equals.
    pub present: &'a BTreeMap<String, String>,
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
