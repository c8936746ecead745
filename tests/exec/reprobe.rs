//! The second look of `goroam exec`: what it takes for a login page, and what not.

use std::time::{Duration, Instant};

use goroam::exec::reprobe::{Reprobed, reprobe, suspicion};
use goroam::exec::{CommandOutput, Exit, classify};
use goroam::model::Limits;

use crate::server::*;

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(1),
    first_byte: Duration::from_secs(1),
    patience: Duration::ZERO,
    total: Duration::from_secs(3),
    retries: 0,
};
const PAGE: &str = "\n<!doctype html><title>Welcome</title>";
const WRONG_ZIP: &str = "verifying a.test/m@v1.0.0: checksum mismatch\n\tdownloaded: h1:W/RoUyEAoyDkNzloyhe4qaU+RKONW0msDWg+5ZHMytQ=\n\tgo.sum:     h1:T8xJhYeb5wlYBiOAggnHAylDzP7qLamatAT0xkxbQqA=\n";

/// What a look finds after this failure, with these proxies.
async fn look(text: &str, proxies: &[String]) -> Reprobed {
    let dir = tempfile::tempdir().unwrap();
    let seen = classify(&CommandOutput {
        stderr: text,
        build_output: "",
        exit: Exit::Code(1),
        proxies,
        killed: None,
    });
    let urls = suspicion(&seen, proxies, None);
    assert!(!urls.is_empty(), "{seen:?}");
    reprobe(&environment(dir.path(), &[]), &urls, LIMITS).await
}

#[tokio::test]
async fn a_wrong_hash_is_a_login_page_only_where_one_is_served_for_that_file() {
    let portal = Server::http(|_| ok("text/html", PAGE)).await;
    let found = look(WRONG_ZIP, &[portal.url("http")]).await;
    assert!(found.portal.unwrap().contains("/a.test/m/@v/v1.0.0.zip"));

    let elsewhere = Server::http(|request: &Seen| match request.line.contains("/login") {
        true => ok("text/html", PAGE),
        false => redirect("302 Found", "/login"),
    })
    .await;
    assert!(
        look(WRONG_ZIP, &[elsewhere.url("http")])
            .await
            .portal
            .is_some()
    );

    // Whatever it calls it: these bytes are no page.
    let zip = Server::http(|_| ok("text/html", "PK\u{3}\u{4}other")).await;
    assert_eq!(look(WRONG_ZIP, &[zip.url("http")]).await.portal, None);
    // It came from the first that has it; a page behind that excuses nothing.
    let both = [zip.url("http"), portal.url("http")];
    assert_eq!(look(WRONG_ZIP, &both).await.portal, None);
    // The first has not got it, so it came from the second.
    let none = Server::http(|_| status("404 Not Found")).await;
    let both = [none.url("http"), portal.url("http")];
    assert!(look(WRONG_ZIP, &both).await.portal.is_some());
    // Other files may be what they like: only the zip was asked.
    let pages = Server::http(|request: &Seen| match request.line.ends_with(".zip") {
        true => ok("application/zip", "PK\u{3}\u{4}other"),
        false => ok("text/html", PAGE),
    })
    .await;
    assert_eq!(look(WRONG_ZIP, &[pages.url("http")]).await.portal, None);
}

#[tokio::test]
async fn a_zip_that_is_none_is_a_login_page_if_the_proxy_has_only_pages() {
    let portal = Server::http(|_| ok("text/html", PAGE)).await;
    let none = "w.go:3:8: zip: not a valid zip file\n";
    assert!(look(none, &[portal.url("http")]).await.portal.is_some());
    let good = Server::http(|_| ok("text/plain", "module golang.org/x/text\n")).await;
    assert_eq!(look(none, &[good.url("http")]).await.portal, None);
    let must_log_in = Server::http(|_| status("511 Network Authentication Required")).await;
    let found = look(none, &[must_log_in.url("http")]).await;
    assert!(found.portal.unwrap().contains("511"));
}

#[tokio::test]
async fn a_busy_server_says_when_it_wants_to_be_asked_again() {
    let busy = Server::http(|_| answer("503 Busy", &[("Retry-After", "7")], "later\n")).await;
    let base = busy.url("http");
    let text = format!(
        "go: a.test/m@v1.0.0: reading {base}/a.test/m/@v/v1.0.0.info: 503 Service Unavailable\n"
    );
    let found = look(&text, std::slice::from_ref(&base)).await;
    assert_eq!(found.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(found.portal, None);
    let asked = busy.seen();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].line, "GET /a.test/m/@v/v1.0.0.info");
}

#[tokio::test]
async fn a_look_ends_in_time_although_nobody_answers() {
    let dead = Server::http(|_| Reply::Hang).await;
    let base = dead.url("http");
    let start = Instant::now();
    let four: Vec<String> = (0..4).map(|n| format!("{base}/{n}")).collect();
    let found = look(WRONG_ZIP, &four).await;
    assert_eq!(found, Reprobed::default());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
