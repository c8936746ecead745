//! What a probe says of Go proxies that are right, wrong, slow, gone, or somebody else.

use goroam::model::{GoRelease, Phase, Proof, TargetKind, Verdict};
use goroam::probe::{GoClient, Prober};

use crate::server::*;
use crate::{probe, said};

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
    assert_eq!(requests.len(), 3);
    assert!(requests[2].line.ends_with("/v0.3.0.zip"));
    assert!(requests.iter().all(|one| one.header("range").is_none()));
    assert!(
        requests
            .iter()
            .all(|one| one.connection == requests[0].connection)
    );
    let head: Vec<&str> = requests[0].head.trim_end().lines().skip(1).collect();
    assert_eq!(
        head,
        [
            format!("Host: 127.0.0.1:{}", server.port).as_str(),
            "User-Agent: GoCommand/1 (+https://go.dev/cmd/go)",
            "Accept-Encoding: gzip",
        ],
        "as go sends it, and nothing of goroam"
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
async fn a_probe_calls_itself_what_the_go_at_hand_does() {
    for (release, name) in [
        (GoRelease::new(1, 26, 4), "Go-http-client/1.1"),
        (
            GoRelease::new(1, 27, 0),
            "GoCommand/1 (+https://go.dev/cmd/go)",
        ),
    ] {
        let server = Server::http(good_proxy).await;
        let dir = tempfile::tempdir().unwrap();
        let manner = GoClient {
            release,
            ..GoClient::default()
        };
        let prober = Prober::like(&environment(dir.path(), &[]), &manner);
        prober.probe(&goproxy(server.url("http"))).await;
        assert_eq!(server.seen()[0].header("user-agent"), Some(name));
    }
}

#[tokio::test]
async fn over_https_a_refusal_by_name_is_asked_again_as_go_does() {
    let ca = Authority::new("corp");
    let server = Server::https(&ca.identity(&["127.0.0.1"]), |request| {
        match request.header("user-agent") {
            Some("Go-http-client/1.1") => good_proxy(request),
            _ => status("403 Forbidden"),
        }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut target = goproxy(server.url("https"));
    target.ca = vec![ca.write(dir.path())];
    let seen = probe(&target).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
}

/// gzip's own header and trailer around one stored block (RFC 1951, 3.2.4).
fn gzip(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let mut crc = !0_u32;
    for byte in text {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        text,
        &(!crc).to_le_bytes(),
        &u32::from(length).to_le_bytes(),
    ]
    .concat()
}

/// The same answer, its body replaced.
fn with_body(reply: Reply, change: impl Fn(&[u8]) -> Vec<u8>) -> Reply {
    let Reply::Bytes(bytes) = reply else {
        return reply;
    };
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let body = change(&bytes[at.unwrap() + 4..]);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Reply::Bytes([head.into_bytes(), body].concat())
}

#[tokio::test]
async fn a_proxy_that_packs_every_answer_is_up_and_a_packed_lie_is_wrong() {
    let server = Server::http(|request| with_body(good_proxy(request), gzip)).await;
    let seen = probe(&goproxy(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);

    for (change, reason) in [
        (
            (|body: &[u8]| body.to_vec()) as fn(&[u8]) -> Vec<u8>,
            "says gzip, but its answer is not",
        ),
        (
            |body| [&gzip(body)[..], b"more"].concat(),
            "says gzip, but its answer is not",
        ),
        (
            |body| {
                let mut packed = gzip(body);
                packed.pop();
                packed
            },
            "closed the connection within its answer",
        ),
        (
            |_| gzip(b"<html>"),
            "200, but HTML where version info was asked",
        ),
    ] {
        let server = Server::http(move |request| with_body(good_proxy(request), change)).await;
        let seen = probe(&goproxy(server.url("http"))).await;
        assert!(!seen.is_up());
        assert!(seen.reason.contains(reason), "{}", seen.reason);
    }
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
        } else if request.line.ends_with(".zip") {
            ok("application/zip", ZIP)
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
            zip_sum: None,
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
            "200, but its version info names another version, \"v9.9.9\"",
        ),
        ("not json", "", "200, but its version info is not JSON"),
        ("", "", "200, but its version info is empty"),
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
