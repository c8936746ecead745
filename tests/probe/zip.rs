//! What a probe says where the small files of a module come through and its zip does not: go
//! needs all three, and the zip often comes from another place.

use std::time::{Duration, Instant};

use goroam::model::{Phase, TargetKind, Verdict};
use goroam::probe::{ProbeOptions, Prober};

use crate::probe;
use crate::server::*;

/// A good proxy, but for its zips.
async fn but_for_its_zip(zip: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::http(move |request| match request.line.ends_with(".zip") {
        true => zip(),
        false => good_proxy(request),
    })
    .await
}

#[tokio::test]
async fn a_zip_that_does_not_come_is_the_targets_failure_with_its_reason() {
    for (status_line, reason) in [
        ("403 Forbidden", "403 Forbidden"),
        (
            "404 Not Found",
            "has no zip of golang.org/x/text@v0.3.0 (404 Not Found)",
        ),
        (
            "503 Slow Down",
            "zip of golang.org/x/text@v0.3.0: answers 503",
        ),
        ("507 Insufficient Storage", "answers 507"),
    ] {
        let server = but_for_its_zip(move || status(status_line)).await;
        let seen = probe(&goproxy(server.url("http"))).await;
        assert_eq!(
            (seen.verdict, seen.failed),
            (Verdict::Down, Some(Phase::Content))
        );
        assert!(
            seen.reason.contains("zip of golang.org/x/text@v0.3.0"),
            "{}",
            seen.reason
        );
        assert!(seen.reason.contains(reason), "{}", seen.reason);
    }
}

#[tokio::test]
async fn what_comes_in_its_place_is_no_zip() {
    let page = but_for_its_zip(|| ok("text/html", PAGE)).await;
    let seen = probe(&goproxy(page.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Portal, "{}", seen.reason);
    for body in [
        "",
        "PK",
        "{\"error\":\"quota\"}",
        "version https://git-lfs.github.com/spec/v1",
    ] {
        let server = but_for_its_zip(move || ok("application/zip", body)).await;
        let seen = probe(&goproxy(server.url("http"))).await;
        assert_eq!(seen.verdict, Verdict::Wrong, "{body:?}: {}", seen.reason);
    }
}

#[tokio::test]
async fn over_tls_a_page_in_its_place_is_the_servers_own() {
    let authority = Authority::new("ca");
    let server = Server::https(&authority.identity(&["127.0.0.1"]), |request| match request
        .line
        .ends_with(".zip")
    {
        true => ok("text/html", PAGE),
        false => good_proxy(request),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut target = goproxy(server.url("https"));
    target.ca = vec![authority.write(dir.path())];
    let seen = probe(&target).await;
    assert_eq!(seen.verdict, Verdict::Wrong, "{}", seen.reason);
    assert!(
        seen.reason.contains("HTML where a zip was asked"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn a_zip_is_followed_to_where_it_is_and_dead_storage_is_no_portal() {
    let storage = Server::http(good_proxy).await;
    let port = storage.port;
    let place = format!("http://localhost:{port}/golang.org/x/text/@v/v0.3.0.zip");
    let server = but_for_its_zip(move || redirect("302 Found", &place)).await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    assert_eq!(storage.seen().len(), 1);

    let dead = dead_port();
    let place = format!("http://localhost:{dead}/bucket.zip?signature=secret");
    let server = but_for_its_zip(move || redirect("302 Found", &place)).await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(
        (seen.verdict, seen.failed),
        (Verdict::Down, Some(Phase::Connect))
    );
    assert!(
        seen.reason
            .contains(&format!("connection refused by localhost:{dead}")),
        "{}",
        seen.reason
    );
    assert!(!seen.reason.contains("secret"), "{}", seen.reason);

    // Storage that wants a login shows a page, and says so.
    let login = Server::http(|_| ok("text/html", PAGE)).await;
    let place = format!("http://localhost:{}/login", login.port);
    let to = place.clone();
    let server = but_for_its_zip(move || redirect("302 Found", &to)).await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(
        (seen.verdict, seen.portal_url),
        (Verdict::Portal, Some(place))
    );
}

#[tokio::test]
async fn of_a_zip_without_end_only_the_start_is_read() {
    let server = Server::http(|request| match request.line.ends_with(".zip") {
        // 256 MiB, and then it would still not be over.
        true => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n\r\nPK\u{3}\u{4}";
            Reply::Bytes([head.as_bytes(), &vec![0; 256 << 20]].concat())
        }
        false => good_proxy(request),
    })
    .await;
    let began = Instant::now();
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn where_its_zip_was_seen_before_it_is_not_asked_for() {
    let server = but_for_its_zip(|| status("403 Forbidden")).await;
    let dir = tempfile::tempdir().unwrap();
    let known = ProbeOptions {
        zip: false,
        patience: None,
        speed: false,
    };
    let seen = Prober::new(&environment(dir.path(), &[]))
        .probe_with(&goproxy(server.url("http")), known)
        .await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_zip_of_an_escaped_name_is_asked_for_as_go_does() {
    let server = Server::http(|request| match request.line.rsplit('.').next() {
        Some("info") => ok("application/json", r#"{"Version":"v1.0.0-RC1"}"#),
        Some("mod") => ok("text/plain", "module git.corp.test/Team/Tools\n"),
        _ => ok("application/zip", ZIP),
    })
    .await;
    let seen = probe(&target(TargetKind::GoProxy {
        url: server.url("http"),
        module: "git.corp.test/Team/Tools".to_owned(),
        version: "v1.0.0-RC1".to_owned(),
        sum: None,
        zip_sum: None,
    }))
    .await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    assert_eq!(
        server.seen()[2].line,
        "GET /git.corp.test/%21team/%21tools/@v/v1.0.0-%21r%21c1.zip"
    );
}
