//! Targets of kind `https`: any page, judged by status, text and where it leads.

use goroam::model::{TargetKind, Verdict};

use crate::server::*;
use crate::{HERE, probe_trusting};

#[tokio::test]
async fn a_page_is_judged_by_status_text_and_where_it_leads() {
    let ca = Authority::new("corp");
    let server = Server::https(&ca.identity(&HERE), |request| match request.line.as_str() {
        "GET /moved" => redirect("301 Moved Permanently", "/elsewhere"),
        "GET /portal" => redirect("302 Found", "http://login.hotel.example/x"),
        "GET /gone" => status("404 Not Found"),
        _ => ok("text/html", "<html>all is well</html>"),
    })
    .await;
    let url = |path: &str| format!("{}{path}", server.url("https"));
    let ask = |path: &str, status: &[u16], body: Option<&str>| {
        target(TargetKind::Https {
            url: url(path),
            status: status.to_vec(),
            body: body.map(str::to_owned),
        })
    };
    for (target, verdict, reason) in [
        (ask("/", &[], None), Verdict::Up, "200 OK"),
        (
            ask("/moved", &[], None),
            Verdict::Up,
            "301 Moved Permanently",
        ),
        (ask("/", &[200], Some("all is well")), Verdict::Up, "200 OK"),
        (
            ask("/", &[], Some("absent")),
            Verdict::Wrong,
            "200, but without the text \"absent\"",
        ),
        (
            ask("/portal", &[], None),
            Verdict::Portal,
            "302 to http://login.hotel.example/x",
        ),
        (ask("/portal", &[302], None), Verdict::Up, "302 Found"),
        (
            ask("/gone", &[], None),
            Verdict::Down,
            "answers 404 Not Found",
        ),
        (ask("/gone", &[404], None), Verdict::Up, "404 Not Found"),
        (
            ask("/", &[204], None),
            Verdict::Down,
            "answers 200 OK, not 204",
        ),
    ] {
        let seen = probe_trusting(&ca, target).await;
        assert_eq!((seen.verdict, seen.reason.as_str()), (verdict, reason));
    }
    let plain = Server::http(|_| redirect("302 Found", "https://wifi.hotel.example/")).await;
    let seen = probe_trusting(&ca, page(plain.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Portal);
    assert_eq!(
        seen.portal_url.as_deref(),
        Some("https://wifi.hotel.example/")
    );
}
