//! The decision: which profile holds, given what is known so far. Pure and three-valued, so
//! that the choice is made the moment it can no longer change: all earlier profiles are
//! false and this one is true. A black hole that no earlier profile needs delays nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::profile::{Condition, EnvValue, Policy, Profile};
use crate::environment::Environment;
use crate::model::pattern::glob_match;
use crate::model::{Link, Observation, Snapshot, Truth, Verdict};

/// What a target counts as, and what was seen of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The last observation, as it was.
    pub observation: Observation,
    /// What it counts as after `fall` and `rise`.
    pub up: bool,
}

/// Everything that a decision may rest on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The network.
    pub snapshot: &'a Snapshot,
    /// The targets that have answered so far (or have failed to).
    pub seen: &'a BTreeMap<String, Seen>,
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
pub fn decide(policy: &Policy, facts: Facts<'_>, pinned: Option<&str>) -> Option<Decision> {
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
pub fn needed(policy: &Policy, facts: Facts<'_>, pinned: Option<&str>) -> BTreeSet<String> {
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
    facts: Facts<'_>,
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

// --- fastest ---------------------------------------------------------------------------

/// A present choice is kept while it is at most this much slower than the fastest.
const NEAR: f64 = 1.3;

/// All started at the same time, so the first that is up is the fastest: once one is, nobody
/// else is waited for.
fn want_fastest(profile: &Profile, facts: Facts<'_>, names: &mut BTreeSet<String>) {
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
    facts: Facts<'_>,
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
                match then {
                    Some(then) => format!("{url}{separator}{then}"),
                    None => url,
                }
            }
        };
        (name.clone(), text)
    });
    Some(env.collect())
}

fn fastest_url(
    policy: &Policy,
    of: &[String],
    facts: Facts<'_>,
    present: Option<&String>,
) -> String {
    let time = |name: &String| -> Option<f64> {
        let seen = facts.seen.get(name).filter(|seen| seen.up)?;
        seen.observation.phases.total
    };
    let url = |name: &String| {
        policy
            .targets
            .get(name)
            .and_then(|target| target.goproxy_url())
    };
    let best = of
        .iter()
        .filter_map(|name| Some((time(name)?, name)))
        .min_by(|(a, _), (b, _)| a.total_cmp(b));
    let kept = best.and_then(|(best, _)| {
        of.iter().find(|name| {
            let in_force = url(name).is_some_and(|url| {
                present.is_some_and(|value| {
                    value
                        .strip_prefix(url)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with([',', '|']))
                })
            });
            in_force && time(name).is_some_and(|time| time <= best * NEAR)
        })
    });
    // With none up the first one named is as good a guess as any: the user put it first.
    let name = kept.or(best.map(|(_, name)| name)).or(of.first());
    name.and_then(url).unwrap_or("off").to_owned()
}

// --- conditions ------------------------------------------------------------------------

/// The targets in the parts of a condition that are still open.
fn open_targets(
    condition: &Condition,
    policy: &Policy,
    facts: &Facts<'_>,
    loose: bool,
    names: &mut BTreeSet<String>,
) {
    if evaluate(condition, policy, facts, loose).value.is_known() {
        return;
    }
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            for part in parts {
                open_targets(part, policy, facts, loose, names);
            }
        }
        Condition::Not(part) => open_targets(part, policy, facts, loose, names),
        Condition::Portal(_) => {
            names.extend(unseen(portal_witnesses(policy), facts).map(str::to_owned));
        }
        Condition::Up(_) | Condition::Down(_) | Condition::AtLeast { .. } => {
            names.extend(unseen(condition.targets().into_iter(), facts).map(str::to_owned));
        }
        Condition::Always
        | Condition::Online(_)
        | Condition::InterfaceName(_)
        | Condition::InterfaceKind(_)
        | Condition::Subnet(_)
        | Condition::Gateway(_)
        | Condition::DnsServer(_)
        | Condition::SearchDomain(_)
        | Condition::Ssid(_)
        | Condition::Env(_) => {}
    }
}

fn unseen<'a>(
    names: impl Iterator<Item = &'a str>,
    facts: &Facts<'_>,
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

/// The value of a condition with its evidence. For a profile that weakens verification
/// (`loose`) a target counts as what it was seen to be just now, never as what is remembered.
pub fn evaluate(condition: &Condition, policy: &Policy, facts: &Facts<'_>, loose: bool) -> Trace {
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
                Truth::from(!routes.is_empty() == *wanted),
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

fn target_up(name: &str, facts: &Facts<'_>, loose: bool) -> (Truth, String) {
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

fn portal(wanted: bool, policy: &Policy, facts: &Facts<'_>) -> Trace {
    let what = if wanted { "portal" } else { "no portal" };
    let found = facts
        .seen
        .values()
        .find(|seen| seen.observation.verdict == Verdict::Portal);
    if let Some(seen) = found {
        let evidence = format!("{}: {}", seen.observation.target, seen.observation.reason);
        return leaf(what, Truth::from(wanted), evidence);
    }
    // One target that is proven to be itself settles it too: a portal answers for everybody.
    let proven = facts.seen.values().find(|seen| {
        seen.observation.is_up() && seen.observation.proof != crate::model::Proof::None
    });
    if let Some(seen) = proven {
        let evidence = format!("{} is itself", seen.observation.target);
        return leaf(what, Truth::from(!wanted), evidence);
    }
    if unseen(portal_witnesses(policy), facts).next().is_some() {
        return leaf(what, Truth::Unknown, "not needed".to_owned());
    }
    leaf(
        what,
        Truth::from(!wanted),
        "nothing answers in another's place".to_owned(),
    )
}

fn group(
    what: &str,
    parts: &[Condition],
    policy: &Policy,
    facts: &Facts<'_>,
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
