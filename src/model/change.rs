//! The differences between two snapshots, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::snapshot::{Link, LinkKind, Resolver, Route, RouteKind, Rule, Snapshot};

/// One difference between two snapshots, named as a person would name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// "default route moved to wlan0 via 10.20.0.1".
    pub what: String,
    /// Whether it can change what a probe sees. If not, it is reported and no probe is sent.
    pub major: bool,
}

/// The maximum number of addresses of one link, or of routes, that are named one by one. Of the
/// others only the number is reported. A journal line must stay one line when 4000 addresses
/// appear.
const MOST_NAMED: usize = 8;

/// The maximum number of changes that are kept until a turn reports them. A paused agent runs no
/// turn for days, and each container that starts adds two changes.
const MOST_KEPT: usize = 64;

impl Change {
    fn major(what: String) -> Change {
        Change { what, major: true }
    }

    fn minor(what: String) -> Change {
        Change { what, major: false }
    }

    /// Returns all differences, the most informative first. Empty if nothing that matters differs:
    /// IPv6 link-local addresses appear and disappear automatically and are left out.
    ///
    /// Addresses and routes count only while their link is running. The kernel removes them (or
    /// not) some time after the link went down; the change of the link itself already says it.
    pub fn between(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
        let mut changes = Vec::new();
        default_route_changes(old, new, &mut changes);
        link_changes(old, new, &mut changes);
        route_changes(old, new, &mut changes);
        rule_changes(old, new, &mut changes);
        resolver_changes(&old.dns, &new.dns, &mut changes);
        changes
    }

    /// Appends the new changes to those since the last turn. If there are too many, the oldest are
    /// dropped.
    pub fn add(now: Vec<Change>, kept: &mut Vec<Change>) {
        kept.extend(now);
        kept.drain(..kept.len().saturating_sub(MOST_KEPT));
    }
}

fn default_route_changes(old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    for (v6, family) in [(false, "default route"), (true, "IPv6 default route")] {
        let (before, after) = (defaults(old, v6), defaults(new, v6));
        let (was, is) = (before.first(), after.first());
        let moved = match (was, is) {
            (Some(was), Some(is)) if hop(was) != hop(is) => {
                Some(format!("{family} moved to {}", route_name(new, is)))
            }
            (Some(_), None) => Some(format!("no {family} any more")),
            (None, Some(is)) => Some(format!("{family} by {}", route_name(new, is))),
            (Some(_), Some(_)) | (None, None) => None,
        };
        let has_moved = moved.is_some();
        changes.extend(moved.map(Change::major));
        // If the first route of each list moved, that move has already been reported.
        let had = BTreeSet::from_iter(before.iter().map(|route| hop(route)));
        let has = BTreeSet::from_iter(after.iter().map(|route| hop(route)));
        let first = BTreeSet::from_iter([was, is].into_iter().flatten().map(|route| hop(route)));
        let others = |routes: &[&Route], known: &BTreeSet<_>, words: &dyn Fn(&Route) -> String| {
            let is_other =
                |route: &&Route| !first.contains(&hop(route)) && !known.contains(&hop(route));
            let others = routes.iter().copied().filter(is_other);
            others.map(words).collect::<Vec<_>>()
        };
        let new_ones = others(&after, &had, &|route| {
            let (by, metric) = (route_name(new, route), route.metric);
            format!("another {family} by {by}, metric {metric}")
        });
        tell(
            new_ones,
            |more| format!("{more} more new {family}s"),
            changes,
        );
        let gone = others(&before, &has, &|route| {
            format!("no other {family} by {} any more", route_name(old, route))
        });
        tell(
            gone,
            |more| format!("{more} more {family}s are gone"),
            changes,
        );
        if !has_moved && had == has {
            metric_changes(new, family, &before, &after, changes);
        }
    }
}

/// Reports changes of metrics. One that changes which route is the best appears as a move; any
/// other is only reported.
fn metric_changes(
    new: &Snapshot,
    family: &str,
    before: &[&Route],
    after: &[&Route],
    changes: &mut Vec<Change>,
) {
    let with_metrics =
        |all: &[&Route]| BTreeSet::from_iter(all.iter().map(|route| (hop(route), route.metric)));
    let had = with_metrics(before);
    if had == with_metrics(after) {
        return;
    }
    let mut named = BTreeSet::new();
    let changed = after
        .iter()
        .filter(|route| !had.contains(&(hop(route), route.metric)) && named.insert(hop(route)));
    let said = changed.take(MOST_NAMED).map(|route| {
        let (by, metric) = (route_name(new, route), route.metric);
        format!("{family} by {by}: metric {metric}")
    });
    let mut said: Vec<String> = said.collect();
    if said.is_empty() {
        // One of several routes through the same next hop disappeared.
        said.push(format!("a spare {family} is gone"));
    }
    changes.extend(said.into_iter().map(Change::minor));
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
    let ran = was.is_running();
    if ran != is.is_running() || was.up != is.up {
        let what = match (is.is_running(), is.up) {
            (true, _) => "is up",
            (false, true) if ran => "has no carrier",
            (false, true) => "is up, without a carrier",
            (false, false) => "is down",
        };
        changes.push(Change {
            what: format!("{name} {what}"),
            major: ran != is.is_running() && (carries_traffic(was) || carries_traffic(is)),
        });
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

/// Reports whether a packet to a proxy can leave by this link. Containers start and stop by the
/// dozen, each with a virtual link that has no address of its own.
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
    let running = Some(link).filter(|link| link.is_running());
    BTreeSet::from_iter(running.into_iter().flat_map(Link::global_addresses))
}

fn route_changes(old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    let (had, has) = (configured_routes(old), configured_routes(new));
    let added = has.difference(&had).map(|route| {
        let metric = match route.metric {
            0 => String::new(),
            metric => format!(", metric {metric}"),
        };
        format!("{}{metric}", route_words(new, route))
    });
    tell(added, |more| format!("{more} more new routes"), changes);
    let gone = had
        .difference(&has)
        .map(|route| format!("no {} any more", route_words(old, route)));
    tell(gone, |more| format!("{more} more routes are gone"), changes);
}

/// Returns all routes except the default routes of the main table, which are reported separately.
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
    let by = if route.kind == RouteKind::Unicast {
        format!("by {}", route_name(snapshot, route))
    } else {
        format!("({})", route.kind)
    };
    if route.is_in_main_table() {
        format!("{to} {by}")
    } else {
        format!("{to} {by} in table {}", route.table)
    }
}

fn route_name(snapshot: &Snapshot, route: &Route) -> String {
    let link = snapshot.link_name(route.link);
    match route.gateway {
        Some(gateway) => format!("{link} via {gateway}"),
        None => link,
    }
}

fn rule_changes(old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    let had = BTreeSet::from_iter(&old.rules);
    let has = BTreeSet::from_iter(&new.rules);
    let words = |rule: &Rule| {
        let family = if rule.v6 { "IPv6 " } else { "" };
        format!("{family}routing rule {}: {}", rule.priority, rule.text)
    };
    let added = has.difference(&had).map(|rule| words(rule));
    tell(
        added,
        |more| format!("{more} more new routing rules"),
        changes,
    );
    let gone = had
        .difference(&has)
        .map(|rule| format!("no {} any more", words(rule)));
    tell(
        gone,
        |more| format!("{more} more routing rules are gone"),
        changes,
    );
}

fn resolver_changes(old: &Resolver, new: &Resolver, changes: &mut Vec<Change>) {
    let mut told = |what: &str, words: Vec<String>| {
        let words = match words.as_slice() {
            [] => "none".to_owned(),
            words => words.join(", "),
        };
        changes.push(Change::major(format!("{what}: {words}")));
    };
    if old.servers != new.servers {
        let servers = new.servers.iter();
        told("name servers", servers.map(ToString::to_string).collect());
    }
    if old.search != new.search {
        told("search domains", new.search.clone());
    }
}

fn tell(
    items: impl IntoIterator<Item = String>,
    rest: impl FnOnce(usize) -> String,
    changes: &mut Vec<Change>,
) {
    let mut items = items.into_iter();
    changes.extend(items.by_ref().take(MOST_NAMED).map(Change::major));
    match items.count() {
        0 => {}
        more => changes.push(Change::major(rest(more))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::fixtures::{link, route};

    fn desk() -> Snapshot {
        Snapshot {
            links: vec![
                link(2, "eth0", &["10.9.0.2/24", "fe80::2/64"]),
                link(3, "eth1", &["10.8.0.2/24"]),
            ],
            routes: vec![
                route("0.0.0.0/0", "10.9.0.1", 2, 100),
                route("0.0.0.0/0", "10.8.0.1", 3, 200),
            ],
            ..Snapshot::default()
        }
    }

    /// The reported changes when `edit` happens at the desk; minor ones are in brackets.
    fn told(edit: impl FnOnce(&mut Snapshot)) -> Vec<String> {
        let old = desk();
        let mut new = desk();
        edit(&mut new);
        new.routes.sort();
        assert_eq!(Change::between(&new, &new), []);
        words(&Change::between(&old, &new))
    }

    fn words(changes: &[Change]) -> Vec<String> {
        let bracket = |change: &Change| {
            if change.major {
                change.what.clone()
            } else {
                format!("[{}]", change.what)
            }
        };
        changes.iter().map(bracket).collect()
    }

    #[test]
    fn the_best_default_route_is_told_as_a_move_and_only_once() {
        let moved = told(|net| net.routes[0].gateway = "10.9.0.254".parse().ok());
        assert_eq!(moved, ["default route moved to eth0 via 10.9.0.254"]);
        let worse = told(|net| net.routes[0].metric = 300);
        assert_eq!(worse, ["default route moved to eth1 via 10.8.0.1"]);
        let gone = told(|net| net.routes = vec![net.routes[1].clone()]);
        assert_eq!(gone, ["default route moved to eth1 via 10.8.0.1"]);
        let none = told(|net| net.routes.clear());
        assert_eq!(
            none,
            [
                "no default route any more",
                "no other default route by eth1 via 10.8.0.1 any more"
            ]
        );
    }

    #[test]
    fn a_default_route_that_is_not_the_best_is_told_too() {
        let added = told(|net| net.routes.push(route("0.0.0.0/0", "10.9.0.9", 2, 400)));
        assert_eq!(
            added,
            ["another default route by eth0 via 10.9.0.9, metric 400"]
        );
        let gone = told(|net| net.routes = vec![net.routes[0].clone()]);
        assert_eq!(
            gone,
            ["no other default route by eth1 via 10.8.0.1 any more"]
        );
        let metric = told(|net| net.routes[1].metric = 250);
        assert_eq!(metric, ["[default route by eth1 via 10.8.0.1: metric 250]"]);
        let spare = told(|net| net.routes.push(route("0.0.0.0/0", "10.9.0.1", 2, 900)));
        assert_eq!(spare, ["[default route by eth0 via 10.9.0.1: metric 900]"]);
    }

    #[test]
    fn the_ipv6_default_route_is_told_beside_the_ipv4_one() {
        let added = told(|net| net.routes.push(route("::/0", "fe80::1", 2, 1024)));
        assert_eq!(added, ["IPv6 default route by eth0 via fe80::1"]);
        let swap = told(|net| {
            net.routes.clear();
            net.routes.push(route("::/0", "fe80::1", 2, 1024));
        });
        assert_eq!(swap[0], "no default route any more");
        assert!(swap.contains(&"IPv6 default route by eth0 via fe80::1".to_owned()));
    }

    #[test]
    fn a_link_that_goes_down_says_so_once_whatever_the_kernel_keeps() {
        // IPv4: the address and the route stay in the tables. IPv6: the kernel removes them later.
        let expected = ["default route moved to eth1 via 10.8.0.1", "eth0 is down"];
        let mut half = desk();
        half.links[0].up = false;
        half.links[0].carrier = false;
        assert_eq!(words(&Change::between(&desk(), &half)), expected);
        let mut whole = half.clone();
        whole.links[0].addresses.clear();
        whole.routes.remove(0);
        assert_eq!(words(&Change::between(&desk(), &whole)), expected);
        assert_eq!(Change::between(&half, &whole), []);
        let back = words(&Change::between(&half, &desk()));
        assert_eq!(
            back,
            [
                "default route moved to eth0 via 10.9.0.1",
                "eth0 is up",
                "eth0 has 10.9.0.2/24"
            ]
        );
    }

    #[test]
    fn carrier_and_admin_state_have_their_own_words() {
        assert_eq!(
            told(|net| net.links[1].carrier = false)[1],
            "eth1 has no carrier"
        );
        let mut off = desk();
        off.links[1].up = false;
        off.links[1].carrier = false;
        let mut idle = off.clone();
        idle.links[1].up = true;
        assert_eq!(
            words(&Change::between(&off, &idle)),
            ["[eth1 is up, without a carrier]"]
        );
        assert_eq!(words(&Change::between(&idle, &off)), ["[eth1 is down]"]);
    }

    #[test]
    fn addresses_are_told_by_link_with_their_prefix() {
        let wider = told(|net| net.links[0].addresses[0] = "10.9.0.2/16".parse().unwrap());
        assert_eq!(wider, ["eth0 has 10.9.0.2/16", "eth0 lost 10.9.0.2/24"]);
        let twice = told(|net| net.links[1].addresses.push("10.9.0.2/24".parse().unwrap()));
        assert_eq!(twice, ["eth1 has 10.9.0.2/24"]);
        let local = told(|net| net.links[1].addresses.push("fe80::3/64".parse().unwrap()));
        assert_eq!(local, [""; 0]);
    }

    #[test]
    fn four_thousand_addresses_stay_a_few_lines() {
        let flood = told(|net| {
            for low in 0..4000_u32 {
                let ip = std::net::Ipv4Addr::from(0x0a40_0000 + low);
                net.links[0]
                    .addresses
                    .push(format!("{ip}/32").parse().unwrap());
            }
        });
        assert_eq!(flood.len(), MOST_NAMED + 1);
        assert_eq!(flood[MOST_NAMED], "eth0 has 3992 more new addresses");
    }

    #[test]
    fn routes_of_a_vpn_a_table_and_a_blackhole_are_named() {
        let split = told(|net| net.routes.push(route("172.16.0.0/12", "10.9.0.3", 2, 0)));
        assert_eq!(split, ["route 172.16.0.0/12 by eth0 via 10.9.0.3"]);
        let table = told(|net| {
            let mut other = route("0.0.0.0/0", "10.9.0.3", 2, 5);
            other.table = 77;
            net.routes.push(other);
        });
        assert_eq!(
            table,
            ["default route by eth0 via 10.9.0.3 in table 77, metric 5"]
        );
        let hole = told(|net| {
            let mut hole = route("10.254.0.0/16", "", 0, 0);
            hole.kind = RouteKind::Blackhole;
            net.routes.push(hole);
        });
        assert_eq!(hole, ["route 10.254.0.0/16 (blackhole)"]);
    }

    #[test]
    fn rules_and_resolver_are_named() {
        let rule = Rule {
            priority: 100,
            v6: false,
            table: 77,
            text: "from 10.9.0.2 lookup 77".to_owned(),
        };
        let added = told(|net| net.rules.push(rule));
        assert_eq!(added, ["routing rule 100: from 10.9.0.2 lookup 77"]);
        let dns = told(|net| {
            net.dns.servers = vec!["10.9.0.53".parse().unwrap()];
            net.dns.search = vec!["corp.test".to_owned()];
        });
        assert_eq!(
            dns,
            ["name servers: 10.9.0.53", "search domains: corp.test"]
        );
    }

    #[test]
    fn mtu_names_and_containers_are_minor() {
        assert_eq!(told(|net| net.links[1].mtu = 1400), ["[eth1: MTU 1400]"]);
        let renamed = told(|net| net.links[1].name = "lan0".to_owned());
        assert_eq!(renamed, ["[eth1 is now called lan0]"]);
        let container = told(|net| {
            let mut veth = link(9, "veth9", &["fe80::9/64"]);
            veth.kind = LinkKind::Virtual;
            net.links.push(veth);
        });
        assert_eq!(container, ["[veth9 appeared]", "[veth9 is up]"]);
    }

    #[test]
    fn of_very_many_changes_the_last_are_remembered() {
        let mut kept = Vec::new();
        for n in 0..1000 {
            let one = |what: &str| Change::minor(format!("{what} {n}"));
            Change::add(vec![one("a"), one("b")], &mut kept);
            assert!(kept.len() <= super::MOST_KEPT);
        }
        assert_eq!(kept.last().unwrap().what, "b 999");
        assert_eq!(kept.len(), super::MOST_KEPT);
        Change::add(vec![Change::minor("c".to_owned()); 500], &mut kept);
        assert_eq!(kept.len(), super::MOST_KEPT);
    }

    #[test]
    fn a_link_that_is_pulled_out_is_gone() {
        let gone = told(|net| {
            net.links.remove(0);
            net.routes.remove(0);
        });
        assert_eq!(
            gone,
            ["default route moved to eth1 via 10.8.0.1", "eth0 is gone"]
        );
    }
}
