//! Whom a probe trusts: go's roots, a target's own CA files, pins.

use goroam::model::{Phase, Pin, Proof, Target, Verdict};

use crate::server::*;
use crate::{HERE, probe_trusting, probe_with};

#[tokio::test]
async fn a_trusted_chain_is_proof_of_the_name() {
    let ca = Authority::new("corp");
    let server = Server::https(&ca.identity(&HERE), good_proxy).await;
    let seen = probe_trusting(&ca, goproxy(server.url("https"))).await;
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Tls),
        "{}",
        seen.reason
    );
    assert!(seen.phases.tls.is_some());
    assert_eq!(
        server.seen().last().unwrap().connection,
        0,
        "two requests, one handshake"
    );
}

#[tokio::test]
async fn each_fault_of_a_certificate_has_its_words_and_only_another_servers_is_a_portal() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    for (identity, verdict, reason) in [
        (
            ours.identity(&["somewhere-else.test"]),
            Verdict::Portal,
            "certificate is for somewhere-else.test, not 127.0.0.1:",
        ),
        (
            theirs.identity(&HERE),
            Verdict::Wrong,
            "not signed by a CA that is trusted here",
        ),
        (
            self_signed(&HERE),
            Verdict::Wrong,
            "not signed by a CA that is trusted here",
        ),
        (
            ours.identity(&["10.9.8.7"]),
            Verdict::Portal,
            "certificate is for 10.9.8.7, not 127.0.0.1:",
        ),
        (ours.identity(&[]), Verdict::Wrong, "names no host"),
        (
            ours.with_condition(&HERE, &[2, 5, 29, 32]),
            Verdict::Wrong,
            "goroam's TLS does not: it holds a critical condition",
        ),
        (
            ours.with_condition(&HERE, &[1, 2, 3, 4]),
            Verdict::Wrong,
            "holds a condition that nothing here knows",
        ),
        (ours.client(&HERE), Verdict::Wrong, "is not for servers"),
        (
            ours.authority(&HERE),
            Verdict::Wrong,
            "goroam's TLS does not: it is a certificate of an authority (CA:TRUE)",
        ),
        (ours.expired(&HERE), Verdict::Wrong, "ended on 2020-02-01"),
    ] {
        let server = Server::https(&identity, good_proxy).await;
        let seen = probe_trusting(&ours, goproxy(server.url("https"))).await;
        assert_eq!(
            (seen.verdict, seen.failed),
            (verdict, Some(Phase::Tls)),
            "{}",
            seen.reason
        );
        assert!(seen.reason.contains(reason), "{}", seen.reason);
        assert!(seen.definite);
        assert_eq!(server.seen().len(), 0, "nothing is asked of a stranger");
    }
}

#[tokio::test]
async fn a_certificate_that_is_a_root_itself_is_taken_as_go_takes_it() {
    use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    for ((identity, pem), reason) in [
        (own_authority(&HERE, &[]), ""),
        (own_authority(&HERE, &[ClientAuth, ServerAuth]), ""),
        (own_authority(&HERE, &[ClientAuth]), "is not for servers"),
        (own_authority(&["else.test"], &[]), "is for else.test"),
        (own_authority_of_old(&HERE), "ended on 2020-02-01"),
    ] {
        let server = Server::https(&identity, good_proxy).await;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("own.pem");
        std::fs::write(&file, pem).unwrap();
        let by_file = [("SSL_CERT_FILE", file.to_str().unwrap())];
        let target = goproxy(server.url("https"));
        let named = Target {
            ca: vec![file.clone()],
            ..target.clone()
        };
        for (vars, target) in [(&by_file[..], &target), (&[], &named)] {
            let seen = probe_with(dir.path(), vars, target).await;
            if reason.is_empty() {
                let proven = (seen.verdict, seen.proof);
                assert_eq!(proven, (Verdict::Up, Proof::Tls), "{}", seen.reason);
            } else {
                assert!(
                    !seen.is_up() && seen.reason.contains(reason),
                    "{}",
                    seen.reason
                );
            }
        }
        // It is that certificate and no other of its name.
        let (other, _) = own_authority(&HERE, &[]);
        let server = Server::https(&other, good_proxy).await;
        let target = goproxy(server.url("https"));
        let seen = probe_with(dir.path(), &by_file, &target).await;
        assert_eq!(seen.verdict, Verdict::Wrong, "{}", seen.reason);
    }
}

#[tokio::test]
async fn a_pin_holds_however_the_host_is_written() {
    let ca = Authority::new("corp");
    let identity = ca.identity(&HERE);
    let server = Server::https(&identity, good_proxy).await;
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "LOCALHOST"] {
        for (pin, up) in [(identity.pin.clone(), true), (Pin([7; 32]), false)] {
            let mut target = goproxy(format!("https://{host}:{}", server.port));
            target.pins = vec![pin];
            let seen = probe_trusting(&ca, target).await;
            assert_eq!(seen.is_up(), up, "{host}: {}", seen.reason);
        }
    }
}

#[tokio::test]
async fn only_the_pinned_key_will_do_and_the_chain_must_hold_as_well() {
    let ca = Authority::new("corp");
    let identity = ca.identity(&HERE);
    let server = Server::https(&identity, good_proxy).await;
    let pinned = |pins: Vec<Pin>| Target {
        pins,
        ..goproxy(server.url("https"))
    };
    let other = Pin([7; 32]);

    let seen = probe_trusting(&ca, pinned(vec![other.clone(), identity.pin.clone()])).await;
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Pinned),
        "{}",
        seen.reason
    );

    let before = server.seen().len();
    let seen = probe_trusting(&ca, pinned(vec![other])).await;
    assert_eq!((seen.verdict, seen.proof), (Verdict::Portal, Proof::None));
    assert!(seen.reason.contains("another key"), "{}", seen.reason);
    assert_eq!(
        server.seen().len(),
        before,
        "nothing is asked of a stranger"
    );

    let stranger = Authority::new("stranger");
    let seen = probe_trusting(&stranger, pinned(vec![identity.pin.clone()])).await;
    assert_eq!(
        seen.verdict,
        Verdict::Wrong,
        "a pin does not replace the chain"
    );

    let plain = Server::http(good_proxy).await;
    let target = Target {
        pins: vec![identity.pin],
        ..goproxy(plain.url("http"))
    };
    let seen = probe_trusting(&ca, target).await;
    assert_eq!(seen.reason, "its pin cannot be proven over plain http");
}

#[tokio::test]
async fn a_pin_is_for_its_host_and_not_for_where_a_redirect_leads() {
    let ca = Authority::new("corp");
    let (identity, cdn) = (ca.identity(&["127.0.0.1"]), ca.identity(&["localhost"]));
    let far = Server::https(&cdn, good_proxy).await;
    let port = far.port;
    let server = Server::https(&identity, move |request| {
        let path = request.line.strip_prefix("GET ").unwrap();
        redirect("302 Found", &format!("https://localhost:{port}{path}"))
    })
    .await;
    let target = Target {
        pins: vec![identity.pin],
        ..goproxy(server.url("https"))
    };
    let seen = probe_trusting(&ca, target).await;
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Pinned),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn from_https_to_http_is_not_followed() {
    let ca = Authority::new("corp");
    let plain = Server::http(good_proxy).await;
    let to = format!("{}/login", plain.url("http"));
    let page = to.clone();
    let server = Server::https(&ca.identity(&HERE), move |_| redirect("302 Found", &to)).await;
    let seen = probe_trusting(&ca, goproxy(server.url("https"))).await;
    assert_eq!(seen.verdict, Verdict::Portal);
    assert_eq!(seen.portal_url.as_deref(), Some(page.as_str()));
    assert_eq!(plain.seen().len(), 0);
}

#[tokio::test]
async fn the_variables_of_go_name_the_roots() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("corp");
    let server = Server::https(&ca.identity(&HERE), good_proxy).await;
    let target = goproxy(server.url("https"));
    let file = ca.write(dir.path());
    let folder = dir.path().join("d");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("any.name"), &ca.pem).unwrap();
    let (file, folder) = (file.to_str().unwrap(), folder.to_str().unwrap());

    let by_file = probe_with(dir.path(), &[("SSL_CERT_FILE", file)], &target).await;
    assert_eq!(by_file.verdict, Verdict::Up, "{}", by_file.reason);
    let two = std::env::join_paths(["/nonexistent", folder]).unwrap();
    let two = two.to_str().unwrap();
    let by_folder = probe_with(dir.path(), &[("SSL_CERT_DIR", two)], &target).await;
    assert_eq!(by_folder.verdict, Verdict::Up, "{}", by_folder.reason);
    let by_none = probe_with(dir.path(), &[], &target).await;
    assert_eq!(by_none.verdict, Verdict::Down);
    assert!(
        by_none.reason.contains("no trusted roots"),
        "{}",
        by_none.reason
    );
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut target = goproxy("https://127.0.0.1:1");
    target.ca = vec![dir.path().join("gone.pem")];
    let seen = probe_with(dir.path(), &[], &target).await;
    assert_eq!(seen.verdict, Verdict::Down);
    assert!(
        seen.definite && seen.reason.contains("gone.pem"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn tls_asked_of_a_plain_server_is_wrong() {
    let server = Server::http(good_proxy).await;
    let ca = Authority::new("corp");
    let (port, seen) = (
        server.port,
        probe_trusting(&ca, goproxy(server.url("https"))),
    );
    // The plain server waits for a blank line, so it answers a broken-off handshake only.
    let seen = tokio::time::timeout(std::time::Duration::from_secs(5), seen)
        .await
        .unwrap();
    assert_eq!(seen.failed, Some(Phase::Tls), "{}", seen.reason);
    assert!(seen.reason.contains(&port.to_string()));
    let junk = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = junk.local_addr().unwrap().port();
    let answer = tokio::spawn(async move {
        let (mut stream, _) = junk.accept().await.unwrap();
        let text = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, text)
            .await
            .unwrap();
        stream
    });
    let seen = probe_trusting(&ca, goproxy(format!("https://127.0.0.1:{port}"))).await;
    assert_eq!(seen.verdict, Verdict::Wrong);
    assert_eq!(
        seen.reason,
        format!("127.0.0.1:{port} speaks plain http where https was asked")
    );
    answer.await.unwrap();
}

#[tokio::test]
async fn plain_http_on_the_port_of_https_is_said() {
    let ca = Authority::new("corp");
    let bad = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    let (plain, _tasks) = answering(bad.as_bytes()).await;
    let seen = probe_trusting(&ca, goproxy(format!("https://127.0.0.1:{plain}"))).await;
    assert_eq!(seen.verdict, Verdict::Wrong);
    let reason = format!("127.0.0.1:{plain} speaks plain http where https was asked");
    assert_eq!(seen.reason, reason);

    let (other, _tasks) = answering(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    let seen = probe_trusting(&ca, goproxy(format!("https://127.0.0.1:{other}"))).await;
    assert!(
        seen.reason.ends_with("answers, but not in TLS"),
        "{}",
        seen.reason
    );
}

/// Answers whatever comes first with these bytes.
async fn answering(bytes: &'static [u8]) -> (u16, tokio::task::JoinSet<()>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    (port, tasks)
}
