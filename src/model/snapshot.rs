//! The network at one instant, and what changed between two instants.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::link::{Link, LinkKind};
use super::route::{Route, RouteKind, Rule};

/// The resolver's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resolver {
    /// Name servers, in the order in which they are asked.
    pub servers: Vec<IpAddr>,
    /// Search domains, lower case, without a trailing dot.
    pub search: Vec<String>,
}

/// Everything that goroam knows of the network at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// All links, sorted by index.
    pub links: Vec<Link>,
    /// Default routes and the routes that somebody configured, sorted; not those that the
    /// kernel makes for each address.
    pub routes: Vec<Route>,
    /// Policy-routing rules beside the three that always exist, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// The resolver's configuration.
    pub dns: Resolver,
}

/// What stands for a network: the same value means "we have been here before". Anonymous
/// facts only, so it may make a switch quicker and never weaken anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkId(pub String);

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Snapshot {
    /// The link with this index.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// Default routes by which packets can leave now, best metric first, IPv4 before IPv6.
    /// A route over a link without a carrier does not count: Linux keeps IPv4 routes there.
    pub fn default_routes(&self) -> Vec<&Route> {
        let mut routes: Vec<&Route> = self
            .routes
            .iter()
            .filter(|route| route.is_main_default())
            .filter(|route| self.link(route.link).is_none_or(Link::is_running))
            .collect();
        routes.sort_by_key(|route| (matches!(route.destination, IpNet::V6(_)), route.metric));
        routes
    }

    /// Is there a default route that works as far as the kernel knows?
    pub fn is_online(&self) -> bool {
        !self.default_routes().is_empty()
    }

    /// Can any packet leave the machine: a running link other than loopback with an address?
    pub fn has_any_way_out(&self) -> bool {
        self.links.iter().any(|link| {
            link.kind != LinkKind::Loopback
                && link.is_running()
                && link.global_addresses().next().is_some()
        })
    }

    /// What stands for this network, if there is one: gateways, own subnets on the default
    /// links, name servers and search domains.
    pub fn identity(&self) -> Option<NetworkId> {
        let defaults = self.default_routes();
        let mut parts = Vec::new();
        for route in &defaults {
            let link = self.link(route.link);
            parts.push(format!(
                "{} via {}",
                link.map_or("?", |link| link.name.as_str()),
                route
                    .gateway
                    .map_or("-".to_owned(), |gateway| gateway.to_string()),
            ));
            // The prefix of an IPv6 network changes daily at many homes; the gateway does not.
            for net in link.into_iter().flat_map(Link::global_addresses) {
                if let IpNet::V4(v4) = net {
                    parts.push(v4.trunc().to_string());
                }
            }
        }
        if parts.is_empty() {
            return None;
        }
        for route in &self.routes {
            if !route.is_default() && route.kind == RouteKind::Unicast {
                parts.push(format!("route {}", route.destination));
            }
        }
        parts.extend(
            self.dns
                .servers
                .iter()
                .map(|server| format!("dns {server}")),
        );
        parts.extend(self.dns.search.iter().cloned());
        parts.dedup();
        Some(NetworkId(parts.join(", ")))
    }
}

/// One thing that is different between two snapshots, named as a person would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// "default route moved to wlan0 via 10.20.0.1".
    pub what: String,
    /// Can it change what a probe sees? If not, it is told and no probe is sent.
    pub major: bool,
}

impl Change {
    fn major(what: String) -> Change {
        Change { what, major: true }
    }

    fn minor(what: String) -> Change {
        Change { what, major: false }
    }

    /// Everything that is different, the most telling first. Empty when nothing is that
    /// matters: IPv6 link-local addresses come and go by themselves and are left out.
    pub fn between(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
        let mut changes = Vec::new();
        default_route_changes(old, new, &mut changes);
        link_changes(old, new, &mut changes);
        route_changes(old, new, &mut changes);
        if old.rules != new.rules {
            changes.push(Change::major("routing rules changed".to_owned()));
        }
        resolver_changes(&old.dns, &new.dns, &mut changes);
        changes
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

fn default_route_changes(old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    for v6 in [false, true] {
        let pick = |snapshot: &Snapshot| -> Option<Route> {
            snapshot
                .default_routes()
                .into_iter()
                .find(|route| matches!(route.destination, IpNet::V6(_)) == v6)
                .cloned()
        };
        let family = if v6 {
            "IPv6 default route"
        } else {
            "default route"
        };
        match (pick(old), pick(new)) {
            (Some(before), Some(after)) => {
                if (before.link, before.gateway) != (after.link, after.gateway) {
                    changes.push(Change::major(format!(
                        "{family} moved to {}",
                        route_name(new, &after)
                    )));
                }
            }
            (Some(_), None) => changes.push(Change::major(format!("no {family} any more"))),
            (None, Some(after)) => changes.push(Change::major(format!(
                "{family} by {}",
                route_name(new, &after)
            ))),
            (None, None) => {}
        }
    }
}

fn link_changes(old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    let before: BTreeMap<u32, &Link> = old.links.iter().map(|link| (link.index, link)).collect();
    let after: BTreeMap<u32, &Link> = new.links.iter().map(|link| (link.index, link)).collect();
    for (index, link) in &before {
        if !after.contains_key(index) {
            let what = format!("{} is gone", link.name);
            changes.push(Change {
                what,
                major: link.is_running() && link.kind != LinkKind::Loopback,
            });
        }
    }
    for (index, link) in &after {
        let nothing = Link {
            up: false,
            carrier: false,
            addresses: Vec::new(),
            ssid: None,
            ..(*link).clone()
        };
        let known = before.get(index);
        let was = known.copied().unwrap_or(&nothing);
        let loopback = link.kind == LinkKind::Loopback;
        if known.is_none() {
            changes.push(Change::minor(format!("{} appeared", link.name)));
        }
        if was.name != link.name {
            changes.push(Change::minor(format!(
                "{} is now called {}",
                was.name, link.name
            )));
        }
        if was.is_running() != link.is_running() {
            let what = match (link.is_running(), link.up) {
                (true, _) => "is up",
                (false, true) => "has no carrier",
                (false, false) => "is down",
            };
            changes.push(Change {
                what: format!("{} {what}", link.name),
                major: !loopback,
            });
        } else if was.up != link.up {
            let what = if link.up {
                "is up, without a carrier"
            } else {
                "is down"
            };
            changes.push(Change::minor(format!("{} {what}", link.name)));
        }
        let had: Vec<&IpNet> = was.global_addresses().collect();
        let has: Vec<&IpNet> = link.global_addresses().collect();
        for net in has.iter().filter(|net| !had.contains(net)) {
            changes.push(Change::major(format!("{} has {net}", link.name)));
        }
        for net in had.iter().filter(|net| !has.contains(net)) {
            changes.push(Change::major(format!("{} lost {net}", link.name)));
        }
        if was.mtu != link.mtu && known.is_some() {
            changes.push(Change::minor(format!("{}: MTU {}", link.name, link.mtu)));
        }
        if was.ssid != link.ssid && known.is_some() {
            let name = link.ssid.as_deref().unwrap_or("none");
            changes.push(Change::major(format!("{}: Wi-Fi {name}", link.name)));
        }
    }
}

fn route_changes(old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    let told = !changes.is_empty();
    for route in new
        .routes
        .iter()
        .filter(|route| !old.routes.contains(route))
    {
        if route.is_main_default() && told {
            continue; // told already as the move of the default route
        }
        changes.push(Change::major(format!(
            "route {} by {}, metric {}",
            route.destination,
            route_name(new, route),
            route.metric
        )));
    }
    for route in old
        .routes
        .iter()
        .filter(|route| !new.routes.contains(route))
    {
        if route.is_main_default() && told {
            continue;
        }
        changes.push(Change::major(format!(
            "no route {} by {} any more",
            route.destination,
            route_name(old, route)
        )));
    }
}

fn resolver_changes(old: &Resolver, new: &Resolver, changes: &mut Vec<Change>) {
    let list = |servers: &[IpAddr]| -> String {
        if servers.is_empty() {
            return "none".to_owned();
        }
        servers
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if old.servers != new.servers {
        changes.push(Change::major(format!(
            "name servers: {}",
            list(&new.servers)
        )));
    }
    if old.search != new.search {
        let search = if new.search.is_empty() {
            "none".to_owned()
        } else {
            new.search.join(", ")
        };
        changes.push(Change::major(format!("search domains: {search}")));
    }
}
