//! Routes (`linux/rtnetlink.h`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::message::{address, attributes, padded, u16_at, u32_at};
use crate::model::{Route, RouteKind};

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
/// `struct rtmsg`.
const ROUTE_HEADER: usize = 12;
/// `struct rtnexthop`.
const HOP_HEADER: usize = 8;

const RT_TABLE_LOCAL: u32 = 255;
/// Made by an ICMP redirect: comes and goes by itself.
const RTPROT_REDIRECT: u8 = 1;
/// Made by the kernel for an address.
const RTPROT_KERNEL: u8 = 2;
const RTN_UNICAST: u8 = 1;
const RTN_BLACKHOLE: u8 = 6;
const RTN_UNREACHABLE: u8 = 7;
const RTN_PROHIBIT: u8 = 8;
const RTN_THROW: u8 = 9;
const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_DEAD: u32 = 1;

/// The routes in the body of `RTM_NEWROUTE`, one for each next hop. Empty for those that say
/// nothing about where the machine is (nine of ten): the local table, multicast, link-local,
/// caches, and what the kernel makes for each address by itself.
pub(in crate::watch) fn parse(body: &[u8]) -> Vec<Route> {
    read(body).unwrap_or_default()
}

fn read(body: &[u8]) -> Option<Vec<Route>> {
    let family = libc::c_int::from(*body.first()?);
    let prefix = *body.get(1)?;
    let protocol = *body.get(5)?;
    let kind = kind(*body.get(7)?)?;
    let flags = u32_at(body, 8)?;
    let mut table = u32::from(*body.get(4)?);
    let mut destination: IpAddr = match family {
        libc::AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        libc::AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let mut metric = 0;
    let mut only = Hop::default();
    let mut multipath: &[u8] = &[];
    for (kind, value) in attributes(body.get(ROUTE_HEADER..)?) {
        match kind {
            RTA_DST => destination = address(value)?,
            RTA_OIF => only.link = u32_at(value, 0)?,
            RTA_GATEWAY => only.gateway = address(value),
            RTA_VIA => only.gateway = via(value),
            RTA_PRIORITY => metric = u32_at(value, 0)?,
            RTA_TABLE => table = u32_at(value, 0)?,
            RTA_MULTIPATH => multipath = value,
            _ => {}
        }
    }
    let destination = IpNet::new(destination, prefix).ok()?.trunc();
    let cached = flags & (RTM_F_CLONED | RTNH_F_DEAD) != 0 || protocol == RTPROT_REDIRECT;
    let default = prefix == 0 && kind == RouteKind::Unicast;
    if table == RT_TABLE_LOCAL
        || cached
        || (protocol == RTPROT_KERNEL && !default)
        || is_local(&destination)
    {
        return None;
    }
    let mut hops = hops(multipath);
    if hops.is_empty() {
        hops.push(only);
    }
    let nowhere = kind != RouteKind::Unicast;
    let route = |hop: Hop| Route {
        destination,
        metric,
        // The kernel names `lo` for IPv6 blackholes and nothing for IPv4 ones.
        gateway: hop.gateway.filter(|_| !nowhere),
        link: if nowhere { 0 } else { hop.link },
        table,
        kind,
    };
    Some(hops.into_iter().map(route).collect())
}

#[derive(Debug, Default)]
struct Hop {
    link: u32,
    gateway: Option<IpAddr>,
}

/// The next hops of an equal-cost route.
fn hops(mut bytes: &[u8]) -> Vec<Hop> {
    let next = std::iter::from_fn(|| {
        let length = usize::from(u16_at(bytes, 0)?);
        let one = bytes.get(..length)?;
        let inner = one.get(HOP_HEADER..)?;
        let mut hop = Hop {
            link: u32_at(one, 4)?,
            gateway: None,
        };
        for (kind, value) in attributes(inner) {
            match kind {
                RTA_GATEWAY => hop.gateway = address(value),
                RTA_VIA => hop.gateway = via(value),
                _ => {}
            }
        }
        let dead = u32::from(*one.get(2)?) & RTNH_F_DEAD != 0;
        bytes = bytes.get(padded(length)..).unwrap_or_default();
        Some((!dead).then_some(hop))
    });
    next.flatten().collect()
}

/// `struct rtvia`: an IPv4 route by way of an IPv6 gateway (RFC 5549).
fn via(value: &[u8]) -> Option<IpAddr> {
    address(value.get(2..)?)
}

fn kind(raw: u8) -> Option<RouteKind> {
    match raw {
        RTN_UNICAST => Some(RouteKind::Unicast),
        RTN_BLACKHOLE => Some(RouteKind::Blackhole),
        RTN_UNREACHABLE => Some(RouteKind::Unreachable),
        RTN_PROHIBIT => Some(RouteKind::Prohibit),
        RTN_THROW => Some(RouteKind::Throw),
        _ => None,
    }
}

fn is_local(destination: &IpNet) -> bool {
    match destination {
        IpNet::V4(v4) => v4.addr().is_multicast(),
        IpNet::V6(v6) => {
            v6.addr().is_multicast() || (v6.prefix_len() >= 10 && v6.addr().is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::attribute;
    use super::*;
    use proptest::prelude::*;

    struct Fixed {
        family: libc::c_int,
        prefix: u8,
        table: u8,
        protocol: u8,
        kind: u8,
        flags: u32,
    }

    const PLAIN: Fixed = Fixed {
        family: libc::AF_INET,
        prefix: 0,
        table: 254,
        protocol: 3,
        kind: RTN_UNICAST,
        flags: 0,
    };

    fn body(fixed: &Fixed, attributes: &[Vec<u8>]) -> Vec<u8> {
        let family = fixed.family as u8;
        let mut body = vec![
            family,
            fixed.prefix,
            0,
            0,
            fixed.table,
            fixed.protocol,
            0,
            fixed.kind,
        ];
        body.extend(fixed.flags.to_ne_bytes());
        body.extend(attributes.concat());
        body
    }

    fn number(kind: u16, value: u32) -> Vec<u8> {
        attribute(kind, &value.to_ne_bytes())
    }

    fn gateway() -> Vec<Vec<u8>> {
        vec![attribute(RTA_GATEWAY, &[10, 9, 0, 1]), number(RTA_OIF, 2)]
    }

    #[test]
    fn a_default_route_is_read_with_gateway_link_and_metric() {
        let mut attributes = gateway();
        attributes.push(number(RTA_PRIORITY, 100));
        let routes = parse(&body(&PLAIN, &attributes));
        let expected = Route {
            destination: "0.0.0.0/0".parse().unwrap(),
            metric: 100,
            gateway: "10.9.0.1".parse().ok(),
            link: 2,
            table: 254,
            kind: RouteKind::Unicast,
        };
        assert_eq!(routes, [expected]);
    }

    #[test]
    fn each_next_hop_of_an_equal_cost_route_is_a_route() {
        let hop = |link: u32, dead: u8, last: u8| {
            let inner = attribute(RTA_GATEWAY, &[10, 9, 0, last]);
            let mut hop = u16::try_from(HOP_HEADER + inner.len())
                .unwrap()
                .to_ne_bytes()
                .to_vec();
            hop.extend([dead, 0]);
            hop.extend(link.to_ne_bytes());
            hop.extend(inner);
            hop
        };
        let both = [hop(2, 0, 1), hop(3, 0, 2), hop(4, 1, 3)].concat();
        let routes = parse(&body(&PLAIN, &[attribute(RTA_MULTIPATH, &both)]));
        let hops: Vec<_> = routes
            .iter()
            .map(|r| (r.link, r.gateway.unwrap().to_string()))
            .collect();
        assert_eq!(
            hops,
            [(2, "10.9.0.1".to_owned()), (3, "10.9.0.2".to_owned())]
        );
    }

    #[test]
    fn an_ipv4_route_may_have_an_ipv6_gateway() {
        let gateway: Ipv6Addr = "fe80::1".parse().unwrap();
        let mut via = (libc::AF_INET6 as u16).to_ne_bytes().to_vec();
        via.extend(gateway.octets());
        let routes = parse(&body(
            &PLAIN,
            &[attribute(RTA_VIA, &via), number(RTA_OIF, 2)],
        ));
        assert_eq!(routes[0].gateway, Some(gateway.into()));
    }

    #[test]
    fn the_long_table_number_wins() {
        let fixed = Fixed {
            table: 252,
            ..PLAIN
        };
        let mut attributes = gateway();
        attributes.push(number(RTA_TABLE, 7700));
        assert_eq!(parse(&body(&fixed, &attributes))[0].table, 7700);
    }

    #[test]
    fn what_the_kernel_makes_by_itself_says_nothing() {
        for fixed in [
            Fixed {
                table: 255,
                ..PLAIN
            },
            Fixed { kind: 2, ..PLAIN },
            Fixed { kind: 5, ..PLAIN },
            Fixed {
                protocol: 1,
                ..PLAIN
            },
            Fixed {
                flags: RTM_F_CLONED,
                ..PLAIN
            },
            Fixed {
                flags: RTNH_F_DEAD,
                ..PLAIN
            },
            Fixed { family: 5, ..PLAIN },
            Fixed {
                prefix: 33,
                ..PLAIN
            },
            // The kernel's own "unreachable default" of IPv6.
            Fixed {
                protocol: 2,
                kind: RTN_UNREACHABLE,
                ..PLAIN
            },
        ] {
            assert_eq!(parse(&body(&fixed, &gateway())), []);
        }
        let subnet = Fixed {
            prefix: 24,
            protocol: 2,
            ..PLAIN
        };
        let to = attribute(RTA_DST, &[10, 9, 0, 0]);
        assert_eq!(parse(&body(&subnet, &[to])), []);
        for (net, prefix) in [("ff00::", 8), ("fe80::", 64)] {
            let net: Ipv6Addr = net.parse().unwrap();
            let fixed = Fixed {
                family: libc::AF_INET6,
                prefix,
                ..PLAIN
            };
            assert_eq!(
                parse(&body(&fixed, &[attribute(RTA_DST, &net.octets())])),
                []
            );
        }
    }

    #[test]
    fn a_kernel_made_default_route_counts() {
        // PPP in the kernel, some modems, IPv6 on older kernels.
        let fixed = Fixed {
            protocol: RTPROT_KERNEL,
            ..PLAIN
        };
        assert_eq!(parse(&body(&fixed, &gateway())).len(), 1);
    }

    #[test]
    fn a_blackhole_leads_over_no_link() {
        let fixed = Fixed {
            kind: RTN_BLACKHOLE,
            prefix: 16,
            ..PLAIN
        };
        let attributes = [attribute(RTA_DST, &[10, 254, 0, 0]), number(RTA_OIF, 1)];
        let routes = parse(&body(&fixed, &attributes));
        assert_eq!((routes[0].kind, routes[0].link), (RouteKind::Blackhole, 0));
    }

    proptest! {
        #[test]
        fn no_bytes_make_routes_panic_or_multiply(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(parse(&bytes).len() <= bytes.len());
        }

        #[test]
        fn no_attributes_behind_a_good_header_make_routes_panic(tail in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(parse(&body(&PLAIN, std::slice::from_ref(&tail))).len() <= tail.len() + 1);
            prop_assert!(hops(&tail).len() <= tail.len() / HOP_HEADER);
        }
    }
}
