//! What a probe says of Go proxies that are right, wrong, slow, gone, or somebody else.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test says why it fails, or why it is skipped"
)]

#[path = "support/probe_server.rs"]
mod server;

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
    assert_eq!(requests.len(), 3);
    assert!(requests[2].line.ends_with("/v0.3.0.zip"));
    assert!(requests.iter().all(|one| one.header("range").is_none()));
    assert!(
        requests
            .iter()
            .all(|one| one.connection == requests[0].connection)
    );
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
        ("not json", "", "200, but its version info is not JSON"),
        ("", "", "200, but its version info is not JSON"),
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
