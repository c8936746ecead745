//! Messages of macOS' routing socket and route dump (route(4), `net/route.h`), as bytes.
//!
//! Compiled on Linux for its tests: the bytes are the same everywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::model::{Route, RouteKind};
use crate::watch::kinds::is_local;

/// `struct rt_msghdr`, with its fourteen metrics.
const ROUTE_HEADER: usize = 92;
const VERSION: u8 = 5;

const RTM_ADD: u8 = 0x1;
const RTM_DELETE: u8 = 0x2;
const RTM_CHANGE: u8 = 0x3;
const RTM_NEWADDR: u8 = 0xc;
const RTM_DELADDR: u8 = 0xd;
const RTM_IFINFO: u8 = 0xe;
const RTM_IFINFO2: u8 = 0x12;

const RTF_UP: u32 = 0x1;
const RTF_GATEWAY: u32 = 0x2;
const RTF_REJECT: u32 = 0x8;
const RTF_CLONING: u32 = 0x100;
const RTF_LLINFO: u32 = 0x400;
const RTF_BLACKHOLE: u32 = 0x1000;
const RTF_WASCLONED: u32 = 0x2_0000;
const RTF_LOCAL: u32 = 0x20_0000;
const RTF_BROADCAST: u32 = 0x40_0000;
const RTF_MULTICAST: u32 = 0x80_0000;
/// Applies only to sockets that are bound to the link; each link has its own default route with
/// this flag.
const RTF_IFSCOPE: u32 = 0x100_0000;
/// Caches, neighbours, own addresses, and what only bound sockets use.
const SAYS_NOTHING: u32 =
    RTF_LLINFO | RTF_WASCLONED | RTF_LOCAL | RTF_BROADCAST | RTF_MULTICAST | RTF_IFSCOPE;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 30;

/// One message with its header.
#[derive(Debug, Clone, Copy)]
pub(super) struct RouteMessage<'a> {
    kind: u8,
    bytes: &'a [u8],
}

/// Splits the bytes of one `read` or dump into messages; ends at an invalid length.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = RouteMessage<'_>> {
    std::iter::from_fn(move || {
        loop {
            let length = usize::from(u16::from_ne_bytes(take(bytes, 0)?));
            let one = bytes.get(..length)?;
            let (version, kind) = (*one.get(2)?, *one.get(3)?);
            bytes = bytes.get(length..)?;
            if version == VERSION {
                return Some(RouteMessage { kind, bytes: one });
            }
        }
    })
}

impl RouteMessage<'_> {
    /// Reports whether the message can change the result of a survey. `RTM_MISS` cannot: macOS 26
    /// sends one for each failed lookup, so a failing probe would start the next one
    /// (tailscale/tailscale#20050).
    pub(super) fn is_telling(&self) -> bool {
        match self.kind {
            RTM_ADD | RTM_DELETE | RTM_CHANGE => self.route().is_some(),
            RTM_NEWADDR | RTM_DELADDR | RTM_IFINFO | RTM_IFINFO2 => true,
            _ => false,
        }
    }

    /// Parses the message's route. `None` for routes that do not depend on the network.
    pub(super) fn route(&self) -> Option<Route> {
        let link = u32::from(u16::from_ne_bytes(take(self.bytes, 4)?));
        let flags = u32::from_ne_bytes(take(self.bytes, 8)?);
        let present = u32::from_ne_bytes(take(self.bytes, 12)?);
        if flags & SAYS_NOTHING != 0 || (flags & RTF_UP == 0 && self.kind != RTM_DELETE) {
            return None;
        }
        let mut rest = self.bytes.get(ROUTE_HEADER..)?;
        let mut next = |bit: u32| -> Option<&[u8]> {
            if present & bit == 0 {
                return None;
            }
            let length = usize::from(*rest.first()?);
            let one = rest.get(..length)?;
            // Padded to four bytes; an empty one takes four as well.
            rest = rest
                .get(length.max(1).next_multiple_of(4)..)
                .unwrap_or_default();
            Some(one)
        };
        let (to, gateway, mask) = (next(1), next(2), next(4));
        let to = to?;
        let family = *to.get(1)?;
        let address = address(to)?;
        let prefix = match mask {
            Some(mask) => prefix(mask, family),
            // A default route may have no mask; a host route never has one.
            None if address.is_unspecified() => 0,
            None if family == AF_INET => 32,
            None => 128,
        };
        let destination = IpNet::new(address, prefix).ok()?.trunc();
        // The subnet of an own address.
        let connected = flags & RTF_CLONING != 0 && flags & RTF_GATEWAY == 0;
        if is_local(&destination) || (connected && prefix != 0) {
            return None;
        }
        let kind = match (flags & RTF_REJECT != 0, flags & RTF_BLACKHOLE != 0) {
            (true, _) => RouteKind::Unreachable,
            (false, true) => RouteKind::Blackhole,
            (false, false) => RouteKind::Unicast,
        };
        let nowhere = kind != RouteKind::Unicast;
        Some(Route {
            destination,
            metric: 0,
            gateway: gateway
                .filter(|_| flags & RTF_GATEWAY != 0 && !nowhere)
                .and_then(self::address),
            link: if nowhere { 0 } else { link },
            table: 0,
            kind,
        })
    }
}

/// Parses the address in a `sockaddr_in` or `sockaddr_in6`, which may end after its last byte that
/// is not zero.
fn address(sockaddr: &[u8]) -> Option<IpAddr> {
    match *sockaddr.get(1)? {
        AF_INET => Some(Ipv4Addr::from(padded::<4>(sockaddr, 4)).into()),
        AF_INET6 => {
            let mut bytes = padded::<16>(sockaddr, 8);
            if Ipv6Addr::from(bytes).is_unicast_link_local() {
                // The kernel keeps the link's index in the second word (KAME).
                bytes[2] = 0;
                bytes[3] = 0;
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// Returns the prefix length of a mask. The mask's own family is unreliable, and its trailing zeros
/// are left out.
fn prefix(mask: &[u8], family: u8) -> u8 {
    let ones = if family == AF_INET {
        u32::from_be_bytes(padded::<4>(mask, 4)).leading_ones()
    } else {
        u128::from_be_bytes(padded::<16>(mask, 8)).leading_ones()
    };
    u8::try_from(ones).unwrap_or(128)
}

fn padded<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut padded = [0; N];
    for (to, from) in padded.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    padded
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4(ip: [u8; 4]) -> Vec<u8> {
        [&[16, AF_INET, 0, 0][..], &ip, &[0; 8]].concat()
    }

    fn v6(ip: &str) -> Vec<u8> {
        let ip: Ipv6Addr = ip.parse().unwrap();
        [&[28, AF_INET6, 0, 0, 0, 0, 0, 0][..], &ip.octets(), &[0; 4]].concat()
    }

    fn message(kind: u8, flags: u32, present: u32, sockaddrs: &[Vec<u8>]) -> Vec<u8> {
        let tail = sockaddrs.concat();
        let length = u16::try_from(ROUTE_HEADER + tail.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend([VERSION, kind]);
        bytes.extend(7_u16.to_ne_bytes());
        bytes.extend([0; 2]);
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(present.to_ne_bytes());
        bytes.resize(ROUTE_HEADER, 0);
        bytes.extend(tail);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Route> {
        messages(bytes).next()?.route()
    }

    #[test]
    fn a_default_route_is_read_with_gateway_and_link() {
        // The mask of the default route is an empty sockaddr.
        let parts = [v4([0; 4]), v4([192, 168, 1, 1]), vec![0; 4]];
        let route = read(&message(4, RTF_UP | RTF_GATEWAY, 7, &parts)).unwrap();
        assert!(route.is_main_default());
        assert_eq!((route.link, route.gateway), (7, "192.168.1.1".parse().ok()));
    }

    #[test]
    fn masks_are_cut_short_after_their_last_byte() {
        // 172.16/12: length 6, so two bytes of mask, padded to eight.
        let mask = vec![6, 0, 0, 0, 0xff, 0xf0, 0, 0];
        let parts = [v4([172, 16, 0, 0]), v4([10, 9, 0, 1]), mask];
        let route = read(&message(RTM_ADD, RTF_UP | RTF_GATEWAY, 7, &parts)).unwrap();
        assert_eq!(route.destination, "172.16.0.0/12".parse().unwrap());
    }

    #[test]
    fn the_link_in_a_link_local_gateway_is_no_part_of_it() {
        let parts = [v6("::"), v6("fe80:7::1"), vec![0; 4]];
        let route = read(&message(4, RTF_UP | RTF_GATEWAY, 7, &parts)).unwrap();
        assert_eq!(route.gateway, "fe80::1".parse().ok());
    }

    #[test]
    fn scoped_cloned_and_connected_routes_say_nothing() {
        let parts = [
            v4([10, 9, 0, 0]),
            v4([0; 4]),
            vec![7, 0, 0, 0, 255, 255, 255, 0],
        ];
        for flags in [RTF_IFSCOPE, RTF_WASCLONED, RTF_LLINFO, RTF_CLONING] {
            assert_eq!(
                read(&message(4, RTF_UP | flags, 7, &parts)),
                None,
                "{flags:#x}"
            );
        }
        assert!(read(&message(4, RTF_UP, 7, &parts)).is_some());
        assert_eq!(read(&message(4, 0, 7, &parts)), None);
    }

    #[test]
    fn a_failed_lookup_is_no_hint() {
        let parts = [v4([0; 4]), v4([192, 168, 1, 1]), vec![0; 4]];
        let telling = |kind: u8| {
            let bytes = message(kind, RTF_UP | RTF_GATEWAY, 7, &parts);
            messages(&bytes).next().unwrap().is_telling()
        };
        assert!(telling(RTM_ADD) && telling(RTM_DELETE) && telling(RTM_IFINFO));
        assert!(!telling(0x7)); // RTM_MISS
        assert!(!telling(0x4)); // RTM_GET
        assert!(!telling(0xf)); // RTM_NEWMADDR
    }

    #[test]
    fn messages_of_another_version_are_passed_over() {
        let parts = [v4([0; 4]), v4([192, 168, 1, 1]), vec![0; 4]];
        let mut bytes = message(RTM_ADD, RTF_UP, 7, &parts);
        bytes[2] = 4;
        bytes.extend(message(RTM_ADD, RTF_UP | RTF_GATEWAY, 7, &parts));
        assert_eq!(messages(&bytes).filter_map(|one| one.route()).count(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_run_on(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            for one in messages(&bytes).take(bytes.len() + 1) {
                let _ = one.is_telling();
                let _ = one.route();
            }
        }

        #[test]
        fn no_sockaddrs_behind_a_good_header_make_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&message(RTM_ADD, RTF_UP | RTF_GATEWAY, 7, &[tail]));
        }
    }
}
