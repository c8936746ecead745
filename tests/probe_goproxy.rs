//! What a probe says of Go proxies that are right, wrong, slow, gone, or somebody else.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test says why it fails, or why it is skipped"
)]

#[path = "support/probe_server.rs"]
mod server;

use std::time::{Duration, Instant};

use goroam::model::{Observation, Phase, Proof, Target, TargetKind, Verdict};
use goroam::probe::Prober;
use server::*;

async fn probe(target: &Target) -> Observation {
    let dir = tempfile::tempdir().unwrap();
    Prober::new(&environment(dir.path(), &[]))
        .probe(target)
        .await
}

fn said(seen: &Observation) -> (Verdict, Option<Phase>, &str) {
    (seen.verdict, seen.failed, &seen.reason)
}

#[tokio::test]
async fn a_right_proxy_is_up_over_one_connection() {
    let server = Server::http(good_proxy).await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(
        said(&seen),
        (Verdict::Up, None, "golang.org/x/text@v0.3.0, hash right")
    );
    assert_eq!(seen.proof, Proof::None, "anybody can say so over http");
    let requests = server.seen();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].connection, requests[1].connection);
    assert!(
        requests[0]
            .header("user-agent")
            .unwrap()
            .starts_with("Go-http-client/1.1 ")
    );
    assert_eq!(
        requests[0].header("host").unwrap(),
        format!("127.0.0.1:{}", server.port)
    );
    assert!(seen.phases.dns.is_none() && seen.phases.tls.is_none());
    assert!(seen.phases.connect.is_some() && seen.phases.first_byte.is_some());
    assert_eq!(seen.tries, 1);
}

#[tokio::test]
async fn a_proxy_that_closes_after_each_answer_is_asked_on_a_second_connection() {
    let server = Server::http(|request| match good_proxy(request) {
        Reply::Bytes(bytes) => Reply::Last(bytes),
        other => other,
    })
    .await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    assert_ne!(server.seen()[0].connection, server.seen()[1].connection);
}

#[tokio::test]
async fn upper_case_goes_escaped_on_the_wire_and_a_go_mod_without_hash_must_name_its_module() {
    let server = Server::http(|request| {
        if request.line.ends_with(".info") {
            ok("application/json", r#"{"Version":"v1.0.0-RC1"}"#)
        } else {
            ok("text/plain", "module git.corp.test/Team/Tools\n")
        }
    })
    .await;
    let module = |module: &str| {
        target(TargetKind::GoProxy {
            url: server.url("http"),
            module: module.to_owned(),
            version: "v1.0.0-RC1".to_owned(),
            sum: None,
        })
    };
    let seen = probe(&module("git.corp.test/Team/Tools")).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    assert_eq!(
        server.seen()[1].line,
        "GET /git.corp.test/%21team/%21tools/@v/v1.0.0-%21r%21c1.mod"
    );
    let seen = probe(&module("git.corp.test/other")).await;
    assert_eq!(seen.verdict, Verdict::Wrong);
    assert!(
        seen.reason.contains("is of git.corp.test/Team/Tools"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn content_that_is_not_right_is_wrong_and_final() {
    for (info, go_mod, reason) in [
        (
            r#"{"Version":"v0.3.0"}"#,
            "module evil.test/x\n",
            "its go.mod has the hash h1:",
        ),
        (
            r#"{"Version":"v9.9.9"}"#,
            "",
            "its info names v9.9.9 where v0.3.0 was asked",
        ),
        (
            "not json",
            "",
            "200, but no JSON where version info was asked",
        ),
        ("", "", "200, but no JSON"),
    ] {
        let server = Server::http(move |request| {
            ok(
                "text/plain",
                if request.line.ends_with(".info") {
                    info
                } else {
                    go_mod
                },
            )
        })
        .await;
        let mut target = goproxy(server.url("http"));
        target.limits.retries = 3;
        let seen = probe(&target).await;
        assert_eq!(
            (seen.verdict, seen.failed),
            (Verdict::Wrong, Some(Phase::Content))
        );
        assert!(seen.reason.starts_with(reason), "{}", seen.reason);
        assert!(seen.definite);
        assert_eq!(seen.tries, 1, "the same would come again");
    }
}

#[tokio::test]
async fn a_login_page_in_its_place_is_a_portal() {
    let server = Server::http(|_| ok("text/html", PAGE)).await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(
        said(&seen),
        (
            Verdict::Portal,
            Some(Phase::Content),
            "200, but HTML where version info was asked"
        )
    );

    let server = Server::http(|request| {
        if request.line.ends_with(".info") {
            good_proxy(request)
        } else {
            ok("text/plain", PAGE)
        }
    })
    .await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Portal);
    assert_eq!(seen.reason, "200, but HTML where go.mod was asked");

    let server = Server::http(|_| status("511 Network Authentication Required")).await;
    assert_eq!(
        probe(&goproxy(server.url("http"))).await.verdict,
        Verdict::Portal
    );
}

#[tokio::test]
async fn right_content_of_a_wrong_type_is_up_as_it_is_for_go() {
    let server = Server::http(|request| match good_proxy(request) {
        Reply::Bytes(bytes) => {
            let text = String::from_utf8(bytes).unwrap();
            let text = text.replace("text/plain", "text/html");
            Reply::Bytes(text.replace("application/json", "text/html").into_bytes())
        }
        other => other,
    })
    .await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
}

#[tokio::test]
async fn a_redirect_to_another_host_that_serves_a_page_or_nothing_is_a_portal_with_its_address() {
    let login = Server::http(|_| ok("text/html", PAGE)).await;
    let dead = dead_port();
    for page in [
        format!("http://localhost:{}/login?mac=1", login.port),
        format!("http://localhost:{dead}/login?mac=1"),
    ] {
        let to = page.clone();
        let server = Server::http(move |_| redirect("302 Found", &to)).await;
        let seen = probe(&goproxy(server.url("http"))).await;
        assert_eq!(seen.verdict, Verdict::Portal, "{}", seen.reason);
        assert_eq!(
            seen.reason,
            format!("302 to {}", page.strip_suffix("?mac=1").unwrap())
        );
        assert_eq!(seen.portal_url.as_deref(), Some(page.as_str()));
        assert!(seen.definite);
    }
}

#[tokio::test]
async fn a_redirect_that_ends_at_the_right_content_is_followed_as_go_does() {
    let far = Server::http(good_proxy).await;
    let port = far.port;
    let server = Server::http(move |request| {
        let path = request.line.strip_prefix("GET ").unwrap();
        redirect(
            "307 Temporary Redirect",
            &format!("http://localhost:{port}{path}"),
        )
    })
    .await;
    assert_eq!(
        probe(&goproxy(server.url("http"))).await.verdict,
        Verdict::Up
    );

    let circle = Server::http(|_| redirect("302 Found", "/again")).await;
    let seen = probe(&goproxy(circle.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Down);
    assert!(
        seen.reason.ends_with("redirects in a circle"),
        "{}",
        seen.reason
    );
    assert_eq!(circle.seen().len(), 10);
}

#[tokio::test]
async fn a_missing_module_and_a_failing_server_are_down() {
    let server = Server::http(|_| status("404 Not Found")).await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(
        said(&seen),
        (
            Verdict::Down,
            Some(Phase::Content),
            "has no golang.org/x/text@v0.3.0 (404 Not Found)"
        )
    );
    assert!(seen.definite);

    let server = Server::http(|_| status("503 Service Unavailable")).await;
    let mut target = goproxy(server.url("http"));
    target.limits.retries = 2;
    let seen = probe(&target).await;
    assert_eq!(seen.reason, "answers 503 Service Unavailable");
    assert_eq!(
        (seen.verdict, seen.definite, seen.tries),
        (Verdict::Down, false, 3)
    );
}

#[tokio::test]
async fn a_retry_helps_where_the_first_try_met_bad_luck() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let server = Server::http(move |request| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            Reply::Reset
        } else {
            good_proxy(request)
        }
    })
    .await;
    let mut target = goproxy(server.url("http"));
    target.limits.retries = 1;
    let seen = probe(&target).await;
    assert_eq!(
        (seen.verdict, seen.tries),
        (Verdict::Up, 2),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn nobody_there_says_who_refused() {
    let port = dead_port();
    let seen = probe(&goproxy(format!("http://127.0.0.1:{port}"))).await;
    let reason = format!("connection refused by 127.0.0.1:{port}");
    assert_eq!(
        said(&seen),
        (Verdict::Down, Some(Phase::Connect), reason.as_str())
    );
    assert!(!seen.definite);

    let server = Server::http(|_| Reply::Reset).await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(
        (seen.verdict, seen.failed),
        (Verdict::Down, Some(Phase::FirstByte))
    );
    assert!(
        seen.reason.contains("reset") || seen.reason.contains("closed"),
        "{}",
        seen.reason
    );

    let server = Server::http(|_| Reply::Bytes(b"220 mail ready\r\n".to_vec())).await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert!(seen.reason.contains("not in HTTP"), "{}", seen.reason);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_from_a_dead_resolver() {
    let seen = probe(&goproxy("http://no-such-host.invalid")).await;
    assert_eq!(
        (seen.verdict, seen.failed),
        (Verdict::Down, Some(Phase::Dns))
    );
    // RFC 6761 makes `.invalid` unknown to every resolver; a machine without one says so.
    let known = [
        "DNS knows no no-such-host.invalid",
        "DNS gives no answer",
        "no answer from DNS",
    ];
    assert!(
        known.iter().any(|text| seen.reason.starts_with(text)),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn each_limit_ends_its_own_phase() {
    let (silent_port, _held) = silent().await;
    let slow = Server::http(|_| Reply::Hang).await;
    let drip = Server::http(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        Reply::Drip(
            format!("{head}{}", "x".repeat(1000)).into_bytes(),
            Duration::from_millis(2),
        )
    })
    .await;
    let ms = Duration::from_millis;
    for (url, connect, first_byte, total, phase, reason) in [
        (
            format!("https://127.0.0.1:{silent_port}"),
            200,
            5000,
            9000,
            Phase::Tls,
            format!("no TLS handshake with 127.0.0.1:{silent_port} in 200 ms"),
        ),
        (
            format!("http://127.0.0.1:{silent_port}"),
            5000,
            200,
            9000,
            Phase::FirstByte,
            format!("no answer from 127.0.0.1:{silent_port} in 200 ms"),
        ),
        (
            slow.url("http"),
            5000,
            200,
            9000,
            Phase::FirstByte,
            format!("no answer from 127.0.0.1:{} in 200 ms", slow.port),
        ),
        (
            drip.url("http"),
            5000,
            5000,
            500,
            Phase::Body,
            format!(
                "the answer of 127.0.0.1:{} does not end in 500 ms",
                drip.port
            ),
        ),
    ] {
        let mut target = goproxy(url);
        target.ca = vec![trusted()];
        target.limits.connect = ms(connect);
        target.limits.first_byte = ms(first_byte);
        target.limits.total = ms(total);
        let start = Instant::now();
        let seen = probe(&target).await;
        assert_eq!(said(&seen), (Verdict::Down, Some(phase), reason.as_str()));
        assert!(start.elapsed() < ms(3000), "{:?}", start.elapsed());
        assert!(!seen.definite);
    }
}

/// Some authority, since without any root TLS is not even tried.
fn trusted() -> std::path::PathBuf {
    static DIR: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    let dir = DIR.get_or_init(|| tempfile::tempdir().unwrap());
    Authority::new("some").write(dir.path())
}

#[tokio::test]
async fn an_endless_body_is_cut_at_its_bound() {
    let server = Server::http(|_| Reply::Flood(64)).await;
    let start = Instant::now();
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(
        (seen.verdict, seen.failed),
        (Verdict::Wrong, Some(Phase::Body))
    );
    assert!(start.elapsed() < Duration::from_secs(2));

    // Endless headers, too.
    let server = Server::http(|_| {
        let header = "X-Filler: ".to_owned() + &"x".repeat(1000) + "\r\n";
        Reply::Bytes(format!("HTTP/1.1 200 OK\r\n{}", header.repeat(2000)).into_bytes())
    })
    .await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert!(
        !seen.is_up() && seen.reason.contains("endless headers"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn dropping_a_probe_hangs_up_at_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = goproxy(format!("http://{}", listener.local_addr().unwrap()));
    let mut probing = Box::pin(probe(&target));
    let mut connection = tokio::select! {
        seen = &mut probing => panic!("nobody has answered: {seen:?}"),
        accepted = listener.accept() => accepted.unwrap().0,
    };
    drop(probing);
    let mut sent = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut connection, &mut sent);
    let ended = tokio::time::timeout(Duration::from_secs(1), end).await;
    assert!(ended.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn a_name_with_two_families_is_reached_over_the_one_that_answers() {
    // localhost is ::1 and 127.0.0.1; the server has the latter only.
    let server = Server::http(good_proxy).await;
    let seen = probe(&goproxy(format!("http://localhost:{}", server.port))).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    assert!(seen.phases.dns.is_some());
}

#[test]
fn whatever_bytes_come_the_probe_ends_and_is_not_up() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let pieces = prop_oneof![
        Just("HTTP/1.1 200 OK\r\n".to_owned()),
        Just("HTTP/1.1 302 Found\r\nLocation: \u{1b}//[::\r\n".to_owned()),
        Just("Content-Length: 5\r\n".to_owned()),
        Just("Content-Type: text/html\r\n".to_owned()),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("ffffffffffffffffff\r\n".to_owned()),
        Just("{\"Version\":\"v0.3.0\"}".to_owned()),
        ".{0,30}",
    ];
    let answers = proptest::collection::vec(pieces, 0..8);
    let mut runner = TestRunner::new(Config::with_cases(200));
    let ran = runner.run(&answers, |answer| {
        runtime.block_on(async {
            let bytes = answer.concat().into_bytes();
            let server = Server::http(move |_| Reply::Last(bytes.clone())).await;
            let seen = probe(&goproxy(server.url("http"))).await;
            prop_assert!(!seen.is_up(), "{:?}", seen);
            prop_assert!(!seen.reason.contains(char::is_control), "{:?}", seen.reason);
            Ok(())
        })
    });
    ran.unwrap();
}
