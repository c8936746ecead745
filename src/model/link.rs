//! Network links, as the kernel shows them.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What sort of link it is, as far as a policy can ask for it (`interface = { kind = … }`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// Ethernet or what behaves like it.
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

    /// The word that stands for the kind in a policy and in what goroam prints.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkKind::Wired => "wired",
            LinkKind::Wifi => "wifi",
            LinkKind::Cellular => "cellular",
            LinkKind::Tunnel => "tunnel",
            LinkKind::Bridge => "bridge",
            LinkKind::Virtual => "virtual",
            LinkKind::Loopback => "loopback",
            LinkKind::Other => "other",
        }
    }

    /// The kind that a policy's word stands for.
    pub fn parse(word: &str) -> Option<LinkKind> {
        LinkKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One network link at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The kernel's index; stable while the link exists.
    pub index: u32,
    /// `eth0`, `wlan0`, `en0`, or the friendly name on Windows.
    pub name: String,
    /// What sort of link it is.
    pub kind: LinkKind,
    /// Administratively up (`ip link set … up`).
    pub up: bool,
    /// Has a carrier: a cable with somebody at its end, an association, a tunnel that is open.
    pub carrier: bool,
    /// Bytes; 0 where unknown.
    pub mtu: u32,
    /// Its own addresses that can be used now, with their prefix lengths, sorted; link-local
    /// ones included. Not those that still undergo duplicate address detection (a probe cannot
    /// leave from them), nor IPv6 privacy addresses (they rotate beside a lasting one).
    pub addresses: Vec<IpNet>,
    /// The network's name on Wi-Fi, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssid: Option<String>,
}

impl Link {
    /// Up and with a carrier: packets can leave by it.
    pub fn is_running(&self) -> bool {
        self.up && self.carrier
    }

    /// The addresses that say something about where the machine is: not loopback, not
    /// link-local (which appear by themselves one or two seconds after the carrier).
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
