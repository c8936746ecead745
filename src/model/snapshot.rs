//! The network at one instant, and what changed between two instants.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The resolver's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resolver {
    /// Name servers, in the order in which they are asked.
    pub servers: Vec<IpAddr>,
    /// Search domains, lower case, without a trailing dot.
    pub search: Vec<String>,
}

/// Everything that goroam knows about the network at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// All links, sorted by index.
    pub links: Vec<Link>,
    /// Default routes and configured routes, sorted; not those that the kernel creates for each
    /// address.
    pub routes: Vec<Route>,
    /// Policy-routing rules besides the three that always exist, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// The resolver's configuration.
    pub dns: Resolver,
    /// What tells the gateway of the best default route from others with the same address: a sum of
    /// its link-layer address, too short to find that router by. `None`: not known, or not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// The system refused to describe its network (a sandbox without netlink): what is missing here
    /// proves nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blind: bool,
}

/// The identity of a network: the same value means that the machine has been here before. It uses
/// only facts that anyone can imitate, so it may make a switch quicker and never weaken anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkId(pub String);

impl NetworkId {
    /// Returns the identity of the network with this router.
    pub fn with_router(&self, router: &str) -> NetworkId {
        NetworkId(format!("{self}, router {router}"))
    }

    /// Reports whether it is `other`, or that network with some router.
    pub fn is_but_for_router(&self, other: &NetworkId) -> bool {
        let rest = self.0.strip_prefix(other.0.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(", router "))
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Snapshot {
    /// Creates a snapshot that knows nothing.
    pub fn blind() -> Snapshot {
        Snapshot {
            blind: true,
            ..Snapshot::default()
        }
    }

    /// Returns the link with this index.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// Returns the name of a link, or its number if the name is not known.
    pub fn link_name(&self, index: u32) -> String {
        let named = |link: &Link| link.name.clone();
        self.link(index)
            .map_or_else(|| format!("link {index}"), named)
    }

    /// Returns the default routes by which packets can leave now, best metric first, IPv4 before
    /// IPv6. A route over a link without a carrier does not count: Linux keeps IPv4 routes there.
    pub fn default_routes(&self) -> Vec<&Route> {
        let mut routes: Vec<&Route> = self
            .routes
            .iter()
            .filter(|route| route.is_main_default())
            .filter(|route| self.is_live(route))
            .collect();
        routes.sort_by_key(|route| (route.is_v6(), route.metric));
        routes
    }

    /// Reports whether the route is usable now. A route over a link that is down or has no carrier
    /// is not: Linux keeps IPv4 routes there, and flushes them without a message (RTM_DELROUTE
    /// comes for IPv6 only).
    pub fn is_live(&self, route: &Route) -> bool {
        self.link(route.link).is_none_or(Link::is_running)
    }

    /// Reports whether there is a default route that works, according to the kernel.
    pub fn is_online(&self) -> bool {
        !self.default_routes().is_empty()
    }

    /// Reports whether any packet can leave the machine: there is a running link, other than
    /// loopback, with an address. A blind snapshot returns true, because only a try can tell.
    pub fn has_any_way_out(&self) -> bool {
        self.blind
            || self.links.iter().any(|link| {
                link.kind != LinkKind::Loopback
                    && link.is_running()
                    && link.global_addresses().next().is_some()
            })
    }

    /// Returns the identity of this network, if there is a network: gateways, own subnets and Wi-Fi
    /// names on the default links, configured routes, name servers and search domains.
    ///
    /// It must be the same at each visit. So IPv6 only counts if there is no IPv4: router
    /// advertisements and duplicate address detection complete seconds after DHCP, and many homes
    /// get a different prefix each day. The router is left out: it becomes known with the first
    /// probes.
    pub fn identity(&self) -> Option<NetworkId> {
        let defaults = self.default_routes();
        let v6_only = defaults.first()?.is_v6();
        let mut parts = Vec::new();
        let mut told = BTreeSet::new();
        for route in defaults.iter().filter(|route| route.is_v6() == v6_only) {
            let link = self.link(route.link);
            let name = link.map_or("?", |link| link.name.as_str());
            let gateway = route
                .gateway
                .map_or("-".to_owned(), |gateway| gateway.to_string());
            parts.push(match link.and_then(|link| link.ssid.as_deref()) {
                Some(ssid) => format!("{name} ({ssid}) via {gateway}"),
                None => format!("{name} via {gateway}"),
            });
            // Thousands of routes may lead over one link with thousands of addresses.
            let link = link.filter(|link| told.insert(link.index));
            let addresses = link.into_iter().flat_map(Link::global_addresses);
            let subnets = addresses.filter_map(|net| match net {
                IpNet::V4(v4) => Some(v4.trunc().to_string()),
                IpNet::V6(_) => None,
            });
            parts.extend(few(unique(subnets), "subnets"));
        }
        if parts.len() > MOST_PARTS_IN_WORDS {
            parts = few(unique(parts.into_iter()), "ways out");
        }
        parts.extend(self.identity_of_routes());
        let servers = self.dns.servers.iter();
        parts.extend(
            servers
                .filter(|server| server.is_ipv6() == v6_only || server.is_loopback())
                .map(|server| format!("dns {server}")),
        );
        parts.extend(self.dns.search.iter().cloned());
        let mut seen = BTreeSet::new();
        parts.retain(|part| seen.insert(part.clone()));
        Some(NetworkId(parts.join(", ")))
    }

    /// Reports whether nothing shows that this is another network than `other`.
    pub fn may_be_in(&self, other: &Snapshot) -> bool {
        let routers = self.router.as_ref().zip(other.router.as_ref());
        self.identity() == other.identity() && routers.is_none_or(|(own, other)| own == other)
    }

    /// Returns the value of [`Snapshot::router`] for a link-layer address.
    pub fn router_mark(address: &[u8]) -> String {
        let sum = checksum(address.iter().copied());
        format!("{:08x}", (sum ^ sum >> 32) & u64::from(u32::MAX))
    }

    /// Returns the configured routes: few as words, many as a number and a checksum, because a
    /// machine that runs BGP has thousands.
    fn identity_of_routes(&self) -> Vec<String> {
        let configured = self
            .routes
            .iter()
            .filter(|route| !route.is_default() && route.kind == RouteKind::Unicast)
            .filter(|route| self.is_live(route));
        let routes =
            BTreeSet::from_iter(configured.map(|route| format!("route {}", route.destination)));
        few(routes.into_iter().collect(), "routes")
    }

    /// Returns the same snapshot with a bounded number of links, addresses, routes and rules, for
    /// what is written to disk, and how many of each were left out. The first of each stay: a
    /// snapshot is sorted.
    pub fn trimmed(&self, most: usize) -> (Snapshot, Omitted) {
        let mut omitted = Omitted::default();
        let mut small = Snapshot {
            links: self.links.iter().take(most).cloned().collect(),
            routes: Vec::new(),
            rules: self.rules.iter().take(most).cloned().collect(),
            dns: self.dns.clone(),
            router: self.router.clone(),
            blind: self.blind,
        };
        omitted.links = self.links.len() - small.links.len();
        omitted.rules = self.rules.len() - small.rules.len();
        for link in &mut small.links {
            omitted.addresses += link.addresses.len().saturating_sub(most);
            link.addresses.truncate(most);
        }
        // Default routes of either family are more important than all other routes.
        let (mut v4, mut v6, mut other) = (0, 0, 0);
        for route in &self.routes {
            let count = match (route.is_main_default(), route.is_v6()) {
                (true, false) => &mut v4,
                (true, true) => &mut v6,
                (false, _) => &mut other,
            };
            *count += 1;
            if *count <= most {
                small.routes.push(route.clone());
            } else {
                omitted.routes += 1;
            }
        }
        omitted.servers = small.dns.servers.len().saturating_sub(most)
            + small.dns.search.len().saturating_sub(most);
        small.dns.servers.truncate(most);
        small.dns.search.truncate(most);
        (small, omitted)
    }
}

/// The kind of a link, as a policy can ask for it (`interface = { kind = … }`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// Ethernet, or a link that behaves like it.
    Wired,
    /// 802.11.
    Wifi,
    /// A mobile modem.
    Cellular,
    /// VPNs and other point-to-point links: tun, tap, WireGuard, PPP, utun.
    Tunnel,
    /// A bridge or bond that joins other links.
    Bridge,
    /// Containers' and virtual machines' ends: veth, docker0, virbr0, vmnet.
    Virtual,
    /// The loopback link.
    Loopback,
    /// None of the above.
    Other,
}

impl LinkKind {
    /// Every kind, in the order in which messages list them.
    pub const ALL: [LinkKind; 8] = [
        LinkKind::Wired,
        LinkKind::Wifi,
        LinkKind::Cellular,
        LinkKind::Tunnel,
        LinkKind::Bridge,
        LinkKind::Virtual,
        LinkKind::Loopback,
        LinkKind::Other,
    ];

    /// Returns the kind that a word of a policy names.
    pub fn parse(word: &str) -> Option<LinkKind> {
        let word = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(word);
        LinkKind::deserialize(word).ok()
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One network link at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The kernel's index; stable while the link exists.
    pub index: u32,
    /// `eth0`, `wlan0`, `en0`, or the friendly name on Windows.
    pub name: String,
    /// The kind of the link.
    pub kind: LinkKind,
    /// Administratively up (`ip link set … up`).
    pub up: bool,
    /// Has a carrier: a cable with a device at its other end, an association, a tunnel that is
    /// open.
    pub carrier: bool,
    /// Bytes; 0 where unknown.
    pub mtu: u32,
    /// The link's own addresses that can be used now, with their prefix lengths, sorted; link-local
    /// ones included. Addresses in duplicate address detection are left out (a probe cannot leave
    /// from them), and so are IPv6 privacy addresses (they rotate beside a lasting one).
    pub addresses: Vec<IpNet>,
    /// The name of the Wi-Fi network, if the system reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssid: Option<String>,
}

impl Link {
    /// Reports whether the link is up and has a carrier: packets can leave by it.
    pub fn is_running(&self) -> bool {
        self.up && self.carrier
    }

    /// Returns the addresses that show where the machine is: not loopback, not link-local (those
    /// appear automatically one or two seconds after the carrier).
    pub fn global_addresses(&self) -> impl Iterator<Item = &IpNet> {
        self.addresses.iter().filter(|net| !is_local(net))
    }
}

fn is_local(net: &IpNet) -> bool {
    match net {
        IpNet::V4(v4) => v4.addr().is_loopback() || v4.addr().is_link_local(),
        IpNet::V6(v6) => {
            v6.addr().is_loopback() || v6.addr().is_unicast_link_local() || v6.addr().is_multicast()
        }
    }
}

/// What the kernel does with a packet that matches the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// Forwards it.
    Unicast,
    /// Drops it silently.
    Blackhole,
    /// Answers "no route to host".
    Unreachable,
    /// Answers "administratively prohibited".
    Prohibit,
    /// Continues with the next table.
    Throw,
}

/// Shows the kernel's word for it.
impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One route of the kernel's tables, IPv4 or IPv6.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Route {
    /// Where it leads; `0.0.0.0/0` and `::/0` are the default routes.
    pub destination: IpNet,
    /// The lowest metric wins among routes to one destination.
    pub metric: u32,
    /// The next hop; `None` on point-to-point links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The link's index; 0 for routes that lead nowhere (blackhole and similar kinds).
    pub link: u32,
    /// The routing table; 254 is Linux' main table, 0 where the system has only one.
    pub table: u32,
    /// What happens to the packet.
    pub kind: RouteKind,
}

/// Linux' main routing table (`RT_TABLE_MAIN`).
pub const TABLE_MAIN: u32 = 254;

impl Route {
    /// Reports whether the route leads everywhere: `0.0.0.0/0` or `::/0`.
    pub fn is_default(&self) -> bool {
        self.destination.prefix_len() == 0
    }

    /// Reports whether the route is for IPv6.
    pub fn is_v6(&self) -> bool {
        matches!(self.destination, IpNet::V6(_))
    }

    /// Reports whether this is a unicast default route of the main (or only) table.
    pub fn is_main_default(&self) -> bool {
        self.is_default() && self.kind == RouteKind::Unicast && self.is_in_main_table()
    }

    /// Reports whether the route is in the table that is used unless a rule says otherwise.
    pub fn is_in_main_table(&self) -> bool {
        self.table == TABLE_MAIN || self.table == 0
    }
}

/// One policy-routing rule (`ip rule`), kept as the kernel's own words: goroam only needs to know
/// that the set has changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// The rule with the lowest value is evaluated first.
    pub priority: u32,
    /// Whether the rule is for IPv6.
    pub v6: bool,
    /// The table it leads to.
    pub table: u32,
    /// Selector and action, in a stable spelling.
    pub text: String,
}

/// How much of a snapshot was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Omitted {
    /// Links.
    pub links: usize,
    /// Addresses of the links that were kept.
    pub addresses: usize,
    /// Routes.
    pub routes: usize,
    /// Policy-routing rules.
    pub rules: usize,
    /// Name servers and search domains.
    pub servers: usize,
}

impl Omitted {
    /// Reports whether the snapshot is complete.
    pub fn is_nothing(&self) -> bool {
        *self == Omitted::default()
    }
}

/// Returns each part once, in this order.
fn unique(parts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    parts.filter(|part| seen.insert(part.clone())).collect()
}

/// Returns few parts as words, many as a number and a checksum.
fn few(parts: Vec<String>, what: &str) -> Vec<String> {
    if parts.len() <= MOST_PARTS_IN_WORDS {
        return parts;
    }
    let count = parts.len();
    let sum = checksum(parts.iter().flat_map(|part| part.bytes()));
    vec![format!("{count} {what} {sum:016x}")]
}

/// FNV-1a: the same in every build and on every machine, unlike std's hashers.
fn checksum(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

const MOST_PARTS_IN_WORDS: usize = 16;

/// Links and routes for the tests of this room.
#[cfg(test)]
pub(super) mod fixtures {
    use super::*;

    pub(crate) fn link(index: u32, name: &str, addresses: &[&str]) -> Link {
        Link {
            index,
            name: name.to_owned(),
            kind: LinkKind::Wired,
            up: true,
            carrier: true,
            mtu: 1500,
            addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
            ssid: None,
        }
    }

    pub(crate) fn route(destination: &str, gateway: &str, link: u32, metric: u32) -> Route {
        Route {
            destination: destination.parse().unwrap(),
            metric,
            gateway: gateway.parse().ok(),
            link,
            table: TABLE_MAIN,
            kind: RouteKind::Unicast,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::{link, route};
    use super::*;

    fn office() -> Snapshot {
        Snapshot {
            links: vec![
                link(2, "eth0", &["10.20.0.7/24", "fe80::7/64"]),
                link(3, "wlan0", &["192.168.1.9/24"]),
            ],
            routes: vec![
                route("0.0.0.0/0", "192.168.1.1", 3, 600),
                route("0.0.0.0/0", "10.20.0.1", 2, 100),
                route("172.16.0.0/12", "10.20.0.2", 2, 0),
            ],
            rules: Vec::new(),
            dns: Resolver {
                servers: vec!["10.20.0.53".parse().unwrap()],
                search: vec!["corp.test".to_owned()],
            },
            ..Snapshot::default()
        }
    }

    #[test]
    fn default_routes_come_best_first_and_without_those_over_dead_links() {
        let mut net = office();
        let links = |net: &Snapshot| -> Vec<u32> {
            net.default_routes()
                .iter()
                .map(|route| route.link)
                .collect()
        };
        assert_eq!(links(&net), [2, 3]);
        net.links[0].carrier = false;
        assert_eq!(links(&net), [3]);
        net.links[1].up = false;
        assert!(!net.is_online());
        assert!(!net.has_any_way_out());
    }

    #[test]
    fn the_identity_is_the_same_when_ipv6_has_come_later_than_ipv4() {
        let early = office();
        let mut late = office();
        late.links[0]
            .addresses
            .push("2001:db8::7/64".parse().unwrap());
        late.routes.push(route("::/0", "fe80::1", 2, 1024));
        late.dns.servers.push("2001:db8::53".parse().unwrap());
        assert_eq!(early.identity(), late.identity());
    }

    #[test]
    fn the_identity_tells_networks_apart_by_gateway_subnet_resolver_and_wifi_name() {
        let base = office().identity();
        let mut other = office();
        other.dns.search = vec!["home.test".to_owned()];
        assert_ne!(base, other.identity());
        let mut other = office();
        other.routes[1].gateway = "10.20.0.254".parse().ok();
        assert_ne!(base, other.identity());
        let mut other = office();
        other.links[1].ssid = Some("cafe".to_owned());
        assert_ne!(base, other.identity());
        assert_eq!(
            base.unwrap().to_string(),
            "eth0 via 10.20.0.1, 10.20.0.0/24, wlan0 via 192.168.1.1, 192.168.1.0/24, \
             route 172.16.0.0/12, dns 10.20.0.53, corp.test"
        );
    }

    #[test]
    fn two_routers_are_two_networks_and_one_that_is_not_known_may_be_either() {
        let at = |address: Option<&[u8]>| Snapshot {
            router: address.map(Snapshot::router_mark),
            ..office()
        };
        let (one, other, unknown) = (at(Some(&[2; 6])), at(Some(&[3; 6])), at(None));
        assert!(one.may_be_in(&one) && one.may_be_in(&unknown) && unknown.may_be_in(&one));
        assert!(!one.may_be_in(&other));
        let id = unknown.identity().unwrap();
        let known = id.with_router(one.router.as_deref().unwrap());
        assert!(known.is_but_for_router(&id) && id.is_but_for_router(&id));
        assert!(!id.is_but_for_router(&known));
        let longer = NetworkId(format!("{id}, more.test"));
        assert!(!longer.is_but_for_router(&id));
        assert_eq!(one.router.unwrap().len(), 8);
    }

    #[test]
    fn the_identity_of_a_router_with_thousands_of_routes_stays_short() {
        let mut net = office();
        for low in 0..5000_u32 {
            let to = std::net::Ipv4Addr::from(0x0b00_0000 + low * 256);
            net.routes
                .push(route(&format!("{to}/24"), "10.20.0.2", 2, 0));
        }
        let many = net.identity().unwrap();
        assert!(many.to_string().contains("5001 routes "), "{many}");
        net.routes.pop();
        assert_ne!(net.identity().unwrap(), many);
    }

    #[test]
    fn thousands_of_gateways_and_addresses_make_a_short_identity_and_a_small_snapshot() {
        let mut net = office();
        for low in 0..3000_u32 {
            let via = std::net::Ipv4Addr::from(0x0a14_0000 + low).to_string();
            net.routes.push(route("0.0.0.0/0", &via, 2, 1000 + low));
            let own = std::net::Ipv4Addr::from(0x0b00_0000 + low);
            net.links[0]
                .addresses
                .push(format!("{own}/32").parse().unwrap());
        }
        let id = net.identity().unwrap().to_string();
        assert!(id.len() < 200 && id.contains("ways out"), "{id}");
        let (small, omitted) = net.trimmed(16);
        assert_eq!(
            (small.routes.len(), small.links[0].addresses.len()),
            (17, 16)
        );
        assert_eq!((omitted.routes, omitted.addresses), (2986, 2986));
        assert_eq!(small.default_routes()[0], net.default_routes()[0]);
        assert_eq!(office().trimmed(16), (office(), Default::default()));
    }

    #[test]
    fn without_a_default_route_there_is_no_identity() {
        let mut net = office();
        net.routes.retain(|route| !route.is_default());
        assert_eq!(net.identity(), None);
        assert!(net.has_any_way_out());
    }

    #[test]
    fn an_ipv6_only_network_has_an_identity_by_its_router() {
        let mut net = office();
        net.routes = vec![route("::/0", "fe80::1", 2, 1024)];
        net.dns.servers = vec!["2001:db8::53".parse().unwrap()];
        let id = net.identity().unwrap().to_string();
        assert_eq!(
            id,
            "eth0 via fe80::1, 10.20.0.0/24, dns 2001:db8::53, corp.test"
        );
    }
}
