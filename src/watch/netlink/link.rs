//! Links and addresses (`linux/if_link.h`, `linux/if_addr.h`).

use std::net::IpAddr;

use ipnet::IpNet;

use super::message::{address, attributes, text, u16_at, u32_at};

const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKMODE: u16 = 17;
const IFLA_LINKINFO: u16 = 18;
/// RFC 2863's "down".
const IF_OPER_DOWN: u8 = 2;
/// A program (a supplicant) has to say so before the link counts as up.
const IF_LINK_MODE_DORMANT: u8 = 1;
const IFLA_INFO_KIND: u16 = 1;
/// `struct ifinfomsg`.
const LINK_HEADER: usize = 16;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
/// `struct ifaddrmsg`.
const ADDRESS_HEADER: usize = 8;
/// On IPv6 the flag that IPv4 calls "secondary" means "temporary" (RFC 8981).
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;

/// A link, as the kernel says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::watch) struct RawLink {
    /// Its number.
    pub(in crate::watch) index: u32,
    /// Its name.
    pub(in crate::watch) name: String,
    /// `IFF_…`.
    pub(in crate::watch) flags: u32,
    /// `ARPHRD_…`.
    pub(in crate::watch) hardware: u16,
    /// Bytes.
    pub(in crate::watch) mtu: u32,
    /// The operational state has not caught up with the carrier.
    stale: bool,
    /// `veth`, `wireguard`, `tun` …; `None` for hardware.
    pub(in crate::watch) info_kind: Option<String>,
}

impl RawLink {
    /// From the body of `RTM_NEWLINK`. `None` if it is not about a link (bridges send their
    /// ports' state with another family), or broken.
    pub(in crate::watch) fn parse(body: &[u8]) -> Option<RawLink> {
        if *body.first()? != libc::AF_UNSPEC as u8 {
            return None;
        }
        let mut link = RawLink {
            hardware: u16_at(body, 2)?,
            index: u32_at(body, 4)?,
            flags: u32_at(body, 8)?,
            ..RawLink::default()
        };
        let (mut state, mut mode) = (None, None);
        for (kind, value) in attributes(body.get(LINK_HEADER..)?) {
            match kind {
                IFLA_OPERSTATE => state = value.first(),
                IFLA_LINKMODE => mode = value.first(),
                IFLA_IFNAME => link.name = text(value),
                IFLA_MTU => link.mtu = u32_at(value, 0)?,
                IFLA_LINKINFO => {
                    link.info_kind = attributes(value)
                        .find(|(kind, _)| *kind == IFLA_INFO_KIND)
                        .map(|(_, value)| text(value));
                }
                _ => {}
            }
        }
        link.stale = state == Some(&IF_OPER_DOWN)
            && mode != Some(&IF_LINK_MODE_DORMANT)
            && !link.has(libc::IFF_DORMANT);
        (link.index != 0 && !link.name.is_empty()).then_some(link)
    }

    /// Administratively up.
    pub(in crate::watch) fn is_up(&self) -> bool {
        self.has(libc::IFF_UP)
    }

    /// `IFF_LOWER_UP`: the driver has a carrier. `IFF_RUNNING`: and nothing above it, such as
    /// 802.1X or the Wi-Fi handshake, still waits (RFC 2863 "dormant"). A tun device, whose
    /// operational state is always "unknown", has both. Just after `ip link set … down` the
    /// driver's flag lingers, so a link that is not up has no carrier.
    ///
    /// The kernel works out the operational state at most once a second
    /// (`net/core/link_watch.c`); until then it is "down" on a link that already carries
    /// packets, which would make two changes of one.
    pub(in crate::watch) fn has_carrier(&self) -> bool {
        self.is_up() && self.has(libc::IFF_LOWER_UP) && (self.has(libc::IFF_RUNNING) || self.stale)
    }

    fn has(&self, flag: libc::c_int) -> bool {
        self.flags & flag.cast_unsigned() != 0
    }
}

/// The link's index and an address from the body of `RTM_NEWADDR`. `None` for addresses that
/// say nothing: still under duplicate address detection (RFC 4862) or failed in it, and
/// temporary IPv6 ones, which rotate beside a lasting one.
pub(in crate::watch) fn parse_address(body: &[u8]) -> Option<(u32, IpNet)> {
    let family = libc::c_int::from(*body.first()?);
    let prefix = *body.get(1)?;
    let index = u32_at(body, 4)?;
    let mut flags = u32::from(*body.get(2)?);
    let mut local = None;
    let mut peer: Option<IpAddr> = None;
    for (kind, value) in attributes(body.get(ADDRESS_HEADER..)?) {
        match kind {
            IFA_LOCAL => local = address(value),
            IFA_ADDRESS => peer = address(value),
            IFA_FLAGS => flags = u32_at(value, 0)?,
            _ => {}
        }
    }
    if family == libc::AF_INET6 {
        let unready = flags & IFA_F_TENTATIVE != 0 && flags & IFA_F_OPTIMISTIC == 0;
        if unready || flags & (IFA_F_DADFAILED | IFA_F_TEMPORARY) != 0 {
            return None;
        }
    }
    // On point-to-point links IFA_ADDRESS is the other end.
    let ip = local.or(peer)?;
    Some((index, IpNet::new(ip, prefix).ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::attribute;
    use super::*;
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
        let link = RawLink::parse(&body).unwrap();
        assert_eq!(
            (link.index, link.name.as_str(), link.mtu),
            (7, "eth0", 1400)
        );
        assert_eq!(link.info_kind.as_deref(), Some("veth"));
        assert!(link.is_up() && link.has_carrier());
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
            assert_eq!(
                RawLink::parse(&body).unwrap().has_carrier(),
                carrier,
                "{flags:#x}"
            );
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
            let link = RawLink::parse(&link_body(0x1_0003, &attributes)).unwrap();
            link.has_carrier()
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
        assert_eq!(RawLink::parse(&body), None);
    }

    #[test]
    fn the_own_end_of_a_point_to_point_link_is_its_address() {
        let body = address_body(
            libc::AF_INET as u8,
            32,
            0,
            &[
                attribute(IFA_ADDRESS, &[10, 8, 0, 1]),
                attribute(IFA_LOCAL, &[10, 8, 0, 2]),
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
                attribute(IFA_ADDRESS, &ip.octets()),
                attribute(IFA_FLAGS, &flags.to_ne_bytes()),
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
        let four = [attribute(IFA_LOCAL, &[10, 0, 0, 1])];
        assert_eq!(parse_address(&address_body(2, 33, 0, &four)), None);
        let five = [attribute(IFA_LOCAL, &[10, 0, 0, 1, 2])];
        assert_eq!(parse_address(&address_body(2, 24, 0, &five)), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_links_or_addresses_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = RawLink::parse(&bytes);
            let _ = parse_address(&bytes);
        }
    }
}
