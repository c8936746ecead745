//! Routes (`linux/rtnetlink.h`) and policy-routing rules (`linux/fib_rules.h`).

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::link::is_scan;
use crate::model::{Route, RouteKind, Rule};
use crate::watch::kinds::is_local;
use crate::watch::netlink::{
    ALIGNMENT, NetlinkMessage, address, attributes, find_attribute, network_table, text, u16_at,
    u32_at,
};

/// `struct rtmsg`.
const ROUTE_HEADER: usize = 12;
/// `struct rtnexthop`.
const HOP_HEADER: usize = 8;
const RTNH_F_DEAD: u32 = 1;
/// `libc` has it for glibc only.
const RTA_VIA: u16 = 18;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_PAD: u16 = 18;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;
/// `struct fib_rule_hdr`.
const RULE_HEADER: usize = 12;
const FIB_RULE_INVERT: u32 = 2;
/// Priority and table of the rules that always exist: local, main, default.
const BUILT_IN: [(u32, u32); 3] = [(0, 255), (32766, 254), (32767, 253)];

/// Returns the routes that carry information, and the rules other than those that always exist;
/// both sorted.
///
/// # Errors
/// When the kernel refuses or does not answer.
pub(in crate::watch) fn tables() -> io::Result<(Vec<Route>, Vec<Rule>)> {
    let families = [libc::AF_INET, libc::AF_INET6];
    let routes = network_table(libc::RTM_GETROUTE, &families, parse_route)?;
    let rules = network_table(libc::RTM_GETRULE, &families, parse_rule)?;
    Ok((sorted(routes), sorted(rules)))
}

fn sorted<T: Ord>(entries: Vec<T>) -> Vec<T> {
    BTreeSet::from_iter(entries).into_iter().collect()
}

/// Reports whether the message can change the result of a survey. Most cannot: the local table,
/// multicast, what the kernel creates for each address.
pub(super) fn is_telling(message: &NetlinkMessage<'_>) -> bool {
    match message.kind {
        libc::RTM_NEWROUTE | libc::RTM_DELROUTE => !parse_route(message.body).is_empty(),
        libc::RTM_NEWLINK => !is_scan(message.body),
        libc::RTM_DELLINK
        | libc::RTM_NEWADDR
        | libc::RTM_DELADDR
        | libc::RTM_NEWRULE
        | libc::RTM_DELRULE => true,
        _ => false,
    }
}

/// Parses the routes in the body of `RTM_NEWROUTE`, one for each next hop. Empty for routes that do
/// not depend on the network (nine of ten): the local table, multicast, link-local, caches, and
/// what the kernel itself creates for each address.
fn parse_route(body: &[u8]) -> Vec<Route> {
    read_route(body).unwrap_or_default()
}

fn read_route(body: &[u8]) -> Option<Vec<Route>> {
    let [family, prefix, _, _, table, protocol, _, kind, ..] = *body else {
        return None;
    };
    let unspecified: IpAddr = match family.into() {
        libc::AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        libc::AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let kind = match kind {
        libc::RTN_UNICAST => RouteKind::Unicast,
        libc::RTN_BLACKHOLE => RouteKind::Blackhole,
        libc::RTN_UNREACHABLE => RouteKind::Unreachable,
        libc::RTN_PROHIBIT => RouteKind::Prohibit,
        libc::RTN_THROW => RouteKind::Throw,
        _ => return None,
    };
    let attributes = body.get(ROUTE_HEADER..)?;
    let number = |kind| find_attribute(attributes, kind).and_then(|value| u32_at(value, 0));
    let destination = find_attribute(attributes, libc::RTA_DST).map_or(Some(unspecified), address);
    let destination = IpNet::new(destination?, prefix).ok()?.trunc();
    let table = number(libc::RTA_TABLE).unwrap_or(table.into());
    let cached = u32_at(body, 8)? & (libc::RTM_F_CLONED | RTNH_F_DEAD) != 0;
    // Routes that an ICMP redirect has created appear and disappear without a change of the
    // network.
    let temporary = cached || protocol == libc::RTPROT_REDIRECT;
    let default = prefix == 0 && kind == RouteKind::Unicast;
    let own =
        table == u32::from(libc::RT_TABLE_LOCAL) || (protocol == libc::RTPROT_KERNEL && !default);
    if own || temporary || is_local(&destination) {
        return None;
    }
    let mut hops = find_attribute(attributes, libc::RTA_MULTIPATH).map_or_else(Vec::new, hops);
    if kind != RouteKind::Unicast {
        // For blackhole routes, the kernel names `lo` for IPv6 and no link for IPv4.
        hops = vec![(0, None)];
    } else if hops.is_empty() {
        hops.push((
            number(libc::RTA_OIF).unwrap_or_default(),
            gateway(attributes),
        ));
    }
    let route = |(link, gateway)| Route {
        destination,
        metric: number(libc::RTA_PRIORITY).unwrap_or_default(),
        gateway,
        link,
        table,
        kind,
    };
    Some(hops.into_iter().map(route).collect())
}

/// Returns link and gateway of each next hop of an equal-cost route.
fn hops(mut bytes: &[u8]) -> Vec<(u32, Option<IpAddr>)> {
    let next = std::iter::from_fn(|| {
        let one = bytes.get(..usize::from(u16_at(bytes, 0)?))?;
        let hop = (u32_at(one, 4)?, gateway(one.get(HOP_HEADER..)?));
        let dead = u32::from(*one.get(2)?) & RTNH_F_DEAD != 0;
        bytes = bytes
            .get(one.len().next_multiple_of(ALIGNMENT)..)
            .unwrap_or_default();
        Some((!dead).then_some(hop))
    });
    next.flatten().collect()
}

fn gateway(attributes: &[u8]) -> Option<IpAddr> {
    match find_attribute(attributes, libc::RTA_GATEWAY) {
        Some(gateway) => address(gateway),
        // `struct rtvia`: an IPv4 route through an IPv6 gateway (RFC 5549).
        None => address(find_attribute(attributes, RTA_VIA)?.get(2..)?),
    }
}

/// Parses the rule in the body of `RTM_NEWRULE`, in the notation of `ip rule`. `None` for the three
/// rules that always exist, and for malformed ones.
fn parse_rule(body: &[u8]) -> Option<Rule> {
    let [family, to_prefix, from_prefix, tos, table, _, _, action, ..] = *body else {
        return None;
    };
    let v6 = libc::c_int::from(family) == libc::AF_INET6;
    if !v6 && libc::c_int::from(family) != libc::AF_INET {
        return None;
    }
    let inverted = u32_at(body, 8)? & FIB_RULE_INVERT != 0;
    let all = body.get(RULE_HEADER..)?;
    let number = |kind| find_attribute(all, kind).and_then(|value| u32_at(value, 0));
    let mut words = Vec::new();
    for (kind, value) in attributes(all) {
        let number = u32_at(value, 0);
        let ports = || Some(format!("{}-{}", u16_at(value, 0)?, u16_at(value, 2)?));
        words.push(match kind {
            // Some of these are written below; the creator of the rule, and padding, have no effect
            // on packets.
            FRA_PRIORITY | FRA_TABLE | FRA_FWMARK | FRA_FWMASK | FRA_PROTOCOL | FRA_PAD => continue,
            // -1 means "no limit".
            FRA_SUPPRESS_PREFIXLEN | FRA_SUPPRESS_IFGROUP if number == Some(u32::MAX) => continue,
            FRA_SUPPRESS_PREFIXLEN => format!("suppress_prefixlength {}", number?),
            FRA_SRC => format!("from {}/{from_prefix}", address(value)?),
            FRA_DST => format!("to {}/{to_prefix}", address(value)?),
            FRA_IIFNAME => format!("iif {}", text(value)),
            FRA_OIFNAME => format!("oif {}", text(value)),
            FRA_GOTO => format!("goto {}", number?),
            FRA_UID_RANGE => format!("uids {}-{}", number?, u32_at(value, 4)?),
            FRA_IP_PROTO => format!("proto {}", value.first()?),
            FRA_SPORT_RANGE => format!("sport {}", ports()?),
            FRA_DPORT_RANGE => format!("dport {}", ports()?),
            // The meaning is unknown, but another value means another rule.
            other => format!("attribute{other} {value:02x?}"),
        });
    }
    let priority = number(FRA_PRIORITY).unwrap_or_default();
    let table = number(FRA_TABLE).unwrap_or(table.into());
    let mark = number(FRA_FWMARK);
    let plain = words.is_empty() && mark.is_none() && !inverted;
    if plain && BUILT_IN.contains(&(priority, table)) {
        return None;
    }
    if !words.iter().any(|word| word.starts_with("from ")) {
        words.insert(0, "from all".to_owned());
    }
    if inverted {
        words.insert(0, "not".to_owned());
    }
    if tos != 0 {
        words.push(format!("tos {tos:#x}"));
    }
    match (mark, number(FRA_FWMASK)) {
        (None, _) => {}
        (Some(mark), None | Some(u32::MAX)) => words.push(format!("fwmark {mark:#x}")),
        (Some(mark), Some(mask)) => words.push(format!("fwmark {mark:#x}/{mask:#x}")),
    }
    // FR_ACT_TO_TBL; the others are goto, nop, and the same refusals as for routes.
    words.push(match action {
        1 => format!("lookup {table}"),
        2 => "goto".to_owned(),
        6 => "blackhole".to_owned(),
        7 => "unreachable".to_owned(),
        8 => "prohibit".to_owned(),
        other => format!("action {other}"),
    });
    Some(Rule {
        priority,
        v6,
        table,
        text: words.join(" "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::netlink::attribute;
    use crate::watch::netlink::messages;
    use crate::watch::netlink::tests::message;
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
        kind: libc::RTN_UNICAST,
        flags: 0,
    };

    fn route_body(fixed: &Fixed, attributes: &[Vec<u8>]) -> Vec<u8> {
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
        vec![
            attribute(libc::RTA_GATEWAY, &[10, 9, 0, 1]),
            number(libc::RTA_OIF, 2),
        ]
    }

    #[test]
    fn a_default_route_is_read_with_gateway_link_and_metric() {
        let mut attributes = gateway();
        attributes.push(number(libc::RTA_PRIORITY, 100));
        let routes = parse_route(&route_body(&PLAIN, &attributes));
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
            let inner = attribute(libc::RTA_GATEWAY, &[10, 9, 0, last]);
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
        let routes = parse_route(&route_body(
            &PLAIN,
            &[attribute(libc::RTA_MULTIPATH, &both)],
        ));
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
        let routes = parse_route(&route_body(
            &PLAIN,
            &[attribute(RTA_VIA, &via), number(libc::RTA_OIF, 2)],
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
        attributes.push(number(libc::RTA_TABLE, 7700));
        assert_eq!(parse_route(&route_body(&fixed, &attributes))[0].table, 7700);
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
                flags: libc::RTM_F_CLONED,
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
            // The kernel's own IPv6 route "unreachable default".
            Fixed {
                protocol: 2,
                kind: libc::RTN_UNREACHABLE,
                ..PLAIN
            },
        ] {
            assert_eq!(parse_route(&route_body(&fixed, &gateway())), []);
        }
        let subnet = Fixed {
            prefix: 24,
            protocol: 2,
            ..PLAIN
        };
        let to = attribute(libc::RTA_DST, &[10, 9, 0, 0]);
        assert_eq!(parse_route(&route_body(&subnet, &[to])), []);
        for (net, prefix) in [("ff00::", 8), ("fe80::", 64)] {
            let net: Ipv6Addr = net.parse().unwrap();
            let fixed = Fixed {
                family: libc::AF_INET6,
                prefix,
                ..PLAIN
            };
            assert_eq!(
                parse_route(&route_body(
                    &fixed,
                    &[attribute(libc::RTA_DST, &net.octets())]
                )),
                []
            );
        }
    }

    #[test]
    fn a_kernel_made_default_route_counts() {
        // PPP in the kernel, some modems, IPv6 on older kernels.
        let fixed = Fixed {
            protocol: libc::RTPROT_KERNEL,
            ..PLAIN
        };
        assert_eq!(parse_route(&route_body(&fixed, &gateway())).len(), 1);
    }

    #[test]
    fn a_blackhole_leads_over_no_link() {
        let fixed = Fixed {
            kind: libc::RTN_BLACKHOLE,
            prefix: 16,
            ..PLAIN
        };
        let attributes = [
            attribute(libc::RTA_DST, &[10, 254, 0, 0]),
            number(libc::RTA_OIF, 1),
        ];
        let routes = parse_route(&route_body(&fixed, &attributes));
        assert_eq!((routes[0].kind, routes[0].link), (RouteKind::Blackhole, 0));
    }

    #[test]
    fn only_messages_that_can_change_a_survey_are_telling() {
        let telling = |kind: u16, body: &[u8]| {
            let bytes = message(kind, body);
            is_telling(&messages(&bytes).next().unwrap())
        };
        let default = [2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        let local = [2, 32, 0, 0, 255, 2, 0, 2, 0, 0, 0, 0];
        assert!(telling(libc::RTM_NEWROUTE, &default));
        assert!(telling(libc::RTM_DELROUTE, &default));
        assert!(!telling(libc::RTM_NEWROUTE, &local));
        assert!(telling(libc::RTM_NEWLINK, &[0; 16]));
        assert!(!telling(libc::RTM_NEWNEIGH, &[0; 16]));
    }

    fn rule_body(table: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![libc::AF_INET as u8, 0, 32, 0, table, 0, 0, 1];
        body.extend([0; 4]);
        body.extend(attributes.concat());
        body
    }

    #[test]
    fn the_three_rules_that_always_exist_are_left_out() {
        for (priority, table) in BUILT_IN {
            let attributes = [
                number(FRA_PRIORITY, priority),
                number(FRA_TABLE, table),
                number(FRA_SUPPRESS_PREFIXLEN, u32::MAX),
                attribute(FRA_PROTOCOL, &[2]),
            ];
            assert_eq!(parse_rule(&rule_body(0, &attributes)), None);
        }
        // This rule has the same priority, but is another one.
        let mine = [number(FRA_PRIORITY, 0), number(FRA_FWMARK, 1)];
        assert!(parse_rule(&rule_body(255, &mine)).is_some());
    }

    #[test]
    fn a_rule_is_spelt_as_ip_rule_spells_it() {
        let attributes = [
            number(FRA_PRIORITY, 100),
            attribute(FRA_SRC, &[10, 9, 0, 2]),
            attribute(FRA_IIFNAME, b"eth0\0"),
            number(FRA_FWMARK, 0x10),
            number(FRA_FWMASK, 0xff),
        ];
        let rule = parse_rule(&rule_body(77, &attributes)).unwrap();
        assert_eq!((rule.priority, rule.table, rule.v6), (100, 77, false));
        assert_eq!(
            rule.text,
            "from 10.9.0.2/32 iif eth0 fwmark 0x10/0xff lookup 77"
        );
    }

    #[test]
    fn wireguards_two_rules_differ_from_the_built_in_ones() {
        let quick = [
            number(FRA_PRIORITY, 32765),
            number(FRA_SUPPRESS_PREFIXLEN, 0),
        ];
        let rule = parse_rule(&rule_body(254, &quick)).unwrap();
        assert_eq!(rule.text, "from all suppress_prefixlength 0 lookup 254");
        let mut marked = rule_body(0, &[number(FRA_PRIORITY, 32764), number(FRA_FWMARK, 51820)]);
        marked[8..12].copy_from_slice(&FIB_RULE_INVERT.to_ne_bytes());
        marked.extend(number(FRA_TABLE, 51820));
        let rule = parse_rule(&marked).unwrap();
        assert_eq!(rule.text, "not from all fwmark 0xca6c lookup 51820");
    }

    #[test]
    fn an_attribute_of_a_future_kernel_makes_another_rule() {
        let one = parse_rule(&rule_body(77, &[number(99, 1)])).unwrap();
        let two = parse_rule(&rule_body(77, &[number(99, 2)])).unwrap();
        assert_ne!(one, two);
    }

    proptest! {
        #[test]
        fn no_bytes_make_routes_panic_or_multiply(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(parse_route(&bytes).len() <= bytes.len());
        }

        #[test]
        fn no_attributes_behind_a_good_header_make_routes_panic(tail in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(parse_route(&route_body(&PLAIN, std::slice::from_ref(&tail))).len() <= tail.len() + 1);
            prop_assert!(hops(&tail).len() <= tail.len() / HOP_HEADER);
        }

        #[test]
        fn no_bytes_make_rules_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse_rule(&bytes);
            let _ = parse_rule(&rule_body(77, &[bytes]));
        }
    }
}
