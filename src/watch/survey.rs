//! Reads the current state of the network. The only file that names `netdev`.

use std::io;

use super::os;
#[cfg(target_os = "linux")]
use super::os::links;
use crate::model::Snapshot;

/// Reads links, addresses, routes, rules and the resolver's configuration. Takes about a
/// millisecond; sends no packet and looks up no name.
///
/// # Errors
/// When the system refuses (for example a sandbox without netlink).
pub fn survey() -> io::Result<Snapshot> {
    let fail = |what| {
        move |error: io::Error| io::Error::new(error.kind(), format!("cannot read {what}: {error}"))
    };
    // Links are read first: a route over a link that is not known yet has no effect until the next
    // survey, which the link's own message starts.
    let links = links().map_err(fail("links and addresses"))?;
    let (routes, rules) = os::tables().map_err(fail("routes"))?;
    let mut snapshot = Snapshot {
        links,
        routes,
        rules,
        dns: os::resolver(),
        ..Snapshot::default()
    };
    snapshot.router = router(&snapshot);
    Ok(snapshot)
}

/// Reads who the router is (see [`Snapshot::router`]), if the system has just heard from it.
pub fn router(snapshot: &Snapshot) -> Option<String> {
    let route = *snapshot.default_routes().first()?;
    let address = os::link_layer_address(route.link, route.gateway?)?;
    Some(Snapshot::router_mark(&address))
}

#[cfg(not(target_os = "linux"))]
use by_netdev::links;

/// For systems on which netdev provides all that is needed. Its `gateway` feature is off: on
/// Windows it sends ARP requests and waits for the answers.
#[cfg(not(target_os = "linux"))]
mod by_netdev {
    use std::io;

    use ipnet::IpNet;
    use netdev::Interface;
    use netdev::interface::state::OperState;
    use netdev::interface::types::InterfaceType as Type;

    use crate::model::{Link, LinkKind};
    use crate::watch::kinds::kind;

    pub(super) fn links() -> io::Result<Vec<Link>> {
        let interfaces = netdev::get_interfaces();
        if interfaces.is_empty() {
            // A loopback interface always exists; an empty list is netdev's only way to report a
            // failure.
            return Err(io::Error::other("the system names no interfaces"));
        }
        let mut links: Vec<Link> = interfaces.into_iter().map(link).collect();
        links.sort_by_key(|link| link.index);
        Ok(links)
    }

    fn link(interface: Interface) -> Link {
        let mut addresses: Vec<IpNet> = interface.ipv4.iter().copied().map(IpNet::V4).collect();
        for (at, net) in interface.ipv6.iter().enumerate() {
            let usable = interface
                .ipv6_addr_flags
                .get(at)
                .is_none_or(|flags| !flags.tentative && !flags.duplicated && !flags.temporary);
            addresses.extend(usable.then_some(IpNet::V6(*net)));
        }
        addresses.sort();
        addresses.dedup();
        let (device, up) = (device(&interface), interface.is_up());
        // The name of a Windows interface is a GUID.
        let friendly = interface.friendly_name.filter(|_| cfg!(windows));
        let name = friendly.unwrap_or(interface.name);
        Link {
            index: interface.index,
            kind: kind(&name, device),
            up,
            carrier: up && interface.oper_state == OperState::Up,
            mtu: interface.mtu.unwrap_or_default(),
            addresses,
            // macOS reveals it only to programs that may know the machine's location.
            ssid: None,
            name,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm)] // some thirty kinds that are not in use
    fn device(interface: &Interface) -> LinkKind {
        if interface.is_loopback() {
            return LinkKind::Loopback;
        }
        match interface.if_type {
            Type::Loopback => LinkKind::Loopback,
            Type::Wireless80211 | Type::PeerToPeerWireless => LinkKind::Wifi,
            Type::Wwan | Type::Wwanpp | Type::Wwanpp2 => LinkKind::Cellular,
            Type::Tunnel | Type::Ppp | Type::ProprietaryVirtual => LinkKind::Tunnel,
            Type::Bridge => LinkKind::Bridge,
            Type::Ethernet | Type::FastEthernetT | Type::FastEthernetFx | Type::GigabitEthernet => {
                LinkKind::Wired
            }
            _ => LinkKind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::survey;
    use crate::model::LinkKind;

    #[test]
    fn this_machine_has_a_loopback_link_and_everything_in_order() {
        let now = survey().unwrap();
        let kinds: Vec<LinkKind> = now.links.iter().map(|link| link.kind).collect();
        assert!(kinds.contains(&LinkKind::Loopback), "{kinds:?}");
        assert!(now.links.is_sorted_by_key(|link| link.index));
        assert!(now.links.iter().all(|link| link.addresses.is_sorted()));
        assert!(now.links.iter().all(|link| link.up || !link.carrier));
        assert!(now.routes.is_sorted() && now.rules.is_sorted());
    }
}
