//! Links and addresses (`linux/if_link.h`, `linux/if_addr.h`).
//!
//! goroam has its own dump: netdev's `get_interfaces` reads some fifteen files of sysfs for each
//! link (12 ms with the links of 50 containers) and searches 5000 addresses in quadratic time.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_char, c_void};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use ipnet::IpNet;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::model::{Link, LinkKind};
use crate::watch::kinds::kind;
use crate::watch::netlink::{
    address, attributes, find_attribute, network_table, text, u16_at, u32_at,
};

const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_WIRELESS: u16 = 11;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKMODE: u16 = 17;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
/// RFC 2863's "down".
const IF_OPER_DOWN: u8 = 2;
/// A program (a supplicant) must confirm the link before it counts as up.
const IF_LINK_MODE_DORMANT: u8 = 1;
/// `struct ifinfomsg`.
const LINK_HEADER: usize = 16;
/// `struct ifaddrmsg`.
const ADDRESS_HEADER: usize = 8;
/// `linux/if_arp.h`; libc lacks it.
const ARPHRD_RAWIP: u16 = 519;

/// Returns all links with their addresses, sorted.
///
/// # Errors
/// When the kernel refuses or does not answer.
pub(in crate::watch) fn links() -> io::Result<Vec<Link>> {
    let links = network_table(libc::RTM_GETLINK, &[libc::AF_UNSPEC], parse_link)?;
    let links = links.into_iter().map(|link| (link.index, link));
    let mut links: BTreeMap<u32, Link> = links.collect();
    let addresses = network_table(libc::RTM_GETADDR, &[libc::AF_UNSPEC], parse_address)?;
    for (index, net) in BTreeSet::from_iter(addresses) {
        if let Some(link) = links.get_mut(&index) {
            link.addresses.push(net);
        }
    }
    for link in links.values_mut() {
        if link.up && link.kind == LinkKind::Wifi {
            link.ssid = ssid(&link.name);
        }
    }
    Ok(links.into_values().collect())
}

/// Parses the link in the body of `RTM_NEWLINK`. `None` if the message is not about a link (bridges
/// send their ports' state with another family), or is malformed.
fn parse_link(body: &[u8]) -> Option<Link> {
    if libc::c_int::from(*body.first()?) != libc::AF_UNSPEC {
        return None;
    }
    let flags = u32_at(body, 8)?;
    let attributes = body.get(LINK_HEADER..)?;
    let has = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
    let byte = |kind| find_attribute(attributes, kind)?.first();
    // The kernel updates the operational state at most once a second (`net/core/link_watch.c`).
    // Until then it is "down" on a link that already carries packets; that would turn one change
    // into two.
    let stale = byte(IFLA_OPERSTATE) == Some(&IF_OPER_DOWN)
        && byte(IFLA_LINKMODE) != Some(&IF_LINK_MODE_DORMANT)
        && !has(libc::IFF_DORMANT);
    let up = has(libc::IFF_UP);
    let name = text(find_attribute(attributes, IFLA_IFNAME)?);
    let driver = find_attribute(attributes, IFLA_LINKINFO)
        .and_then(|info| find_attribute(info, IFLA_INFO_KIND))
        .map(text);
    let device = device(&name, driver.as_deref(), u16_at(body, 2)?);
    let mtu = find_attribute(attributes, IFLA_MTU).and_then(|value| u32_at(value, 0));
    let link = Link {
        index: u32_at(body, 4)?,
        kind: kind(&name, device),
        up,
        // `IFF_LOWER_UP`: the driver has a carrier. `IFF_RUNNING`: additionally, no layer above it
        // (802.1X, the Wi-Fi handshake) is still waiting (RFC 2863 "dormant"). A tun device, whose
        // operational state is always "unknown", has both. Just after `ip link set … down` the
        // driver's flag is still set, so a link that is not up has no carrier.
        carrier: up && has(libc::IFF_LOWER_UP) && (has(libc::IFF_RUNNING) || stale),
        mtu: mtu.unwrap_or_default(),
        addresses: Vec::new(),
        ssid: None,
        name,
    };
    (link.index != 0 && !link.name.is_empty()).then_some(link)
}

/// Returns the kind that the kernel reports. `driver`: `veth`, `wireguard`, `tun` …; hardware has
/// none, and its type is in `ARPHRD_…`.
fn device(name: &str, driver: Option<&str>, hardware: u16) -> LinkKind {
    match driver {
        Some(
            "tun" | "wireguard" | "ppp" | "ipip" | "sit" | "gre" | "gretap" | "ip6tnl" | "ip6gre"
            | "ip6gretap" | "vti" | "vti6" | "xfrm" | "ovpn" | "ovpn-dco",
        ) => LinkKind::Tunnel,
        Some("bridge" | "bond" | "team") => LinkKind::Bridge,
        Some("vlan") => LinkKind::Wired,
        Some("wwan" | "rmnet") => LinkKind::Cellular,
        Some(_) => LinkKind::Virtual,
        None => match hardware {
            libc::ARPHRD_LOOPBACK => LinkKind::Loopback,
            libc::ARPHRD_ETHER => ethernet(name),
            libc::ARPHRD_IEEE80211 => LinkKind::Wifi,
            ARPHRD_RAWIP => LinkKind::Cellular,
            libc::ARPHRD_PPP
            | libc::ARPHRD_NONE
            | libc::ARPHRD_TUNNEL
            | libc::ARPHRD_TUNNEL6
            | libc::ARPHRD_SIT
            | libc::ARPHRD_IPGRE => LinkKind::Tunnel,
            _ => LinkKind::Other,
        },
    }
}

/// Ethernet, Wi-Fi and modems look the same to rtnetlink; sysfs distinguishes them.
fn ethernet(link: &str) -> LinkKind {
    let folder = Path::new("/sys/class/net").join(link);
    let uevent = std::fs::read_to_string(folder.join("uevent")).unwrap_or_default();
    if folder.join("wireless").exists() || folder.join("phy80211").exists() {
        LinkKind::Wifi
    } else if uevent.lines().any(|line| line == "DEVTYPE=wwan") {
        LinkKind::Cellular
    } else {
        LinkKind::Wired
    }
}

/// Parses the link's index and an address from the body of `RTM_NEWADDR`. `None` for addresses that
/// carry no information: still under duplicate address detection (RFC 4862) or failed in it, and
/// temporary IPv6 addresses, which rotate beside a permanent one.
fn parse_address(body: &[u8]) -> Option<(u32, IpNet)> {
    let [family, prefix, flags, ..] = *body else {
        return None;
    };
    let attributes = body.get(ADDRESS_HEADER..)?;
    let flags = find_attribute(attributes, libc::IFA_FLAGS)
        .and_then(|value| u32_at(value, 0))
        .unwrap_or(flags.into());
    let unready = flags & libc::IFA_F_TENTATIVE != 0 && flags & libc::IFA_F_OPTIMISTIC == 0;
    // For IPv4 the flag for "temporary" (RFC 8981) means "secondary".
    let useless = unready || flags & (libc::IFA_F_DADFAILED | libc::IFA_F_TEMPORARY) != 0;
    if useless && libc::c_int::from(family) == libc::AF_INET6 {
        return None;
    }
    // On point-to-point links IFA_ADDRESS is the other end.
    let ip = find_attribute(attributes, libc::IFA_LOCAL)
        .or_else(|| find_attribute(attributes, libc::IFA_ADDRESS))?;
    Some((u32_at(body, 4)?, IpNet::new(address(ip)?, prefix).ok()?))
}

/// Reports whether a link message only announces a Wi-Fi scan: drivers send one for each scan.
pub(super) fn is_scan(body: &[u8]) -> bool {
    const IW_EVENT_COMMAND: usize = 2;
    attributes(body.get(LINK_HEADER..).unwrap_or_default()).any(|(kind, value)| {
        let command = u16_at(value, IW_EVENT_COMMAND).map(libc::c_ulong::from);
        kind == IFLA_WIRELESS && command == Some(libc::SIOCGIWSCAN)
    })
}

/// `struct iwreq` with its `struct iw_point`.
#[repr(C)]
struct EssidRequest {
    name: [c_char; libc::IFNAMSIZ],
    pointer: *mut c_void,
    length: u16,
    flags: u16,
    /// The kernel's union is 16 bytes long on every machine.
    _rest: [u8; 16 - size_of::<*mut c_void>() - 4],
}

/// Returns the name of the link's Wi-Fi network. `None` if there is no such network, or the driver
/// does not support the old wireless extensions.
fn ssid(link: &str) -> Option<String> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None).ok()?;
    let mut essid = [0_u8; libc::IW_ESSID_MAX_SIZE + 2];
    let mut request = EssidRequest {
        name: [0; libc::IFNAMSIZ],
        pointer: essid.as_mut_ptr().cast(),
        length: u16::try_from(libc::IW_ESSID_MAX_SIZE).unwrap_or_default(),
        flags: 0,
        _rest: [0; 16 - size_of::<*mut c_void>() - 4],
    };
    // One byte remains for the NUL at the end.
    let room = request.name.iter_mut().take(libc::IFNAMSIZ - 1);
    for (to, from) in room.zip(link.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    // SAFETY: SIOCGIWESSID takes a `struct iwreq`, whose layout `EssidRequest` has, and writes at
    // most `length` bytes (and a NUL, on old kernels) where `pointer` points; `essid` is
    // longer than that and outlives the call.
    let done = unsafe {
        libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCGIWESSID as _,
            &raw mut request,
        )
    };
    let name = essid.get(..usize::from(request.length).min(libc::IW_ESSID_MAX_SIZE))?;
    let name = text(name);
    (done == 0 && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::netlink::attribute;
    use proptest::prelude::*;

    fn link_body(flags: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![0, 0];
        body.extend(1_u16.to_ne_bytes());
        body.extend(7_u32.to_ne_bytes());
        body.extend(flags.to_ne_bytes());
        body.extend([0; 4]);
        body.extend(attributes.concat());
        body
    }

    fn address_body(family: u8, prefix: u8, flags: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![family, prefix, flags, 0];
        body.extend(7_u32.to_ne_bytes());
        body.extend(attributes.concat());
        body
    }

    #[test]
    fn the_loopback_link_and_its_address_are_in_the_tables() {
        let links = links().unwrap();
        let lo = links.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!(lo.kind, LinkKind::Loopback);
        assert!(!lo.up || lo.addresses.contains(&"127.0.0.1/8".parse().unwrap()));
    }

    #[test]
    fn a_veth_is_read_with_name_mtu_and_kind() {
        let info = attribute(IFLA_INFO_KIND, b"veth\0");
        let body = link_body(
            0x1_1043,
            &[
                attribute(IFLA_IFNAME, b"eth0\0"),
                attribute(IFLA_MTU, &1400_u32.to_ne_bytes()),
                attribute(IFLA_LINKINFO, &info),
            ],
        );
        let link = parse_link(&body).unwrap();
        assert_eq!(
            (link.index, link.name.as_str(), link.mtu),
            (7, "eth0", 1400)
        );
        assert_eq!(device("eth0", Some("veth"), 1), LinkKind::Virtual);
        assert!(link.up && link.carrier);
    }

    #[test]
    fn the_carrier_needs_the_driver_the_handshake_and_the_admin() {
        for (flags, carrier) in [
            (0x1_0041, true),
            (0x0_0041, false), // IFF_LOWER_UP is missing: no cable
            (0x1_0001, false), // IFF_RUNNING is missing: 802.1X waits
            (0x1_0040, false), // IFF_UP is missing: the driver's flag lingers
        ] {
            let body = link_body(flags, &[attribute(IFLA_IFNAME, b"eth0\0")]);
            assert_eq!(parse_link(&body).unwrap().carrier, carrier, "{flags:#x}");
        }
    }

    #[test]
    fn a_state_that_has_not_caught_up_does_not_hide_the_carrier() {
        let carrier = |state: u8, mode: u8| {
            let attributes = [
                attribute(IFLA_IFNAME, b"eth0\0"),
                attribute(IFLA_OPERSTATE, &[state]),
                attribute(IFLA_LINKMODE, &[mode]),
            ];
            let link = parse_link(&link_body(0x1_0003, &attributes)).unwrap();
            link.carrier
        };
        assert!(carrier(IF_OPER_DOWN, 0));
        assert!(!carrier(IF_OPER_DOWN, IF_LINK_MODE_DORMANT));
        assert!(!carrier(5, 0)); // dormant: the handshake
        assert!(!carrier(4, 0)); // under test
    }

    #[test]
    fn a_bridge_ports_message_is_not_a_link() {
        let mut body = link_body(1, &[attribute(IFLA_IFNAME, b"eth0\0")]);
        body[0] = libc::AF_BRIDGE as u8;
        assert_eq!(parse_link(&body), None);
    }

    #[test]
    fn the_own_end_of_a_point_to_point_link_is_its_address() {
        let body = address_body(
            libc::AF_INET as u8,
            32,
            0,
            &[
                attribute(libc::IFA_ADDRESS, &[10, 8, 0, 1]),
                attribute(libc::IFA_LOCAL, &[10, 8, 0, 2]),
            ],
        );
        let net = "10.8.0.2/32".parse().unwrap();
        assert_eq!(parse_address(&body), Some((7, net)));
    }

    #[test]
    fn ipv6_addresses_count_when_they_can_be_used_and_last() {
        let ip: std::net::Ipv6Addr = "2001:db8::2".parse().unwrap();
        let read = |flags: u32| {
            let attributes = [
                attribute(libc::IFA_ADDRESS, &ip.octets()),
                attribute(libc::IFA_FLAGS, &flags.to_ne_bytes()),
            ];
            parse_address(&address_body(libc::AF_INET6 as u8, 64, 0x40, &attributes)).is_some()
        };
        assert!(read(0x80)); // permanent
        assert!(!read(0xc0)); // and tentative
        assert!(read(0x44)); // tentative, yet optimistic: usable (RFC 4429)
        assert!(!read(0x88)); // another link has it
        assert!(!read(0x01)); // temporary
    }

    #[test]
    fn a_prefix_that_no_family_has_is_refused() {
        let four = [attribute(libc::IFA_LOCAL, &[10, 0, 0, 1])];
        assert_eq!(parse_address(&address_body(2, 33, 0, &four)), None);
        let five = [attribute(libc::IFA_LOCAL, &[10, 0, 0, 1, 2])];
        assert_eq!(parse_address(&address_body(2, 24, 0, &five)), None);
    }

    #[test]
    fn the_essid_request_has_the_kernels_size() {
        assert_eq!(size_of::<EssidRequest>(), 32);
    }

    #[test]
    fn the_loopback_link_is_in_no_wifi_network() {
        assert_eq!(ssid("lo"), None);
        assert_eq!(ssid(&"x".repeat(300)), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_links_or_addresses_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse_link(&bytes);
            let _ = parse_address(&bytes);
        }
    }
}
