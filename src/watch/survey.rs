//! Reading the network as it is now. The only file that names `netdev`.

use std::io;

use super::{resolver, route};
use crate::model::{Link, LinkKind, Snapshot};

/// The system would not say.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what}: {source}")]
pub struct SurveyError {
    /// What could not be read.
    pub what: &'static str,
    /// The system's reason.
    pub source: io::Error,
}

/// Reads links, addresses, routes, rules and the resolver's configuration. Takes about a
/// millisecond; sends no packet and looks up no name.
///
/// # Errors
/// When the system refuses (a sandbox without netlink, say).
pub fn survey() -> Result<Snapshot, SurveyError> {
    let fail = |what| move |source| SurveyError { what, source };
    // Links first: a route over a link that is not known yet makes no difference until the
    // next survey, for which the link's own message calls.
    let links = links::read().map_err(fail("links and addresses"))?;
    let (routes, rules) = route::tables().map_err(fail("routes"))?;
    Ok(Snapshot {
        links,
        routes,
        rules,
        dns: resolver::read(),
        blind: false,
    })
}

/// Our own dump: netdev's `get_interfaces` looks at each link through some fifteen files of
/// sysfs (12 ms with the links of 50 containers) and at 5000 addresses with a quadratic search.
#[cfg(target_os = "linux")]
mod links {
    use std::collections::BTreeMap;
    use std::io;
    use std::path::Path;
    use std::sync::{Mutex, PoisonError};

    use super::{Device, Link, LinkKind, kind};
    use crate::watch::netlink::dump::NetworkTables;
    use crate::watch::netlink::link::RawLink;
    use crate::watch::ssid::ssid;
    use ipnet::IpNet;

    /// `linux/if_arp.h`; libc lacks it.
    const ARPHRD_RAWIP: u16 = 519;

    /// More links than that come and go only where containers do.
    const MOST_KNOWN: usize = 256;

    /// Hardware does not change while its link exists.
    static HARDWARE: Mutex<BTreeMap<(u32, String), Device>> = Mutex::new(BTreeMap::new());

    pub(super) fn read() -> io::Result<Vec<Link>> {
        let mut dump = NetworkTables::open()?;
        let raw = dump.links()?;
        let mut addresses: BTreeMap<u32, Vec<IpNet>> = BTreeMap::new();
        for (index, net) in dump.addresses()? {
            addresses.entry(index).or_default().push(net);
        }
        let links = raw.into_iter().map(|raw| {
            let device = device(&raw);
            let kind = kind(&raw.name, device);
            let up = raw.is_up();
            Link {
                index: raw.index,
                kind,
                up,
                carrier: raw.has_carrier(),
                mtu: raw.mtu,
                addresses: addresses.remove(&raw.index).unwrap_or_default(),
                ssid: (up && kind == LinkKind::Wifi)
                    .then(|| ssid(&raw.name))
                    .flatten(),
                name: raw.name,
            }
        });
        Ok(links.collect())
    }

    fn device(raw: &RawLink) -> Device {
        match raw.info_kind.as_deref() {
            Some(
                "tun" | "wireguard" | "ppp" | "ipip" | "sit" | "gre" | "gretap" | "ip6tnl"
                | "ip6gre" | "ip6gretap" | "vti" | "vti6" | "xfrm" | "ovpn" | "ovpn-dco",
            ) => Device::Tunnel,
            Some("bridge" | "bond" | "team") => Device::Bridge,
            Some("vlan") => Device::Ethernet,
            Some("wwan" | "rmnet") => Device::Modem,
            Some(_) => Device::Virtual,
            None => match raw.hardware {
                libc::ARPHRD_LOOPBACK => Device::Loopback,
                libc::ARPHRD_ETHER => hardware(raw),
                ARPHRD_RAWIP => Device::Modem,
                libc::ARPHRD_PPP
                | libc::ARPHRD_NONE
                | libc::ARPHRD_TUNNEL
                | libc::ARPHRD_TUNNEL6
                | libc::ARPHRD_SIT
                | libc::ARPHRD_IPGRE => Device::Tunnel,
                libc::ARPHRD_IEEE80211 => Device::Wireless,
                _ => Device::Unknown,
            },
        }
    }

    /// Ethernet, Wi-Fi and modems look the same to rtnetlink; sysfs distinguishes them.
    fn hardware(raw: &RawLink) -> Device {
        let mut known = HARDWARE.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST_KNOWN {
            known.clear();
        }
        let key = (raw.index, raw.name.clone());
        *known.entry(key).or_insert_with(|| {
            let folder = Path::new("/sys/class/net").join(&raw.name);
            let is_modem = || {
                let uevent = std::fs::read_to_string(folder.join("uevent"));
                uevent.is_ok_and(|text| text.lines().any(|line| line == "DEVTYPE=wwan"))
            };
            if folder.join("wireless").exists() || folder.join("phy80211").exists() {
                Device::Wireless
            } else if is_modem() {
                Device::Modem
            } else {
                Device::Ethernet
            }
        })
    }
}

/// Where netdev has all that is needed. Its `gateway` feature is off: on Windows that one
/// sends ARP requests and waits for the answers.
#[cfg(not(target_os = "linux"))]
mod links {
    use std::io;

    use ipnet::IpNet;
    use netdev::Interface;
    use netdev::interface::state::OperState;
    use netdev::interface::types::InterfaceType;

    use super::{Device, Link, kind};

    pub(super) fn read() -> io::Result<Vec<Link>> {
        let interfaces = netdev::get_interfaces();
        if interfaces.is_empty() {
            // There always is a loopback interface; netdev has no other way to say it.
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
        let device = device(&interface);
        // The name of a Windows interface is a GUID.
        let name = match interface.friendly_name.clone() {
            Some(friendly) if cfg!(windows) => friendly,
            Some(_) | None => interface.name.clone(),
        };
        Link {
            index: interface.index,
            kind: kind(&name, device),
            up: interface.is_up(),
            carrier: interface.is_up() && interface.oper_state == OperState::Up,
            mtu: interface.mtu.unwrap_or_default(),
            addresses,
            // macOS gives it only to programs that may know the machine's location.
            ssid: None,
            name,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm)] // some thirty kinds that are not in use
    fn device(interface: &Interface) -> Device {
        if interface.is_loopback() {
            return Device::Loopback;
        }
        match interface.if_type {
            InterfaceType::Loopback => Device::Loopback,
            InterfaceType::Wireless80211 | InterfaceType::PeerToPeerWireless => Device::Wireless,
            InterfaceType::Wwan | InterfaceType::Wwanpp | InterfaceType::Wwanpp2 => Device::Modem,
            InterfaceType::Tunnel | InterfaceType::Ppp | InterfaceType::ProprietaryVirtual => {
                Device::Tunnel
            }
            InterfaceType::Bridge => Device::Bridge,
            InterfaceType::Ethernet
            | InterfaceType::FastEthernetT
            | InterfaceType::FastEthernetFx
            | InterfaceType::GigabitEthernet => Device::Ethernet,
            _ => Device::Unknown,
        }
    }
}

/// What the system says of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    /// The loopback device.
    Loopback,
    /// 802.11.
    Wireless,
    /// A modem.
    Modem,
    /// tun, tap, WireGuard, PPP, IP in IP and the like.
    Tunnel,
    /// Joins others: bridge, bond, team.
    Bridge,
    /// Ethernet hardware, or a VLAN on it.
    Ethernet,
    /// Behaves as Ethernet without hardware: veth, macvlan, dummy.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only Linux tells it from hardware")
    )]
    Virtual,
    /// The system does not say.
    Unknown,
}

/// Names of containers' and virtual machines' links, whatever the device: docker0 is a bridge,
/// vnet0 a tap.
const VIRTUAL: [&str; 16] = [
    "docker",
    "veth",
    "virbr",
    "vmnet",
    "vboxnet",
    "vnet",
    "podman",
    "cni",
    "cali",
    "flannel",
    "lxcbr",
    "lxdbr",
    "incusbr",
    "vethernet",
    "br-",
    "awdl",
];
const WIFI: [&str; 2] = ["wl", "wi-fi"];
const CELLULAR: [&str; 4] = ["ww", "rmnet", "ccmni", "cellular"];
const TUNNEL: [&str; 14] = [
    "tun",
    "tap",
    "wg",
    "vpn",
    "utun",
    "ppp",
    "ipsec",
    "tailscale",
    "zt",
    "nordlynx",
    "proton",
    "cscotun",
    "gpd",
    "sit",
];
const BRIDGE: [&str; 4] = ["br", "bond", "team", "lagg"];
const WIRED: [&str; 2] = ["en", "eth"];

/// The kind of a link.
fn kind(name: &str, device: Device) -> LinkKind {
    let lower = name.to_ascii_lowercase();
    let is = |names: &[&str]| names.iter().any(|start| lower.starts_with(start));
    match device {
        Device::Loopback => LinkKind::Loopback,
        Device::Wireless if lower.starts_with("awdl") => LinkKind::Virtual,
        Device::Wireless => LinkKind::Wifi,
        Device::Modem => LinkKind::Cellular,
        Device::Tunnel | Device::Bridge | Device::Ethernet | Device::Virtual | Device::Unknown
            if is(&VIRTUAL) =>
        {
            LinkKind::Virtual
        }
        Device::Tunnel if is(&CELLULAR) => LinkKind::Cellular, // raw-IP modems have no link layer
        Device::Tunnel => LinkKind::Tunnel,
        Device::Bridge => LinkKind::Bridge,
        Device::Ethernet if is(&CELLULAR) => LinkKind::Cellular,
        Device::Ethernet => LinkKind::Wired,
        // In a container or a network namespace the end of a veth pair plays the part that its
        // name says.
        Device::Virtual | Device::Unknown if is(&WIFI) => LinkKind::Wifi,
        Device::Virtual | Device::Unknown if is(&CELLULAR) => LinkKind::Cellular,
        Device::Virtual | Device::Unknown if is(&TUNNEL) => LinkKind::Tunnel,
        Device::Virtual | Device::Unknown if is(&WIRED) => LinkKind::Wired,
        Device::Virtual => LinkKind::Virtual,
        Device::Unknown if is(&BRIDGE) => LinkKind::Bridge,
        Device::Unknown if lower == "lo" || lower == "lo0" => LinkKind::Loopback,
        Device::Unknown => LinkKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn links_are_named_as_a_person_would() {
        use Device::{Bridge, Ethernet, Loopback, Modem, Tunnel, Unknown, Virtual, Wireless};
        for (name, device, expected) in [
            ("lo", Loopback, LinkKind::Loopback),
            ("lo0", Unknown, LinkKind::Loopback),
            ("eth0", Ethernet, LinkKind::Wired),
            ("enp0s31f6", Ethernet, LinkKind::Wired),
            ("usb0", Ethernet, LinkKind::Wired),
            ("en0", Wireless, LinkKind::Wifi),
            ("wlp3s0", Wireless, LinkKind::Wifi),
            ("Wi-Fi", Wireless, LinkKind::Wifi),
            ("eth0", Virtual, LinkKind::Wired),
            ("wlan0", Virtual, LinkKind::Wifi),
            ("vpn0", Virtual, LinkKind::Tunnel),
            ("veth1a2b", Virtual, LinkKind::Virtual),
            ("vmnet8", Ethernet, LinkKind::Virtual),
            ("dummy0", Virtual, LinkKind::Virtual),
            ("docker0", Bridge, LinkKind::Virtual),
            ("br-0123456789ab", Bridge, LinkKind::Virtual),
            ("virbr0", Bridge, LinkKind::Virtual),
            ("vnet3", Tunnel, LinkKind::Virtual),
            ("vEthernet (WSL)", Unknown, LinkKind::Virtual),
            ("br0", Bridge, LinkKind::Bridge),
            ("bond0", Bridge, LinkKind::Bridge),
            ("bridge0", Unknown, LinkKind::Bridge),
            ("tun0", Tunnel, LinkKind::Tunnel),
            ("wg0", Tunnel, LinkKind::Tunnel),
            ("utun4", Unknown, LinkKind::Tunnel),
            ("ppp0", Tunnel, LinkKind::Tunnel),
            ("office", Tunnel, LinkKind::Tunnel),
            ("wwan0", Tunnel, LinkKind::Cellular),
            ("wwp0s20", Ethernet, LinkKind::Cellular),
            ("pdp_ip0", Modem, LinkKind::Cellular),
            ("awdl0", Wireless, LinkKind::Virtual),
            ("ib0", Unknown, LinkKind::Other),
        ] {
            assert_eq!(kind(name, device), expected, "{name} {device:?}");
        }
    }
}
