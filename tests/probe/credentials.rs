//! Passwords: where they come from, and that they go nowhere else.

use goroam::model::Verdict;

use crate::server::*;
use crate::{HERE, probe_trusting, probe_with};

fn behind_a_login(request: &Seen) -> Reply {
    // joe:s3cret, by `printf joe:s3cret | base64`
    if request.header("authorization") == Some("Basic am9lOnMzY3JldA==") {
        good_proxy(request)
    } else {
        answer(
            "401 Unauthorized",
            &[("WWW-Authenticate", "Basic realm=x")],
            "",
        )
    }
}

#[tokio::test]
async fn netrc_opens_what_wants_credentials_and_only_with_the_right_port() {
    let ca = Authority::new("corp");
    let dir = tempfile::tempdir().unwrap();
    let server = Server::https(&ca.identity(&HERE), behind_a_login).await;
    let mut target = goproxy(server.url("https"));
    target.ca = vec![ca.write(dir.path())];
    let host = format!("127.0.0.1:{}", server.port);

    let seen = probe_with(dir.path(), &[], &target).await;
    assert_eq!((seen.verdict, seen.definite), (Verdict::Down, true));
    let advice = format!("wants credentials: add `machine {host} …` to ");
    assert!(seen.reason.starts_with(&advice), "{}", seen.reason);

    let netrc = dir.path().join(".netrc");
    std::fs::write(&netrc, "machine 127.0.0.1 login joe password s3cret\n").unwrap();
    assert!(
        !probe_with(dir.path(), &[], &target).await.is_up(),
        "the port is missing"
    );
    std::fs::write(&netrc, format!("machine {host} login joe password wr0ng\n")).unwrap();
    let seen = probe_with(dir.path(), &[], &target).await;
    assert_eq!(
        seen.reason,
        "the credentials are refused (401 Unauthorized)"
    );
    std::fs::write(
        &netrc,
        format!("machine {host}\n login joe\n password s3cret\n"),
    )
    .unwrap();
    let seen = probe_with(dir.path(), &[], &target).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    let off = probe_with(dir.path(), &[("GOAUTH", "off")], &target).await;
    assert!(!off.is_up());
}

#[tokio::test]
async fn a_password_in_the_url_goes_over_https_only_and_is_never_told() {
    let ca = Authority::new("corp");
    let server = Server::https(&ca.identity(&HERE), behind_a_login).await;
    let url = |scheme: &str, password: &str, port: u16| {
        goproxy(format!("{scheme}://joe:{password}@127.0.0.1:{port}"))
    };
    let seen = probe_trusting(&ca, url("https", "s3cret", server.port)).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    let wrong = probe_trusting(&ca, url("https", "hunter2", server.port)).await;
    let dead = probe_trusting(&ca, url("https", "hunter2", dead_port())).await;
    let plain = Server::http(good_proxy).await;
    let refused = probe_trusting(&ca, url("http", "hunter2", plain.port)).await;
    assert!(
        refused.definite && refused.reason.starts_with("go refuses"),
        "{}",
        refused.reason
    );
    assert_eq!(plain.seen().len(), 0);
    for seen in [wrong, dead, refused] {
        assert!(!format!("{seen:?}").contains("hunter2"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_gets_no_credentials() {
    let ca = Authority::new("corp");
    let far = Server::https(&ca.identity(&HERE), good_proxy).await;
    let port = far.port;
    let server = Server::https(&ca.identity(&HERE), move |request| {
        let path = request.line.strip_prefix("GET ").unwrap();
        redirect("302 Found", &format!("https://127.0.0.1:{port}{path}"))
    })
    .await;
    let target = goproxy(format!("https://joe:s3cret@127.0.0.1:{}", server.port));
    assert!(probe_trusting(&ca, target).await.is_up());
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.header("authorization").is_some())
    );
    assert!(
        far.seen()
            .iter()
            .all(|seen| seen.header("authorization").is_none())
    );
}
