//! What sort of link it is: by what the system says of the device, and by name where it does
//! not say enough.

use crate::model::LinkKind;

/// What the system says of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
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
pub(super) fn kind(name: &str, device: Device) -> LinkKind {
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
