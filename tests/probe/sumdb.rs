//! Checksum databases: only the right key's signature counts, whoever passes it on.

use goroam::model::target::DEFAULT_SUM;
use goroam::model::{Observation, Proof, SumDb, TargetKind, Verdict};
use goroam::probe::Prober;

use crate::server::*;
use crate::signer::Signer;

async fn probe(gosumdb: &str, via: Option<String>) -> Observation {
    let dir = tempfile::tempdir().unwrap();
    let db = SumDb::parse(gosumdb).unwrap();
    let target = target(TargetKind::SumDb { db, via });
    Prober::new(&environment(dir.path(), &[]))
        .probe(&target)
        .await
}

async fn direct(signer: &Signer, server: &Server) -> Observation {
    probe(
        &format!("{} {}", signer.gosumdb(), server.url("http")),
        None,
    )
    .await
}

#[tokio::test]
async fn a_signed_tree_head_is_proof_even_over_plain_http() {
    let signer = Signer::new(1);
    let tree = signer.tree(54);
    let server = Server::http(move |request| match request.line.as_str() {
        "GET /latest" => ok("text/plain", &tree),
        _ => status("500 Internal Server Error"),
    })
    .await;
    let seen = direct(&signer, &server).await;
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Signed),
        "{}",
        seen.reason
    );
    assert_eq!(seen.reason, "tree of 54 records, signed by sum.test");
}

#[tokio::test]
async fn a_foreign_key_a_forged_tree_and_a_page_prove_nothing() {
    let (ours, theirs) = (Signer::new(1), Signer::new(2));
    let forged = ours.tree(54).replace("\n54\n", "\n55\n");
    for (body, verdict, reason) in [
        (
            theirs.tree(54),
            Verdict::Wrong,
            "not signed by sum.test's key",
        ),
        (forged, Verdict::Wrong, "the signature of sum.test is wrong"),
        ("junk".to_owned(), Verdict::Wrong, "malformed note"),
        (
            PAGE.to_owned(),
            Verdict::Portal,
            "200, but HTML where a signed tree head was asked",
        ),
    ] {
        let server = Server::http(move |_| ok("text/plain", &body)).await;
        let seen = direct(&ours, &server).await;
        assert_eq!((seen.verdict, seen.reason.as_str()), (verdict, reason));
        assert_eq!((seen.proof, seen.definite), (Proof::None, true));
    }
}

#[tokio::test]
async fn a_damaged_key_in_the_policy_is_named_before_anything_is_asked() {
    let signer = Signer::new(1);
    let damaged = signer
        .gosumdb()
        .replacen(&format!("{:08x}", signer.hash), "00000001", 1);
    let seen = probe(&damaged, None).await;
    assert!(
        seen.reason
            .starts_with("the verifier key of sum.test is damaged"),
        "{}",
        seen.reason
    );
}

/// A proxy as most are: lookups are passed on, tree heads are not.
fn pass_through(record: String) -> impl Fn(&Seen) -> Reply {
    move |request| match request.line.as_str() {
        "GET /sumdb/sum.test/supported" => ok("text/plain", ""),
        "GET /sumdb/sum.test/lookup/golang.org/x/text@v0.3.0" => ok("text/plain", &record),
        _ => status("404 Not Found"),
    }
}

#[tokio::test]
async fn through_a_proxy_a_signed_lookup_will_do() {
    let signer = Signer::new(1);
    let server = Server::http(pass_through(signer.record(DEFAULT_SUM))).await;
    let seen = probe(&signer.gosumdb(), Some(server.url("http"))).await;
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Signed),
        "{}",
        seen.reason
    );
    let asked: Vec<(usize, String)> = server
        .seen()
        .into_iter()
        .map(|seen| (seen.connection, seen.line))
        .collect();
    assert_eq!(
        asked,
        [
            (0, "GET /sumdb/sum.test/supported".to_owned()),
            (0, "GET /sumdb/sum.test/latest".to_owned()),
            (
                0,
                "GET /sumdb/sum.test/lookup/golang.org/x/text@v0.3.0".to_owned()
            ),
        ]
    );

    let server = Server::http(pass_through(signer.record("h1:AAAA="))).await;
    let seen = probe(&signer.gosumdb(), Some(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Wrong);
    assert!(
        seen.reason.contains("does not have the known hash"),
        "{}",
        seen.reason
    );

    let server = Server::http(pass_through(Signer::new(2).record(DEFAULT_SUM))).await;
    let seen = probe(&signer.gosumdb(), Some(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Wrong, "{}", seen.reason);
}

#[tokio::test]
async fn a_proxy_that_passes_nothing_on_is_down_and_one_that_says_yes_to_all_is_a_portal() {
    let signer = Signer::new(1);
    let server = Server::http(|_| status("404 Not Found")).await;
    let seen = probe(&signer.gosumdb(), Some(server.url("http"))).await;
    assert_eq!(seen.reason, "does not pass sum.test on (404 Not Found)");
    assert_eq!((seen.verdict, seen.definite), (Verdict::Down, true));
    let server = Server::http(|_| ok("text/html", PAGE)).await;
    let seen = probe(&signer.gosumdb(), Some(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Portal, "{}", seen.reason);
}

#[tokio::test]
async fn an_endless_tree_head_is_cut() {
    let signer = Signer::new(1);
    let server = Server::http(|_| Reply::Flood(64)).await;
    let seen = direct(&signer, &server).await;
    assert_eq!(seen.verdict, Verdict::Wrong, "{}", seen.reason);
}

#[tokio::test]
async fn a_database_that_fails_is_named_as_one() {
    let signer = Signer::new(1);
    let server = Server::http(|_| status("503 Service Unavailable")).await;
    let place = format!("127.0.0.1:{}", server.port);
    let reason = format!("checksum database sum.test (at {place}) answers 503 Service Unavailable");
    let seen = direct(&signer, &server).await;
    assert_eq!((seen.verdict, seen.reason), (Verdict::Down, reason.clone()));
    let seen = probe(&signer.gosumdb(), Some(server.url("http"))).await;
    assert_eq!((seen.verdict, seen.reason), (Verdict::Down, reason));
    let server = Server::http(|_| status("403 Forbidden")).await;
    let seen = direct(&signer, &server).await;
    assert!(
        seen.reason.starts_with("checksum database sum.test (at "),
        "{}",
        seen.reason
    );
}
