//! What is told at a desk with two links.

use super::*;
use crate::model::route::{RouteKind, Rule, TABLE_MAIN};

fn link(index: u32, name: &str, addresses: &[&str]) -> Link {
    Link {
        index,
        name: name.to_owned(),
        kind: LinkKind::Wired,
        up: true,
        carrier: true,
        mtu: 1500,
        addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
        ssid: None,
    }
}

fn route(destination: &str, gateway: &str, link: u32, metric: u32) -> Route {
    Route {
        destination: destination.parse().unwrap(),
        metric,
        gateway: gateway.parse().ok(),
        link,
        table: TABLE_MAIN,
        kind: RouteKind::Unicast,
    }
}

fn desk() -> Snapshot {
    Snapshot {
        links: vec![
            link(2, "eth0", &["10.9.0.2/24", "fe80::2/64"]),
            link(3, "eth1", &["10.8.0.2/24"]),
        ],
        routes: vec![
            route("0.0.0.0/0", "10.9.0.1", 2, 100),
            route("0.0.0.0/0", "10.8.0.1", 3, 200),
        ],
        ..Snapshot::default()
    }
}

/// What is told when `edit` happens at the desk; minor ones in brackets.
fn told(edit: impl FnOnce(&mut Snapshot)) -> Vec<String> {
    let old = desk();
    let mut new = desk();
    edit(&mut new);
    new.routes.sort();
    assert_eq!(Change::between(&new, &new), []);
    words(&Change::between(&old, &new))
}

fn words(changes: &[Change]) -> Vec<String> {
    let bracket = |change: &Change| {
        if change.major {
            change.what.clone()
        } else {
            format!("[{}]", change.what)
        }
    };
    changes.iter().map(bracket).collect()
}

#[test]
fn the_best_default_route_is_told_as_a_move_and_only_once() {
    let moved = told(|net| net.routes[0].gateway = "10.9.0.254".parse().ok());
    assert_eq!(moved, ["default route moved to eth0 via 10.9.0.254"]);
    let worse = told(|net| net.routes[0].metric = 300);
    assert_eq!(worse, ["default route moved to eth1 via 10.8.0.1"]);
    let gone = told(|net| net.routes = vec![net.routes[1].clone()]);
    assert_eq!(gone, ["default route moved to eth1 via 10.8.0.1"]);
    let none = told(|net| net.routes.clear());
    assert_eq!(
        none,
        [
            "no default route any more",
            "no other default route by eth1 via 10.8.0.1 any more"
        ]
    );
}

#[test]
fn a_default_route_that_is_not_the_best_is_told_too() {
    let added = told(|net| net.routes.push(route("0.0.0.0/0", "10.9.0.9", 2, 400)));
    assert_eq!(
        added,
        ["another default route by eth0 via 10.9.0.9, metric 400"]
    );
    let gone = told(|net| net.routes = vec![net.routes[0].clone()]);
    assert_eq!(
        gone,
        ["no other default route by eth1 via 10.8.0.1 any more"]
    );
    let metric = told(|net| net.routes[1].metric = 250);
    assert_eq!(metric, ["[default route by eth1 via 10.8.0.1: metric 250]"]);
    let spare = told(|net| net.routes.push(route("0.0.0.0/0", "10.9.0.1", 2, 900)));
    assert_eq!(spare, ["[default route by eth0 via 10.9.0.1: metric 900]"]);
}

#[test]
fn the_ipv6_default_route_is_told_beside_the_ipv4_one() {
    let added = told(|net| net.routes.push(route("::/0", "fe80::1", 2, 1024)));
    assert_eq!(added, ["IPv6 default route by eth0 via fe80::1"]);
    let swap = told(|net| {
        net.routes.clear();
        net.routes.push(route("::/0", "fe80::1", 2, 1024));
    });
    assert_eq!(swap[0], "no default route any more");
    assert!(swap.contains(&"IPv6 default route by eth0 via fe80::1".to_owned()));
}

#[test]
fn a_link_that_goes_down_says_so_once_whatever_the_kernel_keeps() {
    // IPv4: address and route stay in the tables. IPv6: they go, later.
    let expected = ["default route moved to eth1 via 10.8.0.1", "eth0 is down"];
    let mut half = desk();
    half.links[0].up = false;
    half.links[0].carrier = false;
    assert_eq!(words(&Change::between(&desk(), &half)), expected);
    let mut whole = half.clone();
    whole.links[0].addresses.clear();
    whole.routes.remove(0);
    assert_eq!(words(&Change::between(&desk(), &whole)), expected);
    assert_eq!(Change::between(&half, &whole), []);
    let back = words(&Change::between(&half, &desk()));
    assert_eq!(
        back,
        [
            "default route moved to eth0 via 10.9.0.1",
            "eth0 is up",
            "eth0 has 10.9.0.2/24"
        ]
    );
}

#[test]
fn carrier_and_admin_state_have_their_own_words() {
    assert_eq!(
        told(|net| net.links[1].carrier = false)[1],
        "eth1 has no carrier"
    );
    let mut off = desk();
    off.links[1].up = false;
    off.links[1].carrier = false;
    let mut idle = off.clone();
    idle.links[1].up = true;
    assert_eq!(
        words(&Change::between(&off, &idle)),
        ["[eth1 is up, without a carrier]"]
    );
    assert_eq!(words(&Change::between(&idle, &off)), ["[eth1 is down]"]);
}

#[test]
fn addresses_are_told_by_link_with_their_prefix() {
    let wider = told(|net| net.links[0].addresses[0] = "10.9.0.2/16".parse().unwrap());
    assert_eq!(wider, ["eth0 has 10.9.0.2/16", "eth0 lost 10.9.0.2/24"]);
    let twice = told(|net| net.links[1].addresses.push("10.9.0.2/24".parse().unwrap()));
    assert_eq!(twice, ["eth1 has 10.9.0.2/24"]);
    let local = told(|net| net.links[1].addresses.push("fe80::3/64".parse().unwrap()));
    assert_eq!(local, [""; 0]);
}

#[test]
fn four_thousand_addresses_stay_a_few_lines() {
    let flood = told(|net| {
        for low in 0..4000_u32 {
            let ip = std::net::Ipv4Addr::from(0x0a40_0000 + low);
            net.links[0]
                .addresses
                .push(format!("{ip}/32").parse().unwrap());
        }
    });
    assert_eq!(flood.len(), MOST_NAMED + 1);
    assert_eq!(flood[MOST_NAMED], "eth0 has 3992 more new addresses");
}

#[test]
fn routes_of_a_vpn_a_table_and_a_blackhole_are_named() {
    let split = told(|net| net.routes.push(route("172.16.0.0/12", "10.9.0.3", 2, 0)));
    assert_eq!(split, ["route 172.16.0.0/12 by eth0 via 10.9.0.3"]);
    let table = told(|net| {
        let mut other = route("0.0.0.0/0", "10.9.0.3", 2, 5);
        other.table = 77;
        net.routes.push(other);
    });
    assert_eq!(
        table,
        ["default route by eth0 via 10.9.0.3 in table 77, metric 5"]
    );
    let hole = told(|net| {
        let mut hole = route("10.254.0.0/16", "", 0, 0);
        hole.kind = RouteKind::Blackhole;
        net.routes.push(hole);
    });
    assert_eq!(hole, ["route 10.254.0.0/16 (blackhole)"]);
}

#[test]
fn rules_and_resolver_are_named() {
    let rule = Rule {
        priority: 100,
        v6: false,
        table: 77,
        text: "from 10.9.0.2 lookup 77".to_owned(),
    };
    let added = told(|net| net.rules.push(rule));
    assert_eq!(added, ["routing rule 100: from 10.9.0.2 lookup 77"]);
    let dns = told(|net| {
        net.dns.servers = vec!["10.9.0.53".parse().unwrap()];
        net.dns.search = vec!["corp.test".to_owned()];
    });
    assert_eq!(
        dns,
        ["name servers: 10.9.0.53", "search domains: corp.test"]
    );
}

#[test]
fn mtu_names_and_containers_are_minor() {
    assert_eq!(told(|net| net.links[1].mtu = 1400), ["[eth1: MTU 1400]"]);
    let renamed = told(|net| net.links[1].name = "lan0".to_owned());
    assert_eq!(renamed, ["[eth1 is now called lan0]"]);
    let container = told(|net| {
        let mut veth = link(9, "veth9", &["fe80::9/64"]);
        veth.kind = LinkKind::Virtual;
        net.links.push(veth);
    });
    assert_eq!(container, ["[veth9 appeared]", "[veth9 is up]"]);
}

#[test]
fn of_very_many_changes_the_last_are_remembered() {
    let mut kept = Vec::new();
    for n in 0..1000 {
        let one = |what: &str| Change::minor(format!("{what} {n}"));
        Change::add(vec![one("a"), one("b")], &mut kept);
        assert!(kept.len() <= super::MOST_KEPT);
    }
    assert_eq!(kept.last().unwrap().what, "b 999");
    assert_eq!(kept.len(), super::MOST_KEPT);
    Change::add(vec![Change::minor("c".to_owned()); 500], &mut kept);
    assert_eq!(kept.len(), super::MOST_KEPT);
}

#[test]
fn a_link_that_is_pulled_out_is_gone() {
    let gone = told(|net| {
        net.links.remove(0);
        net.routes.remove(0);
    });
    assert_eq!(
        gone,
        ["default route moved to eth1 via 10.8.0.1", "eth0 is gone"]
    );
}
