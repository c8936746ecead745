//! Targets that are not HTTP: a port, a listener, an echo, a folder.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use goroam::model::{Observation, Proof, TargetKind, Verdict};
use goroam::probe::Prober;

use crate::server::{ZIP, dead_port, environment, target};

async fn probe(kind: TargetKind) -> Observation {
    let dir = tempfile::tempdir().unwrap();
    let mut target = target(kind);
    target.limits.first_byte = std::time::Duration::from_millis(500);
    Prober::new(&environment(dir.path(), &[]))
        .probe(&target)
        .await
}

#[tokio::test]
async fn a_port_is_up_when_it_accepts() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = |host: &str, port| TargetKind::Tcp {
        host: host.to_owned(),
        port,
    };
    let seen = probe(tcp("localhost", port)).await;
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::None),
        "{}",
        seen.reason
    );
    assert!(seen.phases.connect.is_some());
    let dead = dead_port();
    let seen = probe(tcp("127.0.0.1", dead)).await;
    assert_eq!(
        seen.reason,
        format!("connection refused by 127.0.0.1:{dead}")
    );
}

#[tokio::test]
async fn a_listener_is_found_without_a_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
    for address in [address, any] {
        let seen = probe(TargetKind::Listening { address }).await;
        assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    }
    if cfg!(target_os = "linux") {
        let met = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
        assert!(met.is_err(), "somebody connected");
    }
    drop(listener);
    let seen = probe(TargetKind::Listening { address }).await;
    assert_eq!(seen.verdict, Verdict::Down);
    assert_eq!(seen.reason, format!("nothing listens at {address}"));
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), dead_port());
    assert!(!probe(TargetKind::Listening { address: v6 }).await.is_up());
}

#[tokio::test]
async fn an_echo_comes_back_from_here_or_the_missing_permission_is_named() {
    let seen = probe(TargetKind::Icmp {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    })
    .await;
    match seen.verdict {
        Verdict::Up => assert!(seen.phases.first_byte.is_some()),
        Verdict::Portal | Verdict::Wrong | Verdict::Down => {
            assert!(
                seen.reason.starts_with("needs permission"),
                "{}",
                seen.reason
            );
            println!("skipped: no permission to send an echo here");
        }
    }
}

#[tokio::test]
async fn an_ipv6_echo_comes_back_where_there_is_ipv6() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        println!("skipped: no IPv6 on this machine");
        return;
    }
    let seen = probe(TargetKind::Icmp {
        address: IpAddr::V6(Ipv6Addr::LOCALHOST),
    })
    .await;
    if seen.reason.starts_with("this system does not send") {
        println!("skipped: Wine has no Icmp6SendEcho2");
        return;
    }
    assert!(
        seen.is_up() || seen.reason.starts_with("needs permission"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn a_mirror_is_a_folder_with_modules_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = || TargetKind::Mirror {
        path: dir.path().join("mirror"),
    };
    let seen = probe(mirror()).await;
    assert_eq!(seen.verdict, Verdict::Down);
    assert!(
        seen.reason.ends_with("mirror is not there"),
        "{}",
        seen.reason
    );
    let versions = dir.path().join("mirror/golang.org/x/text/@v");
    std::fs::create_dir_all(&versions).unwrap();
    assert_eq!(probe(mirror()).await.verdict, Verdict::Wrong);
    std::fs::write(versions.join("v0.3.0.mod"), "module golang.org/x/text\n").unwrap();
    // Without a zip there is nothing to build from.
    assert_eq!(probe(mirror()).await.verdict, Verdict::Wrong);
    std::fs::write(versions.join("v0.3.0.zip"), ZIP).unwrap();
    let seen = probe(mirror()).await;
    assert_eq!((seen.verdict, seen.proof), (Verdict::Up, Proof::None));
    assert_eq!(seen.reason, "holds golang.org/x/text@v0.3.0");
}
