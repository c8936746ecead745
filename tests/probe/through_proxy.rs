//! HTTPS_PROXY and friends: the probe goes where go would go. The names asked for exist only
//! behind the proxy, since go never sends loopback through one.

use std::time::{Duration, Instant};

use goroam::model::{Observation, Phase, Pin, Proof, Target, TargetKind, Verdict};
use goroam::probe::Prober;

use crate::server::*;

const NAME: &str = "goproxy.corp.test";

/// An HTTP proxy that leads every CONNECT to `port`, if the password is right.
async fn connect_proxy(port: u16, password: Option<&'static str>) -> Server {
    Server::http(move |request| {
        if password.is_some_and(|want| request.header("proxy-authorization") != Some(want)) {
            return status("407 Proxy Authentication Required");
        }
        if request.line.starts_with("CONNECT goproxy.corp.test:443") {
            Reply::Tunnel(format!("127.0.0.1:{port}"))
        } else {
            status("403 Forbidden")
        }
    })
    .await
}

async fn probe(ca: &Authority, vars: &[(&str, &str)], mut target: Target) -> Observation {
    let dir = tempfile::tempdir().unwrap();
    target.ca = vec![ca.write(dir.path())];
    Prober::new(&environment(dir.path(), vars))
        .probe(&target)
        .await
}

fn https() -> Target {
    goproxy(format!("https://{NAME}"))
}

#[tokio::test]
async fn a_connect_proxy_is_gone_through_and_tls_is_still_the_servers() {
    let ca = Authority::new("corp");
    let identity = ca.identity(&[NAME]);
    let server = Server::https(&identity, good_proxy).await;
    let proxy = connect_proxy(server.port, None).await;
    let at = format!("127.0.0.1:{}", proxy.port);
    let seen = probe(&ca, &[("HTTPS_PROXY", &at)], https()).await;
    assert_eq!(proxy.seen().len(), 1, "one tunnel for both requests");
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Tls),
        "{}",
        seen.reason
    );
    assert!(
        proxy
            .seen()
            .iter()
            .all(|seen| seen.line.starts_with("CONNECT "))
    );
    assert!(seen.phases.first_byte.is_some());

    let mut pinned = https();
    pinned.pins = vec![identity.pin];
    let seen = probe(&ca, &[("https_proxy", &at)], pinned.clone()).await;
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Pinned),
        "{}",
        seen.reason
    );
    pinned.pins = vec![Pin([7; 32])];
    let seen = probe(&ca, &[("https_proxy", &at)], pinned).await;
    assert_eq!(seen.verdict, Verdict::Portal);
    assert!(seen.reason.contains("another key"), "{}", seen.reason);

    let stranger = Authority::new("stranger");
    let seen = probe(&stranger, &[("HTTPS_PROXY", &at)], https()).await;
    assert_eq!(seen.verdict, Verdict::Portal);
    assert!(
        seen.reason.contains("not signed by a CA that is trusted"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn what_the_proxy_refuses_is_said_of_the_proxy_without_its_password() {
    let ca = Authority::new("corp");
    let server = Server::https(&ca.identity(&[NAME]), good_proxy).await;
    // joe:s3cret
    let proxy = connect_proxy(server.port, Some("Basic am9lOnMzY3JldA==")).await;
    let with = |userinfo: &str| format!("http://{userinfo}127.0.0.1:{}", proxy.port);

    let seen = probe(&ca, &[("HTTPS_PROXY", &with("joe:s3cret@"))], https()).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    let seen = probe(&ca, &[("HTTPS_PROXY", &with("joe:hunter2@"))], https()).await;
    let reason = format!(
        "the proxy 127.0.0.1:{} (HTTPS_PROXY) wants credentials: put them into the variable's URL",
        proxy.port
    );
    assert_eq!(
        (seen.verdict, seen.reason.as_str()),
        (Verdict::Down, reason.as_str())
    );

    let mut elsewhere = goproxy("https://other.corp.test");
    elsewhere.limits.retries = 0;
    let seen = probe(&ca, &[("HTTPS_PROXY", &with("joe:s3cret@"))], elsewhere).await;
    assert!(
        seen.reason.contains("does not connect to other.corp.test"),
        "{}",
        seen.reason
    );

    let dead = format!("http://joe:s3cret@127.0.0.1:{}", dead_port());
    let seen = probe(&ca, &[("HTTPS_PROXY", &dead)], https()).await;
    assert!(
        seen.reason
            .starts_with("connection refused by the proxy 127.0.0.1:"),
        "{}",
        seen.reason
    );
    assert!(!format!("{seen:?}").contains("s3cret"));
}

#[tokio::test]
async fn plain_http_goes_through_as_an_absolute_url() {
    let ca = Authority::new("unused");
    let proxy = Server::http(|request| {
        let path = request
            .line
            .replace("GET http://goproxy.corp.test/", "GET /");
        good_proxy(&Seen {
            line: path,
            ..request.clone()
        })
    })
    .await;
    let at = proxy.url("http");
    let target = goproxy(format!("http://{NAME}"));
    let seen = probe(&ca, &[("HTTP_PROXY", &at)], target.clone()).await;
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::None),
        "{}",
        seen.reason
    );
    assert!(
        proxy.seen()[0]
            .line
            .starts_with("GET http://goproxy.corp.test/")
    );

    let cgi = [("HTTP_PROXY", at.as_str()), ("REQUEST_METHOD", "GET")];
    let seen = probe(&ca, &cgi, target.clone()).await;
    assert!(
        seen.reason.contains("refuses HTTP_PROXY"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn loopback_and_exceptions_go_straight() {
    let ca = Authority::new("unused");
    let server = Server::http(good_proxy).await;
    let dead = format!("http://127.0.0.1:{}", dead_port());
    let vars = [("HTTP_PROXY", dead.as_str()), ("ALL_PROXY", dead.as_str())];
    let seen = probe(&ca, &vars, goproxy(server.url("http"))).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    let excepted = [("HTTPS_PROXY", dead.as_str()), ("NO_PROXY", "invalid")];
    let seen = probe(&ca, &excepted, goproxy("https://x.invalid")).await;
    assert!(!seen.reason.contains("the proxy"), "{}", seen.reason);
}

/// SOCKS5 without authentication (RFC 1928), for one name.
async fn socks_proxy(port: u16) -> (u16, tokio::task::JoinHandle<Vec<u8>>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        // One for all requests.
        let (mut near, _) = listener.accept().await.unwrap();
        let mut hello = [0; 2];
        near.read_exact(&mut hello).await.unwrap();
        let mut methods = vec![0; usize::from(hello[1])];
        near.read_exact(&mut methods).await.unwrap();
        near.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 5];
        near.read_exact(&mut head).await.unwrap();
        assert_eq!(&head[..4], [5, 1, 0, 3], "a name is sent, not an address");
        let mut name = vec![0; usize::from(head[4])];
        near.read_exact(&mut name).await.unwrap();
        near.read_u16().await.unwrap();
        near.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let mut far = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        name
    });
    (at, task)
}

#[tokio::test]
async fn a_socks_proxy_is_given_the_name() {
    let ca = Authority::new("corp");
    let server = Server::https(&ca.identity(&[NAME]), good_proxy).await;
    let (port, task) = socks_proxy(server.port).await;
    let at = format!("socks5://127.0.0.1:{port}");
    let seen = probe(&ca, &[("HTTPS_PROXY", &at)], https()).await;
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    assert_eq!(task.await.unwrap(), NAME.as_bytes());
}

#[tokio::test]
async fn an_http_proxys_own_error_is_not_the_servers() {
    let ca = Authority::new("unused");
    let target = goproxy(format!("http://{NAME}"));
    for (headers, how) in [
        (
            &[("X-Squid-Error", "ERR_DNS_FAIL 0"), ("Server", "squid/5.7")][..],
            "answers 503 Service Unavailable itself",
        ),
        (
            &[("Server", "tinyproxy/1.11.1")],
            "answers 503 Service Unavailable itself",
        ),
    ] {
        let proxy = Server::http(move |_| answer("503 Service Unavailable", headers, "")).await;
        let at = format!("http://joe:s3cret@127.0.0.1:{}", proxy.port);
        let seen = probe(&ca, &[("HTTP_PROXY", &at)], target.clone()).await;
        let reason = format!("the proxy 127.0.0.1:{} (HTTP_PROXY) {how}", proxy.port);
        assert_eq!((seen.verdict, &seen.reason), (Verdict::Down, &reason));
    }
    // Where either may have written it, both are named.
    let proxy = Server::http(|_| status("503 Service Unavailable")).await;
    let at = format!("http://joe:s3cret@127.0.0.1:{}", proxy.port);
    let seen = probe(&ca, &[("HTTP_PROXY", &at)], target.clone()).await;
    let reason = format!(
        "answers 503 Service Unavailable through the proxy 127.0.0.1:{} (HTTP_PROXY)",
        proxy.port
    );
    assert_eq!(seen.reason, reason);
    let proxy = Server::http(|_| {
        answer(
            "407 Proxy Authentication Required",
            &[("Proxy-Authenticate", "Basic")],
            "",
        )
    })
    .await;
    let seen = probe(&ca, &[("HTTP_PROXY", &proxy.url("http"))], target).await;
    assert!(
        seen.reason.contains("(HTTP_PROXY) wants credentials"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn a_value_that_go_misreads_leads_where_go_would_be_led() {
    let ca = Authority::new("unused");
    let proxy = Server::http(|request| {
        let line = request
            .line
            .replace("GET http://goproxy.corp.test/", "GET /");
        good_proxy(&Seen {
            line,
            ..request.clone()
        })
    })
    .await;
    let port = proxy.port;
    let mut target = goproxy(format!("http://{NAME}"));
    target.limits.retries = 0;
    // As `go mod download` does with the same values (1.27.3): true where it gets through.
    for (value, through) in [
        (format!("http://127.0.0.1:{port}"), true),
        (format!("127.0.0.1:{port}"), true),
        (format!("foo://127.0.0.1:{port}"), true),
        (format!("socks4://127.0.0.1:{port}"), true),
        (format!("http://joe:p@ss@127.0.0.1:{port}"), true),
        (format!(":{port}"), true),
        (format!("http://127.0.0.1:{port}\r"), false),
        (format!("http://127.0.0.1:{port}\n"), false),
        (format!("http://127.0.0.1:{port} "), false),
        (format!(" http://127.0.0.1:{port}"), false),
        (format!("http://joe:p%ss@127.0.0.1:{port}"), false),
        (format!("http://joe:p^s@127.0.0.1:{port}"), false),
        (format!("http://joe:p s@127.0.0.1:{port}"), false),
        (format!("http://joe:p#ss@127.0.0.1:{port}"), false),
        (format!("http://joe:p/ss@127.0.0.1:{port}"), false),
        (format!("http:/127.0.0.1:{port}"), false),
        (format!("http:///127.0.0.1:{port}"), false),
        (format!("http:127.0.0.1:{port}"), false),
        // The resolver of Windows takes these for addresses, and so does go there.
        (format!("http://127.1:{port}"), cfg!(windows)),
        (format!("http://0x7f.1:{port}"), cfg!(windows)),
        ("http://127.0.0.1:99999".to_owned(), false),
        ("foo://127.0.0.1".to_owned(), false),
    ] {
        let seen = probe(&ca, &[("HTTP_PROXY", &value)], target.clone()).await;
        assert_eq!(seen.is_up(), through, "{value:?}: {}", seen.reason);
        assert!(
            !seen.reason.contains("p^s") && !seen.reason.contains("ss@"),
            "{}",
            seen.reason
        );
    }
    let value = format!("foo://127.0.0.1:{}", dead_port());
    let seen = probe(&ca, &[("HTTP_PROXY", &value)], target.clone()).await;
    assert!(
        seen.reason
            .contains("HTTP_PROXY: go does not know the scheme \"foo\""),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn a_short_address_is_a_name_that_no_dns_knows() {
    let server = Server::http(good_proxy).await;
    let dir = tempfile::tempdir().unwrap();
    for host in ["127.1", "0x7f.1", "2130706433", "127.0.0.01", "127.0.0.1."] {
        let target = goproxy(format!("http://{host}:{}", server.port));
        let seen = Prober::new(&environment(dir.path(), &[]))
            .probe(&target)
            .await;
        let is_down = seen.verdict == Verdict::Down && seen.reason.contains("for a name");
        assert_eq!(
            is_down,
            cfg!(target_os = "linux"),
            "{host}: {}",
            seen.reason
        );
    }
    let good = goproxy(server.url("http"));
    let seen = Prober::new(&environment(dir.path(), &[]))
        .probe(&good)
        .await;
    assert!(seen.is_up(), "{}", seen.reason);
}

/// A page is judged by its status; what go never asks for is got by reqwest, which says `Accept`.
#[tokio::test]
async fn a_page_behind_a_connect_proxy_is_judged_by_the_servers_own_certificate() {
    let ca = Authority::new("corp");
    let identity = ca.identity(&[NAME]);
    let server = Server::https(&identity, |request| match request.line.as_str() {
        "GET /moved" => redirect("302 Found", "https://goproxy.corp.test/elsewhere"),
        "GET /portal" => redirect("302 Found", "http://login.hotel.example/"),
        "GET /busy" => status("503 Service Unavailable"),
        "GET /login" => answer("511 Network Authentication Required", &[], ""),
        line if line.starts_with("GET /golang.org/") => good_proxy(request),
        _ => ok("text/html", "<html>all is well</html>"),
    })
    .await;
    let proxy = connect_proxy(server.port, None).await;
    let at = proxy.url("http");
    let vars = [("HTTPS_PROXY", at.as_str())];
    for (path, verdict, reason) in [
        ("/", Verdict::Up, "200 OK"),
        ("/moved", Verdict::Up, "302 Found"),
        (
            "/portal",
            Verdict::Portal,
            "302 to http://login.hotel.example/",
        ),
        ("/busy", Verdict::Down, "answers 503 Service Unavailable"),
        (
            "/login",
            Verdict::Portal,
            "511: the network wants a login first",
        ),
    ] {
        let before = server.seen().len();
        let seen = probe(&ca, &vars, page(format!("https://{NAME}{path}"))).await;
        assert_eq!((seen.verdict, seen.reason.as_str()), (verdict, reason));
        let asked = &server.seen()[before..];
        assert_eq!(asked.len(), 1, "{path}: nothing is followed or asked again");
        assert_eq!(asked[0].header("accept"), Some("*/*"));
        assert!(seen.phases.first_byte.is_some());
    }
    // What go does ask for is asked as go asks.
    let seen = probe(&ca, &vars, https()).await;
    assert!(seen.is_up(), "{}", seen.reason);
    assert_eq!(server.seen().last().unwrap().header("accept"), None);

    let mut target = page(format!("https://{NAME}/"));
    assert_eq!(probe(&ca, &vars, target.clone()).await.proof, Proof::Tls);
    target.pins = vec![identity.pin];
    assert_eq!(probe(&ca, &vars, target.clone()).await.proof, Proof::Pinned);
    target.pins = vec![Pin([7; 32])];
    let seen = probe(&ca, &vars, target).await;
    assert_eq!(seen.verdict, Verdict::Portal);
    assert!(seen.reason.contains("another key"), "{}", seen.reason);
    let stranger = Authority::new("stranger");
    let seen = probe(&stranger, &vars, page(format!("https://{NAME}/"))).await;
    assert_eq!(
        (seen.verdict, seen.reason.as_str()),
        (
            Verdict::Portal,
            "certificate of goproxy.corp.test is not signed by a CA that is trusted here"
        )
    );
}

#[tokio::test]
async fn a_pages_proxy_that_refuses_is_named_without_its_password() {
    let ca = Authority::new("corp");
    let server = Server::https(&ca.identity(&[NAME]), |_| ok("text/plain", "ok")).await;
    // joe:p@ss
    let proxy = connect_proxy(server.port, Some("Basic am9lOnBAc3M=")).await;
    let with = |userinfo: &str| format!("http://{userinfo}127.0.0.1:{}", proxy.port);
    let at = format!("the proxy 127.0.0.1:{} (HTTPS_PROXY)", proxy.port);
    let host = |name: &str| page(format!("https://{name}/"));

    let seen = probe(&ca, &[("HTTPS_PROXY", &with("joe:p@ss@"))], host(NAME)).await;
    assert!(seen.is_up(), "{}", seen.reason);
    let wants = format!("{at} wants credentials: put them into the variable's URL");
    for userinfo in ["", "joe:hunter2@"] {
        let seen = probe(&ca, &[("HTTPS_PROXY", &with(userinfo))], host(NAME)).await;
        assert_eq!((seen.verdict, &seen.reason), (Verdict::Down, &wants));
        assert_eq!(seen.failed, Some(Phase::Connect));
    }
    let other = host("other.corp.test");
    let seen = probe(&ca, &[("HTTPS_PROXY", &with("joe:p@ss@"))], other).await;
    let no_way = format!("{at} does not connect to other.corp.test");
    assert_eq!((seen.verdict, &seen.reason), (Verdict::Down, &no_way));
    assert!(!seen.definite);

    let port = dead_port();
    let dead = format!("http://joe:s3cret@127.0.0.1:{port}");
    let seen = probe(&ca, &[("HTTPS_PROXY", &dead)], host(NAME)).await;
    let refused = format!("connection refused by the proxy 127.0.0.1:{port} (HTTPS_PROXY)");
    assert_eq!((seen.verdict, &seen.reason), (Verdict::Down, &refused));
    let unknown = "http://joe:s3cret@no-such-proxy.invalid:3128";
    let seen = probe(&ca, &[("HTTPS_PROXY", unknown)], host(NAME)).await;
    assert_eq!(seen.failed, Some(Phase::Dns), "{}", seen.reason);
    assert!(!format!("{seen:?}").contains("s3cret"));

    for said in ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\n"] {
        let strange = Server::http(|_| Reply::Last(said.into())).await;
        let vars = [("HTTPS_PROXY", strange.url("http"))];
        let vars = vars.each_ref().map(|(name, value)| (*name, value.as_str()));
        let seen = probe(&ca, &vars, host(NAME)).await;
        assert_eq!(seen.failed, Some(Phase::Connect), "{}", seen.reason);
        assert!(
            seen.reason.contains("the proxy 127.0.0.1:"),
            "{}",
            seen.reason
        );
    }
    // The proxy is fine; what is behind it speaks no TLS.
    let (plain, _) = endless("", "HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let proxy = connect_proxy(plain, None).await;
    let seen = probe(&ca, &[("HTTPS_PROXY", &proxy.url("http"))], host(NAME)).await;
    assert_eq!(
        (seen.failed, seen.reason.as_str()),
        (
            Some(Phase::Tls),
            "goproxy.corp.test answers, but not in TLS"
        )
    );
}

#[tokio::test]
async fn a_page_in_the_clear_is_asked_for_as_an_absolute_url() {
    let ca = Authority::new("unused");
    let proxy = Server::http(|request| match request.line.as_str() {
        "GET http://goproxy.corp.test/generate_204?x=1" => status("204 No Content"),
        "GET http://goproxy.corp.test/moved" => {
            redirect("302 Found", "http://login.hotel.example/")
        }
        _ => answer(
            "503 Service Unavailable",
            &[("X-Squid-Error", "ERR_DNS_FAIL 0"), ("Server", "squid/5.7")],
            "",
        ),
    })
    .await;
    let at = format!("http://joe:s3cret@127.0.0.1:{}", proxy.port);
    let vars = [("HTTP_PROXY", at.as_str())];
    let url = |path: &str| page(format!("http://{NAME}{path}"));
    let seen = probe(&ca, &vars, url("/generate_204?x=1")).await;
    assert_eq!(
        (seen.verdict, seen.reason.as_str(), seen.proof),
        (Verdict::Up, "204 No Content", Proof::None)
    );
    let asked = proxy.seen();
    assert_eq!(
        asked[0].header("proxy-authorization"),
        Some("Basic am9lOnMzY3JldA==")
    );
    assert_eq!(asked[0].header("host"), Some(NAME));
    let seen = probe(&ca, &vars, url("/moved")).await;
    assert_eq!(seen.verdict, Verdict::Portal, "{}", seen.reason);
    let seen = probe(&ca, &vars, url("/none")).await;
    let reason = format!(
        "the proxy 127.0.0.1:{} (HTTP_PROXY) answers 503 Service Unavailable itself",
        proxy.port
    );
    assert_eq!((seen.verdict, &seen.reason), (Verdict::Down, &reason));
    let cgi = [vars[0], ("REQUEST_METHOD", "GET")];
    let seen = probe(&ca, &cgi, url("/none")).await;
    assert!(
        seen.reason.contains("refuses HTTP_PROXY"),
        "{}",
        seen.reason
    );
}

#[tokio::test]
async fn a_socks_proxy_is_given_a_pages_name() {
    let ca = Authority::new("corp");
    let server = Server::https(&ca.identity(&[NAME]), |_| ok("text/plain", "ok")).await;
    let (port, task) = socks_proxy(server.port).await;
    let at = format!("socks5://127.0.0.1:{port}");
    let target = page(format!("https://{NAME}/"));
    let seen = probe(&ca, &[("HTTPS_PROXY", &at)], target.clone()).await;
    assert!(seen.is_up(), "{}", seen.reason);
    assert_eq!(server.seen()[0].header("accept"), Some("*/*"));
    assert_eq!(task.await.unwrap(), NAME.as_bytes());

    let port = dead_port();
    let at = format!("socks5://127.0.0.1:{port}");
    let seen = probe(&ca, &[("HTTPS_PROXY", &at)], target).await;
    let reason = format!("no connection to the proxy 127.0.0.1:{port} (HTTPS_PROXY)");
    assert_eq!((seen.verdict, &seen.reason), (Verdict::Down, &reason));
}

/// Sends `head`, then `again` until the other end hangs up.
async fn endless(head: &'static str, again: &'static str) -> (u16, tokio::task::JoinHandle<()>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let _ = near.read(&mut [0; 4096]).await.unwrap();
        near.write_all(head.as_bytes()).await.unwrap();
        let block = again.repeat((64 << 10) / again.len());
        while near.write_all(block.as_bytes()).await.is_ok() {}
    });
    (port, task)
}

#[tokio::test]
async fn a_page_without_end_behind_a_proxy_is_left_at_its_bound() {
    let ca = Authority::new("unused");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    // Interim answers end with the time, all others long before it.
    for (secure, total, head, again) in [
        (false, 2, "", "HTTP/1.1 100 Continue\r\n\r\n"),
        (false, 2, "", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"),
        (false, 60, "HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        (false, 60, "HTTP/1.1 200 OK\r\nX: ", "y"),
        (false, 60, "HTTP/1.1 200 OK\r\n\r\n", "y"),
        (false, 60, chunked, "1;x=y\r\n{\r\n"),
        (false, 60, "", "\r\n"),
        (true, 60, "HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        (true, 60, "", "HTTP/1.1 100 Continue\r\n\r\n"),
        (true, 60, "HTTP/1.1 200 OK\r\n\r\n", "y"),
    ] {
        let (port, task) = endless(head, again).await;
        let at = format!("http://127.0.0.1:{port}");
        let (variable, scheme) = match secure {
            true => ("HTTPS_PROXY", "https"),
            false => ("HTTP_PROXY", "http"),
        };
        let mut target = page(format!("{scheme}://{NAME}/"));
        let TargetKind::Https { body, .. } = &mut target.kind else {
            panic!("a page is of that kind");
        };
        *body = Some("absent".to_owned());
        target.limits.first_byte = Duration::from_secs(total);
        target.limits.total = Duration::from_secs(total);
        let start = Instant::now();
        let seen = probe(&ca, &[(variable, &at)], target).await;
        assert!(!seen.is_up(), "{again:?}: {}", seen.reason);
        assert!(start.elapsed() < Duration::from_secs(20), "{again:?}");
        // And nothing goes on behind it.
        let hung_up = tokio::time::timeout(Duration::from_secs(20), task).await;
        hung_up.expect("the connection is still open").unwrap();
    }
}
