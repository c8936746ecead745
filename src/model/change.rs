//! What is different between two snapshots, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::link::{Link, LinkKind};
use super::route::Route;
use super::snapshot::{Resolver, Snapshot};

/// One thing that is different between two snapshots, named as a person would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// "default route moved to wlan0 via 10.20.0.1".
    pub what: String,
    /// Can it change what a probe sees? If not, it is told and no probe is sent.
    pub major: bool,
}

/// How many addresses of one link, or routes, are named one by one; of the others only the
/// number is told. A journal line must stay a line when somebody adds 4000 addresses.
const MOST_NAMED: usize = 8;

/// How many changes are remembered until a turn tells of them. A paused agent takes none for
/// days, and each container that starts is two changes.
const MOST_KEPT: usize = 64;

impl Change {
    fn major(what: String) -> Change {
        Change { what, major: true }
    }

    fn minor(what: String) -> Change {
        Change { what, major: false }
    }

    /// Everything that is different, the most telling first. Empty when nothing is that
    /// matters: IPv6 link-local addresses come and go by themselves and are left out.
    ///
    /// Addresses and routes count only while their link is running. The kernel takes them away
    /// (or not) some time after the link went down; the link's own change says it all, once.
    pub fn between(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
        let mut changes = Vec::new();
        default_route_changes(old, new, &mut changes);
        link_changes(old, new, &mut changes);
        route_changes(old, new, &mut changes);
        rule_changes(old, new, &mut changes);
        resolver_changes(&old.dns, &new.dns, &mut changes);
        changes
    }

    /// Adds what has changed now to what has since the last turn; of very many the oldest go.
    pub fn add(now: Vec<Change>, kept: &mut Vec<Change>) {
        kept.extend(now);
        kept.drain(..kept.len().saturating_sub(MOST_KEPT));
    }
}

fn default_route_changes(old: &Snapshot, snapshot: &Snapshot, changes: &mut Vec<Change>) {
    for (v6, family) in [(false, "default route"), (true, "IPv6 default route")] {
        let before = defaults(old, v6);
        let after = defaults(snapshot, v6);
        let moved = match (before.first(), after.first()) {
            (Some(was), Some(is)) if hop(was) != hop(is) => {
                let by = route_name(snapshot, is);
                changes.push(Change::major(format!("{family} moved to {by}")));
                true
            }
            (Some(_), None) => {
                changes.push(Change::major(format!("no {family} any more")));
                true
            }
            (None, Some(is)) => {
                let by = route_name(snapshot, is);
                changes.push(Change::major(format!("{family} by {by}")));
                true
            }
            (Some(_), Some(_)) | (None, None) => false,
        };
        // The first of each list has just been told, if it moved.
        let had = BTreeSet::from_iter(before.iter().map(|route| hop(route)));
        let has = BTreeSet::from_iter(after.iter().map(|route| hop(route)));
        let first = [before.first(), after.first()].into_iter().flatten();
        let told = BTreeSet::from_iter(first.map(|route| hop(route)));
        let new = after
            .iter()
            .filter(|route| !told.contains(&hop(route)) && !had.contains(&hop(route)));
        tell(
            new.map(|route| {
                let (by, metric) = (route_name(snapshot, route), route.metric);
                format!("another {family} by {by}, metric {metric}")
            }),
            |more| format!("{more} more new {family}s"),
            changes,
        );
        let gone = before
            .iter()
            .filter(|route| !told.contains(&hop(route)) && !has.contains(&hop(route)));
        tell(
            gone.map(|route| format!("no other {family} by {} any more", route_name(old, route))),
            |more| format!("{more} more {family}s are gone"),
            changes,
        );
        if !moved && had == has {
            metric_changes(snapshot, family, &before, &after, changes);
        }
    }
}

/// A metric that changes which route is the best shows as a move; any other is only told.
fn metric_changes(
    new: &Snapshot,
    family: &str,
    before: &[&Route],
    after: &[&Route],
    changes: &mut Vec<Change>,
) {
    let had = BTreeSet::from_iter(before.iter().map(|r| (hop(r), r.metric)));
    let has = BTreeSet::from_iter(after.iter().map(|r| (hop(r), r.metric)));
    if had == has {
        return;
    }
    let mut named = BTreeSet::new();
    for route in after {
        if named.len() == MOST_NAMED {
            break;
        }
        if !had.contains(&(hop(route), route.metric)) && named.insert(hop(route)) {
            let (by, metric) = (route_name(new, route), route.metric);
            changes.push(Change::minor(format!("{family} by {by}: metric {metric}")));
        }
    }
    if named.is_empty() {
        // One of several routes by the same next hop went.
        changes.push(Change::minor(format!("a spare {family} is gone")));
    }
}

fn defaults(snapshot: &Snapshot, v6: bool) -> Vec<&Route> {
    let mut routes = snapshot.default_routes();
    routes.retain(|route| route.is_v6() == v6);
    routes
}

fn hop(route: &Route) -> (u32, Option<IpAddr>) {
    (route.link, route.gateway)
}

fn link_changes(old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    let before: BTreeMap<u32, &Link> =
        BTreeMap::from_iter(old.links.iter().map(|link| (link.index, link)));
    let after: BTreeMap<u32, &Link> =
        BTreeMap::from_iter(new.links.iter().map(|link| (link.index, link)));
    for link in old.links.iter().filter(|l| !after.contains_key(&l.index)) {
        changes.push(Change {
            what: format!("{} is gone", link.name),
            major: link.is_running() && carries_traffic(link),
        });
    }
    for link in &new.links {
        match before.get(&link.index) {
            Some(was) => one_link_changes(was, link, changes),
            None => {
                changes.push(Change::minor(format!("{} appeared", link.name)));
                let nothing = Link {
                    up: false,
                    carrier: false,
                    addresses: Vec::new(),
                    ..link.clone()
                };
                one_link_changes(&nothing, link, changes);
            }
        }
    }
}

fn one_link_changes(was: &Link, is: &Link, changes: &mut Vec<Change>) {
    if was == is {
        return;
    }
    let name = &is.name;
    if was.name != is.name {
        changes.push(Change::minor(format!("{} is now called {name}", was.name)));
    }
    if was.is_running() != is.is_running() {
        let what = match (is.is_running(), is.up) {
            (true, _) => "is up",
            (false, true) => "has no carrier",
            (false, false) => "is down",
        };
        changes.push(Change {
            what: format!("{name} {what}"),
            major: carries_traffic(was) || carries_traffic(is),
        });
    } else if was.up != is.up {
        let what = if is.up {
            "is up, without a carrier"
        } else {
            "is down"
        };
        changes.push(Change::minor(format!("{name} {what}")));
    }
    let had = usable_addresses(was);
    let has = usable_addresses(is);
    tell(
        has.difference(&had).map(|net| format!("{name} has {net}")),
        |more| format!("{name} has {more} more new addresses"),
        changes,
    );
    if is.is_running() {
        tell(
            had.difference(&has).map(|net| format!("{name} lost {net}")),
            |more| format!("{name} lost {more} more addresses"),
            changes,
        );
    }
    if was.mtu != is.mtu {
        changes.push(Change::minor(format!("{name}: MTU {}", is.mtu)));
    }
    if was.ssid != is.ssid {
        let ssid = is.ssid.as_deref().unwrap_or("none");
        changes.push(Change::major(format!("{name}: Wi-Fi {ssid}")));
    }
}

/// Can a packet to a proxy leave by it? Containers come and go by dozens, each with a virtual
/// link that has no address of its own.
fn carries_traffic(link: &Link) -> bool {
    match link.kind {
        LinkKind::Loopback => false,
        LinkKind::Virtual => link.global_addresses().next().is_some(),
        LinkKind::Wired
        | LinkKind::Wifi
        | LinkKind::Cellular
        | LinkKind::Tunnel
        | LinkKind::Bridge
        | LinkKind::Other => true,
    }
}

fn usable_addresses(link: &Link) -> BTreeSet<&IpNet> {
    if link.is_running() {
        BTreeSet::from_iter(link.global_addresses())
    } else {
        BTreeSet::new()
    }
}

fn route_changes(old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    let had = configured_routes(old);
    let has = configured_routes(new);
    tell(
        has.difference(&had).map(|route| {
            let metric = match route.metric {
                0 => String::new(),
                metric => format!(", metric {metric}"),
            };
            format!("{}{metric}", route_words(new, route))
        }),
        |more| format!("{more} more new routes"),
        changes,
    );
    tell(
        had.difference(&has)
            .map(|route| format!("no {} any more", route_words(old, route))),
        |more| format!("{more} more routes are gone"),
        changes,
    );
}

/// All but the main table's default routes, which are told apart.
fn configured_routes(snapshot: &Snapshot) -> BTreeSet<&Route> {
    let told = |route: &&Route| !route.is_main_default() && snapshot.is_live(route);
    BTreeSet::from_iter(snapshot.routes.iter().filter(told))
}

fn route_words(snapshot: &Snapshot, route: &Route) -> String {
    let to = if route.is_default() {
        let family = if route.is_v6() { "IPv6 " } else { "" };
        format!("{family}default route")
    } else {
        format!("route {}", route.destination)
    };
    let by = match route.kind.as_str() {
        None => format!("by {}", route_name(snapshot, route)),
        Some(verdict) => format!("({verdict})"),
    };
    if route.is_in_main_table() {
        format!("{to} {by}")
    } else {
        format!("{to} {by} in table {}", route.table)
    }
}

fn route_name(snapshot: &Snapshot, route: &Route) -> String {
    let link = snapshot
        .link(route.link)
        .map(|link| link.name.clone())
        .unwrap_or_else(|| format!("link {}", route.link));
    match route.gateway {
        Some(gateway) => format!("{link} via {gateway}"),
        None => link,
    }
}

fn rule_changes(old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    let had = BTreeSet::from_iter(&old.rules);
    let has = BTreeSet::from_iter(&new.rules);
    let words = |rule: &super::route::Rule| {
        let family = if rule.v6 { "IPv6 " } else { "" };
        format!("{family}routing rule {}: {}", rule.priority, rule.text)
    };
    tell(
        has.difference(&had).map(|rule| words(rule)),
        |more| format!("{more} more new routing rules"),
        changes,
    );
    tell(
        had.difference(&has)
            .map(|rule| format!("no {} any more", words(rule))),
        |more| format!("{more} more routing rules are gone"),
        changes,
    );
}

fn resolver_changes(old: &Resolver, new: &Resolver, changes: &mut Vec<Change>) {
    if old.servers != new.servers {
        let servers = new.servers.iter().map(ToString::to_string).collect();
        changes.push(Change::major(format!("name servers: {}", list(servers))));
    }
    if old.search != new.search {
        let search = list(new.search.clone());
        changes.push(Change::major(format!("search domains: {search}")));
    }
}

fn list(words: Vec<String>) -> String {
    if words.is_empty() {
        return "none".to_owned();
    }
    words.join(", ")
}

fn tell(
    mut items: impl Iterator<Item = String>,
    rest: impl FnOnce(usize) -> String,
    changes: &mut Vec<Change>,
) {
    changes.extend(items.by_ref().take(MOST_NAMED).map(Change::major));
    match items.count() {
        0 => {}
        more => changes.push(Change::major(rest(more))),
    }
}

#[cfg(test)]
mod tests;
