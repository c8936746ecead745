//! Requests that go never sends: the relay refuses them, serves nothing from outside of its tree, and
//! goes on working.

use std::io::Write as _;
use std::net::TcpStream;
#[cfg(target_os = "linux")]
use std::path::Path;
#[cfg(target_os = "linux")]
use std::process::Command;

use crate::go;
use crate::scene::{Client, Relay, get, local, send};

const SECRET: &str = "not for the world";
const LIST: &str = "/m.test/@v/list";

/// A relay for a tree, beside which there is a file that it must not serve.
fn served() -> Option<(Client, Relay)> {
    let client = local(go::VERSIONS[2])?;
    for (file, text) in [
        ("secret.zip", SECRET),
        ("v1.0.0.zip", SECRET),
        ("tree/m.test/@v/list", "v1.0.0\n"),
        ("tree/m.test/@v/other.txt", SECRET),
        ("tree/m.test/hidden", SECRET),
    ] {
        client.user.write(file, text);
    }
    let tree = client.user.path("tree");
    let relay = client.relay(&format!("file://{}", tree.display()), "");
    Some((client, relay))
}

/// Sends a request and expects one of these statuses, or `0` for a connection that is closed.
#[track_caller]
fn refused(relay: &Relay, request: impl AsRef<[u8]>, statuses: &[u16]) {
    let request = request.as_ref();
    let answer = String::from_utf8_lossy(&send(relay.port(), request)).into_owned();
    let status = answer
        .get(9..12)
        .map_or(0, |status| status.parse().unwrap());
    let shown = String::from_utf8_lossy(&request[..request.len().min(300)]);
    assert!(statuses.contains(&status), "{shown:?}: {answer}");
    assert!(
        !answer.contains(SECRET) && !answer.contains("v1.0.0\n"),
        "{shown:?}: {answer}"
    );
}

#[track_caller]
fn still_works(relay: &Relay) {
    let answer = get(relay, LIST);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nv1.0.0\n"), "{answer}");
}

/// A request for this target, which may be any bytes.
fn request(relay: &Relay, target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
        relay.port()
    )
}

#[test]
fn without_the_token_there_is_nothing() {
    let Some((_client, relay)) = served() else {
        return;
    };
    let token = relay.token();
    let other = |at: usize, with: &str| {
        let mut token = token.to_owned();
        token.replace_range(at..=at, if &token[at..=at] == with { "x" } else { with });
        token
    };
    for first in [
        String::new(),
        "0".repeat(32),
        other(0, "0"),
        other(31, "0"),
        token[..31].to_owned(),
        format!("{token}0"),
        token.to_uppercase().replace(char::is_numeric, "A"),
        format!("%{:02x}{}", token.as_bytes()[0], &token[1..]),
        format!("./{token}"),
        format!("/{token}"),
        format!("x/../{token}"),
    ] {
        for path in ["/", "/metrics", LIST] {
            refused(&relay, request(&relay, &format!("/{first}{path}")), &[403]);
        }
    }
    still_works(&relay);
}

#[test]
fn a_web_page_cannot_reach_it_under_another_name() {
    let Some((_client, relay)) = served() else {
        return;
    };
    let (port, token) = (relay.port(), relay.token());
    let other_port = if port == 65535 { 1 } else { port + 1 };
    for host in [
        "evil.example",
        &format!("evil.example:{port}"),
        &format!("127.0.0.1.evil.example:{port}"),
        &format!("127.0.0.1:{port}.evil.example"),
        &format!("127.0.0.1:{other_port}"),
        "127.0.0.1",
        "localhost",
        &format!("[::1]:{port}"),
        &format!("127.0.0.1:{port}@evil.example"),
        &format!("evil.example, 127.0.0.1:{port}"),
        "",
    ] {
        let head =
            format!("GET /{token}{LIST} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        refused(&relay, head, &[400, 421]);
    }
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let end = "Connection: close\r\n\r\n";
    refused(
        &relay,
        format!("GET /{token}{LIST} HTTP/1.1\r\n{end}"),
        &[400, 421],
    );
    refused(
        &relay,
        format!("GET /{token}{LIST} HTTP/1.0\r\n\r\n"),
        &[400, 421],
    );
    refused(
        &relay,
        format!("GET /{token}{LIST} HTTP/1.1\r\nHost: evil.example\r\n{own}{end}"),
        &[400, 421],
    );
    let target = format!("http://evil.example/{token}{LIST}");
    refused(
        &relay,
        format!("GET {target} HTTP/1.1\r\n{own}{end}"),
        &[400],
    );
    // A browser's preflight gets no permission either.
    let asked =
        format!("OPTIONS /{token}{LIST} HTTP/1.1\r\n{own}Origin: http://evil.example\r\n{end}");
    let answer = String::from_utf8(send(port, asked.as_bytes())).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(
        !answer.to_ascii_lowercase().contains("access-control"),
        "{answer}"
    );
    still_works(&relay);
}

#[test]
fn only_get_and_only_paths_of_the_protocol_are_answered() {
    let Some((client, relay)) = served() else {
        return;
    };
    let (port, token) = (relay.port(), relay.token());
    for method in [
        "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "G",
    ] {
        let head = format!(
            "{method} /{token}{LIST} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        );
        refused(&relay, head, &[400, 405]);
    }
    let tunnel = "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n";
    refused(&relay, tunnel, &[400, 405]);
    let full = client.user.path("secret.zip").display().to_string();
    for path in [
        "/../secret.zip",
        "/m.test/@v/../../../secret.zip",
        "/m.test/@v/%2e%2e/%2e%2e/%2e%2e/secret.zip",
        "/m.test/@v/..%2f..%2f..%2fsecret.zip",
        "/m.test/@v/..%5c..%5c..%5csecret.zip",
        "/m.test/@v/....//....//....//secret.zip",
        "/../@v/v1.0.0.zip",
        "/./@v/../../v1.0.0.zip",
        "/m.test/../../@v/v1.0.0.zip",
        "/m.test%2f..%2f..%2f@v/v1.0.0.zip",
        "/m.test/@v/other.txt",
        "/m.test/@v/other.txt%00.zip",
        "/m.test/hidden",
        "/m.test/@v/",
        "/m.test/@v",
        "/m.test/",
        "/m.test/@v/list/",
        "/m.test/@v/list?x=1",
        "/m.test/@v/list%3fx",
        "/m.test/@v/list;x",
        "/M.test/@v/list",
        "/sumdb/../m.test/@v/list",
        "/sumdb/evil.example/supported",
        "/sumdb/127.0.0.1:22/lookup/x@v1",
        "/http://127.0.0.1:22/@v/list",
        &full,
        &format!("/{full}"),
        &format!("/file://{full}"),
    ] {
        refused(
            &relay,
            request(&relay, &format!("/{token}{path}")),
            &[400, 404],
        );
    }
    still_works(&relay);
}

#[test]
fn bytes_that_are_no_http_huge_heads_and_smuggled_requests_do_no_harm() {
    let Some((_client, mut relay)) = served() else {
        return;
    };
    let (port, token) = (relay.port(), relay.token().to_owned());
    let host = format!("Host: 127.0.0.1:{port}\r\n");
    let line = format!("GET /{token}{LIST} HTTP/1.1\r\n{host}");
    let long = "x".repeat(100_000);
    for (bytes, statuses) in [
        (
            format!("GET /{token}/{long}/@v/list HTTP/1.1\r\n{host}\r\n"),
            &[0, 400, 404, 414, 431][..],
        ),
        (format!("{line}X: {long}\r\n\r\n"), &[0, 400, 431]),
        (
            format!("{line}{}\r\n", "X: y\r\n".repeat(100_000)),
            &[0, 400, 431],
        ),
        // HTTP/0.9 has neither a version nor a Host.
        (format!("GET /{token}{LIST}\r\n\r\n"), &[0, 400]),
        (
            format!("{line}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
            &[0, 400],
        ),
        (format!("{line}Content-Length: -1\r\n\r\n"), &[0, 400]),
        (format!("{line}X : y\r\n\r\n"), &[0, 400]),
        (format!("{line}X: a\0b\r\n\r\n"), &[0, 400]),
        (
            format!("GET /{token}{LIST} HTTP/9.9\r\n{host}\r\n"),
            &[0, 400],
        ),
        (
            format!(
                "GET /{token}/\u{7f}\u{e9}/@v/list HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
            ),
            &[0, 400, 404],
        ),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            &[0, 400, 421],
        ),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{fc}".repeat(100), &[0, 400]),
        ("\r\n".repeat(5000), &[0, 400]),
    ] {
        refused(&relay, bytes, statuses);
    }
    // What hides in the body of another request is never answered as a request of its own.
    let hidden = format!("GET /{token}{LIST} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
    let chunk = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    for body in [
        format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len()),
        format!("Transfer-Encoding: chunked\r\n\r\n{chunk}"),
        format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"),
        format!("Transfer-Encoding: xchunked\r\n\r\n{chunk}"),
        format!("Transfer-Encoding: chunked, identity\r\n\r\n{chunk}"),
    ] {
        let start = format!("POST /{token}/none HTTP/1.1\r\n{host}Connection: close\r\n");
        refused(&relay, start + &body, &[0, 400, 405]);
    }
    // Requests that are sent in one go are answered one after another.
    let last = format!("{line}Connection: close\r\n\r\n");
    let pipelined = format!("{line}\r\n").repeat(200) + &last;
    let answers = String::from_utf8(send(port, pipelined.as_bytes())).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 201);
    still_works(&relay);
    assert!(relay.child.try_wait().unwrap().is_none());
}

#[test]
fn clients_that_never_end_their_request_keep_nobody_else_waiting() {
    let Some((_client, relay)) = served() else {
        return;
    };
    let start = format!("GET /{}{LIST} HTTP/1.1\r\nHo", relay.token());
    let slow: Vec<TcpStream> = (0..300)
        .map(|number| {
            let mut stream = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
            let part = number % start.len();
            stream.write_all(&start.as_bytes()[..part]).unwrap();
            stream
        })
        .collect();
    still_works(&relay);
    for mut stream in &slow {
        // It may go on.
        stream.write_all(b"x").unwrap();
    }
    still_works(&relay);
}

/// Numbers that look random and are the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

#[test]
fn no_mixture_of_what_is_odd_in_a_path_leaves_the_tree() {
    const PARTS: [&str; 32] = [
        "..",
        ".",
        "/",
        "//",
        "%2e",
        "%2e%2e",
        "%2f",
        "%5c",
        "\\",
        "!",
        "%21",
        "!!",
        "@v",
        "@latest",
        "list",
        "secret.zip",
        "v1.0.0",
        ".zip",
        ".info",
        ".mod",
        "m.test",
        "sumdb",
        "lookup",
        "tile/8/0/000",
        "supported",
        "%00",
        "%",
        "%zz",
        ":",
        "*",
        "?",
        "~",
    ];
    let Some((client, relay)) = served() else {
        return;
    };
    let home = client.user.path("").display().to_string();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut paths: Vec<String> = Vec::new();
    for _ in 0..1500 {
        let mut path = String::new();
        for _ in 0..=chance.below(9) {
            path.push_str(match chance.below(PARTS.len() + 6) {
                // The order that a path of the protocol has comes up often enough.
                part if part < PARTS.len() => PARTS[part],
                part => [
                    "/m.test",
                    "/@v/",
                    "/../",
                    "/..",
                    "/m.test/@v/",
                    home.as_str(),
                ][part - PARTS.len()],
            });
        }
        paths.push(path);
    }
    let mut left = paths.as_slice();
    while !left.is_empty() {
        // Many on one connection, which ends at what is no HTTP.
        let batch = left.iter().take(100).map(|path| {
            let head = request(&relay, &format!("/{}/{path}", relay.token()));
            head.replace("Connection: close\r\n", "")
        });
        let end = request(&relay, "/end");
        let answers = send(relay.port(), (batch.collect::<String>() + &end).as_bytes());
        let answers = String::from_utf8_lossy(&answers);
        let answers: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).collect();
        assert!(!answers.is_empty(), "{left:?}");
        for (path, answer) in left.iter().zip(&answers) {
            assert!(!answer.contains(SECRET), "{path}: {answer}");
            assert!(
                !answer.contains("/tree/"),
                "a path of this machine: {path}: {answer}"
            );
        }
        left = left.get(answers.len().min(100)..).unwrap_or_default();
    }
    still_works(&relay);
}

#[test]
#[cfg(target_os = "linux")]
fn another_user_of_the_machine_gets_nothing_even_with_the_token() {
    if !go::is_root() {
        println!("skipped: needs root");
        return;
    }
    let Some((_client, relay)) = served() else {
        return;
    };
    let (port, token) = (relay.port(), relay.token());
    let ask = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port}; \
         printf 'GET /{token}{LIST} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
    );
    let asked_as = |user: &str| {
        let ids = [format!("--reuid={user}"), format!("--regid={user}")];
        let mut command = Command::new("setpriv");
        command
            .args(ids)
            .args(["--clear-groups", "bash", "-c", &ask]);
        let output = command.current_dir(Path::new("/")).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(asked_as("65534"), "");
    assert!(asked_as("0").ends_with("v1.0.0\n"));
    still_works(&relay);
}
