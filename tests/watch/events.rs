//! Each thing that can happen to a laptop's network is told once: not by none, not twice.
//! The rows are those in which address watchers and route watchers were found blind.

use std::fs;
use std::time::Duration;

use goroam::watch::{Hint, WatchPaths};

use crate::watch_namespace::{Eyes, Namespace, in_namespace, words};

/// What happens.
enum Do {
    /// `ip` here.
    Here(&'static str),
    /// `ip` where the cables lead.
    There(&'static str),
    /// The resolver's file is rewritten in place.
    Resolver(&'static str),
    /// IPv6 is switched off on the link.
    NoIpv6(&'static str),
}
use Do::{Here, NoIpv6, Resolver, There};

struct Row {
    name: &'static str,
    what: Do,
    told: &'static [&'static str],
    /// The kernel does more by itself a second or two later (duplicate address detection).
    late: bool,
}

const fn row(name: &'static str, what: Do, told: &'static [&'static str]) -> Row {
    let late = false;
    Row {
        name,
        what,
        told,
        late,
    }
}

const fn late(name: &'static str, what: Do, told: &'static [&'static str]) -> Row {
    let late = true;
    Row {
        name,
        what,
        told,
        late,
    }
}

const ROWS: &[Row] = &[
    row("lo up", Here("link set lo up"), &["[lo is up]"]),
    row(
        "veth created, down",
        Here("link add eth0 type veth peer name p0 netns PEER"),
        &["[eth0 appeared]"],
    ),
    row(
        "link up, no carrier",
        Here("link set eth0 up"),
        &["[eth0 is up, without a carrier]"],
    ),
    late("carrier on", There("link set p0 up"), &["eth0 is up"]),
    row(
        "addr add v4",
        Here("addr add 10.9.0.2/24 dev eth0"),
        &["eth0 has 10.9.0.2/24"],
    ),
    row(
        "same addr again",
        Here("addr replace 10.9.0.2/24 dev eth0"),
        &[],
    ),
    late(
        "addr add v6 global",
        Here("addr add 2001:db8:9::2/64 dev eth0"),
        &["eth0 has 2001:db8:9::2/64"],
    ),
    row(
        "default route add",
        Here("route add default via 10.9.0.1 metric 100"),
        &["default route by eth0 via 10.9.0.1"],
    ),
    row(
        "default gw replaced, same iface",
        Here("route replace default via 10.9.0.254 metric 100"),
        &["default route moved to eth0 via 10.9.0.254"],
    ),
    late(
        "2nd iface with an address",
        Here(
            "link add eth1 type veth peer name p1 netns PEER\nlink set eth1 up\n\
             addr add 10.8.0.2/24 dev eth1\naddr add 10.7.0.2/24 dev eth0",
        ),
        &[
            "eth0 has 10.7.0.2/24",
            "[eth1 appeared]",
            "[eth1 is up, without a carrier]",
        ],
    ),
    late(
        "2nd iface plugged in",
        There("link set p1 up"),
        &["eth1 is up", "eth1 has 10.8.0.2/24"],
    ),
    row(
        "2nd default route, worse metric",
        Here("route add default via 10.8.0.1 metric 200"),
        &["another default route by eth1 via 10.8.0.1, metric 200"],
    ),
    row(
        "metric change moves default to other iface",
        Here(
            "route add default via 10.9.0.254 metric 300\n\
             route del default via 10.9.0.254 metric 100",
        ),
        &["default route moved to eth1 via 10.8.0.1"],
    ),
    row(
        "VPN split route 172.16/12",
        Here("route add 172.16.0.0/12 via 10.9.0.3"),
        &["route 172.16.0.0/12 by eth0 via 10.9.0.3"],
    ),
    row(
        "route in table 77",
        Here("route add default via 10.9.0.3 table 77"),
        &["default route by eth0 via 10.9.0.3 in table 77"],
    ),
    row(
        "ip rule",
        Here("rule add from 10.9.0.2 lookup 77 priority 100"),
        &["routing rule 100: from 10.9.0.2/32 lookup 77"],
    ),
    row(
        "ip -6 rule",
        Here("-6 rule add fwmark 7 lookup 77 priority 101"),
        &["IPv6 routing rule 101: from all fwmark 0x7 lookup 77"],
    ),
    row(
        "v6 default route add",
        Here("-6 route add default via 2001:db8:9::1 metric 1024"),
        &["IPv6 default route by eth0 via 2001:db8:9::1"],
    ),
    row(
        "spare default route del",
        Here("route del default via 10.9.0.254 metric 300"),
        &["no other default route by eth0 via 10.9.0.254 any more"],
    ),
    row(
        "default route del, v6 default left",
        Here("route del default via 10.8.0.1 metric 200"),
        &["no default route any more"],
    ),
    row(
        "equal-cost default route",
        Here("route add default nexthop via 10.9.0.1 nexthop via 10.8.0.1"),
        &[
            "default route by eth1 via 10.8.0.1",
            "another default route by eth0 via 10.9.0.1, metric 0",
        ],
    ),
    row(
        "equal-cost default route del",
        Here("route del default"),
        &[
            "no default route any more",
            "no other default route by eth0 via 10.9.0.1 any more",
        ],
    ),
    row(
        "blackhole",
        Here("route add blackhole 10.254.0.0/16"),
        &["route 10.254.0.0/16 (blackhole)"],
    ),
    row(
        "resolv.conf",
        Resolver("search corp.test\nnameserver 10.9.0.53\n"),
        &["name servers: 10.9.0.53", "search domains: corp.test"],
    ),
    row(
        "resolv.conf again",
        Resolver("search corp.test\nnameserver 10.9.0.54\n"),
        &["name servers: 10.9.0.54"],
    ),
    row(
        "MTU change",
        Here("link set eth0 mtu 1400"),
        &["[eth0: MTU 1400]"],
    ),
    row(
        "prefix /24 -> /16",
        Here("addr add 10.9.0.2/16 dev eth0\naddr del 10.9.0.2/24 dev eth0"),
        &["eth0 has 10.9.0.2/16", "eth0 lost 10.9.0.2/24"],
    ),
    row(
        "same addr added on 2nd iface",
        Here("addr add 10.9.0.2/16 dev eth1"),
        &["eth1 has 10.9.0.2/16"],
    ),
    row(
        "removed from 2nd iface only",
        Here("addr del 10.9.0.2/16 dev eth1"),
        &["eth1 lost 10.9.0.2/16"],
    ),
    row(
        "del+add of same addr within 4 ms",
        Here("addr del 10.9.0.2/16 dev eth0\naddr add 10.9.0.2/16 dev eth0"),
        &[],
    ),
    late(
        "link down, IPv6 on",
        Here("link set eth1 down"),
        &["eth1 is down"],
    ),
    late(
        "link up again, IPv6 on",
        Here("link set eth1 up"),
        &["eth1 is up", "eth1 has 10.8.0.2/24"],
    ),
    row("IPv6 off", NoIpv6("eth1"), &[]),
    row(
        "default route back",
        Here("route add default via 10.8.0.1 metric 200"),
        &["default route by eth1 via 10.8.0.1"],
    ),
    row(
        "carrier loss, IPv6 off",
        There("link set p1 down"),
        &["no default route any more", "eth1 has no carrier"],
    ),
    row(
        "carrier back, IPv6 off",
        There("link set p1 up"),
        &[
            "default route by eth1 via 10.8.0.1",
            "eth1 is up",
            "eth1 has 10.8.0.2/24",
        ],
    ),
    row(
        "link down, IPv6 off",
        Here("link set eth1 down"),
        &["no default route any more", "eth1 is down"],
    ),
    row("link gone", Here("link del eth1"), &["[eth1 is gone]"]),
    row(
        "tunnel made",
        Here(
            "link add vpn0 type veth peer name q0 netns PEER\nlink set vpn0 up\n\
             addr add 10.66.0.2/32 dev vpn0",
        ),
        &["[vpn0 appeared]", "[vpn0 is up, without a carrier]"],
    ),
    late(
        "tunnel open",
        There("link set q0 up"),
        &["vpn0 is up", "vpn0 has 10.66.0.2/32"],
    ),
    row(
        "route through the tunnel",
        Here("route add 192.168.0.0/16 dev vpn0"),
        &["route 192.168.0.0/16 by vpn0"],
    ),
    late(
        "tunnel gone",
        Here("link del vpn0"),
        &["vpn0 is gone", "no route 192.168.0.0/16 by vpn0 any more"],
    ),
];

#[test]
fn every_change_is_told_in_one_batch_and_nothing_is_told_twice() {
    in_namespace(|namespace| async move {
        let mut eyes = Eyes::open(WatchPaths::default()).await;
        let mut wrong = Vec::new();
        for row in ROWS {
            wrong.extend(play(row, &namespace, &mut eyes).await);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(!eyes.hints.contains(&Hint::Lost));
        assert_eq!(eyes.watcher.troubles(), [""; 0]);
    });
}

/// What went wrong, if anything.
async fn play(row: &Row, namespace: &Namespace, eyes: &mut Eyes) -> Option<String> {
    let peer = namespace.peer_pid().to_string();
    match row.what {
        Here(lines) => namespace.ip(&lines.replace("PEER", &peer)),
        There(lines) => namespace.far_ip(lines),
        Resolver(text) => fs::write(namespace.resolver(), text).unwrap(),
        NoIpv6(link) => namespace.without_ipv6(link),
    }
    let mut batches = Vec::new();
    if !row.told.is_empty() {
        let first = eyes.batch(Duration::from_secs(5)).await;
        batches.extend(first.map(|changes| words(&changes)));
    }
    // Detection takes up to two seconds: one until it begins, one until it ends (RFC 4862).
    let quiet = Duration::from_millis(if row.late { 2400 } else { 150 });
    while let Some(more) = eyes.batch(quiet).await {
        batches.push(words(&more));
    }
    let right = match batches.as_slice() {
        [] => row.told.is_empty(),
        [one] => one == row.told,
        _ => false,
    };
    (!right).then(|| format!("{}: {batches:?} instead of {:?}", row.name, row.told))
}

#[test]
fn a_file_that_matters_gives_a_hint_of_its_own() {
    in_namespace(|namespace| async move {
        let folder = namespace.folder.path().to_owned();
        let paths = WatchPaths {
            policy: vec![folder.join("config/goroam/goroam.toml")],
            own: Vec::new(),
            go_env: Some(folder.join("go/env")),
            program: None,
        };
        let mut eyes = Eyes::open(paths.clone()).await;
        let policies = paths.policy.iter().map(|path| (path, Hint::PolicyFile));
        let env_files = paths.go_env.iter().map(|path| (path, Hint::EnvFile));
        for (path, hint) in policies.chain(env_files) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            for text in ["one", "two"] {
                eyes.hints.clear();
                let new = path.with_extension("new");
                fs::write(&new, text).unwrap();
                fs::rename(&new, path).unwrap();
                assert!(eyes.hint(Duration::from_secs(5)).await, "{path:?}: {text}");
                while eyes.hint(Duration::from_millis(100)).await {}
                assert!(
                    eyes.hints.iter().all(|one| *one == hint),
                    "{:?}",
                    eyes.hints
                );
            }
        }
    });
}
