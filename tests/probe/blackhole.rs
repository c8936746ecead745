//! Silence: packets that nobody answers, in a network namespace of the test's own, where
//! 10.9.9.2 is a neighbour that drops everything and is the only DNS server as well.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use goroam::model::{Observation, Phase, Target, TargetKind, Verdict};
use goroam::probe::Prober;

use crate::server::{environment, goproxy, target};

const INSIDE: &str = "GOROAM_TEST_INSIDE_NETNS";

const SETUP: &str = "set -e
    mount --make-rprivate /
    ip link set lo up
    ip link add v0 type veth peer name v1
    ip addr add 10.9.9.1/24 dev v0
    ip link set v0 up
    ip link set v1 up
    ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:02 dev v0
    ip route add blackhole 10.66.0.0/16
    ip route add unreachable 10.67.0.0/16
    printf 'nameserver 10.9.9.2\\noptions timeout:1 attempts:1\\n' > \"$1/resolv.conf\"
    printf 'hosts: files dns\\n' > \"$1/nsswitch.conf\"
    mount --bind \"$1/resolv.conf\" /etc/resolv.conf
    mount --bind \"$1/nsswitch.conf\" /etc/nsswitch.conf
    exec \"$2\" --exact \"$3\" --nocapture";

/// True within the namespace; outside it runs the named test within one, and is false.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let possible = Command::new("unshare")
        .args(["-n", "-m", "ip", "link"])
        .output();
    if !possible.is_ok_and(|output| output.status.success()) {
        println!("skipped: needs root, unshare and ip");
        return false;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["-n", "-m", "sh", "-c", SETUP, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .arg(format!("blackhole::{test}"))
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "no such test: {said}");
    false
}

async fn probe(target: &Target) -> (Observation, Duration) {
    let dir = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let seen = Prober::new(&environment(dir.path(), &[]))
        .probe(target)
        .await;
    (seen, start.elapsed())
}

/// Far more than a probe with short limits takes on a busy machine, and less than one that
/// waits for the limits of `target`.
const SOON: Duration = Duration::from_millis(1900);

fn short(mut target: Target) -> Target {
    target.limits.connect = Duration::from_millis(200);
    target.limits.first_byte = Duration::from_millis(200);
    target
}

#[tokio::test]
async fn dropped_packets_end_at_the_connect_limit() {
    if !inside("dropped_packets_end_at_the_connect_limit") {
        return;
    }
    let (seen, took) = probe(&short(goproxy("http://10.9.9.2:8080"))).await;
    assert_eq!(
        (seen.verdict, seen.failed),
        (Verdict::Down, Some(Phase::Connect))
    );
    assert_eq!(seen.reason, "no connection to 10.9.9.2:8080 in 200 ms");
    assert!(
        took >= Duration::from_millis(200) && took < SOON,
        "{took:?}"
    );

    let mut twice = short(goproxy("http://10.9.9.2:8080"));
    twice.limits.retries = 1;
    let (seen, took) = probe(&twice).await;
    assert_eq!(seen.tries, 2);
    assert!(
        took >= Duration::from_millis(400),
        "each try has the full limit"
    );
    assert!(seen.phases.total.unwrap() >= 400.0);
}

#[tokio::test]
async fn a_silent_resolver_ends_at_the_connect_limit() {
    if !inside("a_silent_resolver_ends_at_the_connect_limit") {
        return;
    }
    let (seen, took) = probe(&short(goproxy("http://proxy.golang.test"))).await;
    assert_eq!(
        (seen.verdict, seen.failed),
        (Verdict::Down, Some(Phase::Dns))
    );
    assert_eq!(seen.reason, "no answer from DNS in 200 ms");
    assert!(took < SOON, "{took:?}");
    assert!(!seen.definite);
}

#[tokio::test]
async fn what_the_routing_table_refuses_is_said_at_once() {
    if !inside("what_the_routing_table_refuses_is_said_at_once") {
        return;
    }
    for (host, reason) in [
        (
            "10.66.0.1",
            "this machine's routes drop what is for 10.66.0.1:80",
        ),
        ("10.67.0.1", "no route to 10.67.0.1:80"),
        (
            "192.0.2.1",
            "the network of 192.0.2.1:80 is unreachable from here",
        ),
    ] {
        let tcp = TargetKind::Tcp {
            host: host.to_owned(),
            port: 80,
        };
        let mut refused = target(tcp);
        refused.limits.connect = Duration::from_secs(60);
        let (seen, took) = probe(&refused).await;
        assert_eq!(seen.reason, reason);
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}

#[tokio::test]
async fn an_echo_that_nobody_answers_ends_at_its_limit() {
    if !inside("an_echo_that_nobody_answers_ends_at_its_limit") {
        return;
    }
    let echo = |last| TargetKind::Icmp {
        address: IpAddr::V4(Ipv4Addr::new(10, 9, 9, last)),
    };
    // This machine's own address answers, even here.
    let (seen, _) = probe(&short(target(echo(1)))).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    let (seen, took) = probe(&short(target(echo(2)))).await;
    assert_eq!(
        (seen.verdict, seen.failed),
        (Verdict::Down, Some(Phase::FirstByte))
    );
    assert_eq!(seen.reason, "no echo from 10.9.9.2 in 200 ms");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test]
async fn a_dead_family_costs_one_head_start_and_no_more() {
    if !inside("a_dead_family_costs_one_head_start_and_no_more") {
        return;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    std::fs::write(&hosts, "10.9.9.2 two.test\n127.0.0.1 two.test\n").unwrap();
    let bound = Command::new("mount")
        .args(["--bind"])
        .arg(&hosts)
        .arg("/etc/hosts")
        .status();
    assert!(bound.unwrap().success());
    let mut two = target(TargetKind::Tcp {
        host: "two.test".to_owned(),
        port,
    });
    two.limits.connect = Duration::from_secs(60);
    let (seen, took) = probe(&two).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    // The head start is 250 ms; the dead one alone takes the whole limit.
    assert!(took < Duration::from_secs(20), "{took:?}");
}
