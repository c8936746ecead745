//! Decides the kind of a link, and which routes do not depend on the network. Pure.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::model::LinkKind;

/// The beginnings of link names, in lower case. Those of containers and virtual machines come
/// first, whatever the device: docker0 is a bridge, vnet0 a tap.
const NAMES: [(LinkKind, &str); 6] = [
    (
        LinkKind::Virtual,
        "docker veth virbr vmnet vboxnet vnet podman cni cali flannel lxcbr lxdbr incusbr vethernet \
         br- awdl",
    ),
    (LinkKind::Wifi, "wl wi-fi"),
    (LinkKind::Cellular, "ww rmnet ccmni cellular"),
    (
        LinkKind::Tunnel,
        "tun tap wg vpn utun ppp ipsec tailscale zt nordlynx proton cscotun gpd sit",
    ),
    (LinkKind::Wired, "en eth"),
    (LinkKind::Bridge, "br bond team lagg"),
];

/// Returns the kind of a link; `device` is the kind that the system reports. [`LinkKind::Virtual`]
/// are devices that behave like Ethernet without hardware (veth, macvlan, dummy); for
/// [`LinkKind::Other`] the system reports no kind.
pub(super) fn kind(name: &str, device: LinkKind) -> LinkKind {
    let lower = name.to_ascii_lowercase();
    let by_name = NAMES.iter().find(|(_, starts)| {
        let mut starts = starts.split(' ');
        starts.any(|start| lower.starts_with(start))
    });
    match (device, by_name.map(|(kind, _)| *kind)) {
        (LinkKind::Loopback | LinkKind::Cellular, _) => device,
        (_, Some(LinkKind::Virtual)) => LinkKind::Virtual,
        // Raw-IP modems have no link layer.
        (LinkKind::Tunnel | LinkKind::Wired, Some(LinkKind::Cellular)) => LinkKind::Cellular,
        (LinkKind::Virtual, Some(LinkKind::Bridge)) => LinkKind::Virtual,
        // In a container or a network namespace the end of a veth pair has the role that its name
        // indicates.
        (LinkKind::Virtual | LinkKind::Other, Some(named)) => named,
        (LinkKind::Other, None) if lower == "lo" || lower == "lo0" => LinkKind::Loopback,
        _ => device,
    }
}

/// Reports whether the route is the same on every network.
pub(super) fn is_local(destination: &IpNet) -> bool {
    let ip = destination.addr();
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    ip.is_loopback() || ip.is_multicast() || broadcast || link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_named_as_a_person_would() {
        use LinkKind::{Bridge, Cellular, Loopback, Other, Tunnel, Virtual, Wifi, Wired};
        for (name, device, expected) in [
            ("lo", Loopback, Loopback),
            ("lo0", Other, Loopback),
            ("eth0", Wired, Wired),
            ("enp0s31f6", Wired, Wired),
            ("usb0", Wired, Wired),
            ("en0", Wifi, Wifi),
            ("wlp3s0", Wifi, Wifi),
            ("Wi-Fi", Wifi, Wifi),
            ("eth0", Virtual, Wired),
            ("wlan0", Virtual, Wifi),
            ("vpn0", Virtual, Tunnel),
            ("veth1a2b", Virtual, Virtual),
            ("vmnet8", Wired, Virtual),
            ("dummy0", Virtual, Virtual),
            ("docker0", Bridge, Virtual),
            ("br-0123456789ab", Bridge, Virtual),
            ("virbr0", Bridge, Virtual),
            ("vnet3", Tunnel, Virtual),
            ("vEthernet (WSL)", Other, Virtual),
            ("br0", Bridge, Bridge),
            ("bond0", Bridge, Bridge),
            ("bridge0", Other, Bridge),
            ("tun0", Tunnel, Tunnel),
            ("wg0", Tunnel, Tunnel),
            ("utun4", Other, Tunnel),
            ("ppp0", Tunnel, Tunnel),
            ("office", Tunnel, Tunnel),
            ("wwan0", Tunnel, Cellular),
            ("wwp0s20", Wired, Cellular),
            ("pdp_ip0", Cellular, Cellular),
            ("awdl0", Wifi, Virtual),
            ("ib0", Other, Other),
        ] {
            assert_eq!(kind(name, device), expected, "{name} {device:?}");
        }
    }
}
