//! Servers that are slow, broken, endless or gone: every probe ends within its limits and says
//! what it met.

use std::time::{Duration, Instant};

use goroam::model::{Phase, Verdict};
use goroam::probe::{ProbeOptions, Prober};

use crate::server::*;
use crate::{probe, said};

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
async fn a_person_waits_only_once_for_a_server_that_drips() {
    let drip = Server::http(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n";
        let bytes = format!("{head}{}", "x".repeat(4000)).into_bytes();
        Reply::Drip(bytes, Duration::from_millis(2))
    })
    .await;
    let mut target = goproxy(drip.url("http"));
    let ms = Duration::from_millis;
    target.limits.retries = 1;
    target.limits.connect = ms(200);
    target.limits.first_byte = ms(100);
    target.limits.total = ms(200);
    let dir = tempfile::tempdir().unwrap();
    let patient = ProbeOptions {
        zip: false,
        patience: Some(ms(300)),
        speed: false,
    };
    let prober = Prober::new(&environment(dir.path(), &[]));
    let seen = prober.probe_with(&target, patient).await;
    assert_eq!((seen.verdict, seen.tries), (Verdict::Down, 1));
}

#[tokio::test]
async fn each_limit_ends_its_own_phase() {
    let (silent_port, _held) = silent().await;
    let slow = Server::http(|_| Reply::Hang).await;
    let drip = Server::http(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n";
        Reply::Drip(
            format!("{head}{}", "x".repeat(4000)).into_bytes(),
            Duration::from_millis(2),
        )
    })
    .await;
    let ms = Duration::from_millis;
    for (url, connect, first_byte, total, phase, reason) in [
        (
            format!("https://127.0.0.1:{silent_port}"),
            900,
            5000,
            9000,
            Phase::Tls,
            format!("no TLS handshake with 127.0.0.1:{silent_port} in 900 ms"),
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
            1900,
            Phase::Body,
            format!(
                "the answer of 127.0.0.1:{} does not end in 1.9 s",
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
        assert!(start.elapsed() < ms(4900), "{:?}", start.elapsed());
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
    // It is the length that ends it, not the limit for the whole.
    let mut target = goproxy(server.url("http"));
    target.limits.total = Duration::from_secs(60);
    let seen = probe(&target).await;
    assert_eq!(
        (seen.verdict, seen.failed),
        (Verdict::Wrong, Some(Phase::Body))
    );
    assert!(
        seen.reason
            .starts_with("sends more than 4096 KiB where version info was asked"),
        "{}",
        seen.reason
    );

    // Endless headers, too.
    let server = Server::http(|_| {
        let header = "X-Filler: ".to_owned() + &"x".repeat(1000) + "\r\n";
        Reply::Bytes(format!("HTTP/1.1 200 OK\r\n{}", header.repeat(2000)).into_bytes())
    })
    .await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert!(
        !seen.is_up() && seen.reason.contains("more than 1024 KiB of headers"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn interim_answers_lines_and_trailers_without_end_are_cut_at_their_bound() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (head, again) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        ("HTTP/1.1 200 OK\r\nX: ", "y"),
        ("", "\r\n"),
        (chunked, "1;x=y\r\n{\r\n"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "X: y\r\n",
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0"),
    ] {
        let bytes = format!("{head}{}", again.repeat((8 << 20) / again.len())).into_bytes();
        let server = Server::http(move |_| Reply::Bytes(bytes.clone())).await;
        let mut target = goproxy(server.url("http"));
        target.limits.first_byte = Duration::from_secs(60);
        target.limits.total = Duration::from_secs(60);
        target.limits.retries = 0;
        let start = Instant::now();
        let seen = probe(&target).await;
        assert!(!seen.is_up(), "{again:?}: {}", seen.reason);
        // A limit in time would have taken a minute.
        assert!(start.elapsed() < Duration::from_secs(30), "{again:?}");
    }
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
    let ended = tokio::time::timeout(Duration::from_secs(20), end).await;
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
