//! Odd answers over HTTP, as real go commands and a probe take them: what go cannot use is never
//! `up`, and what it takes is.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use goroam::model::{GoRelease, Observation, Target, TargetKind};
use goroam::probe::{GoClient, Prober};

use crate::go;
use crate::server::*;

const MODULE: &str = "a.test/m";
const NAME: &str = "goproxy.corp.test";

/// Answers to a `.info`. A line ends with CR LF, one that ends with `$` with LF alone. `LEN` and
/// `HEX` are the body's length; it follows where no `BODY` stands.
const ANSWERS: &[&str] = &[
    // Lengths.
    "HTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\n\n",
    "HTTP/1.1 200 OK\nContent-Length: LEN\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Length: LEN\nContent-Length:  LEN \n\n",
    "HTTP/1.1 200 OK\nContent-Length: LEN\ncontent-length: 3\n\n",
    "HTTP/1.1 200 OK\nContent-Length: LEN, LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Length: LEN, 3\n\n",
    "HTTP/1.1 200 OK\nContent-Length: +LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Length: -1\n\n",
    "HTTP/1.1 200 OK\nContent-Length:\n\n",
    "HTTP/1.1 200 OK\nContent-Length: x\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 0xHEX\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 000LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 9223372036854775807\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 9223372036854775808\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 99999999999999999999\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 999\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 3\n\n",
    "HTTP/1.1 200 OK\nContent-Length : LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Length : 3\n\n",
    "HTTP/1.1 200 OK\nContent-Length:LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Length:\n LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Length: LEN\n 0\n\n",
    "HTTP/1.1 204 No Content\nContent-Length: LEN\n\n",
    "HTTP/1.1 304 Not Modified\nContent-Length: LEN\n\n",
    // Headers.
    "HTTP/1.1 200 OK\nX : y\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX\t: y\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nnonsense\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\n: y\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX Y: y\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nXé: y\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX(1): y\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX_1!: y\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: a\0b\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: a\x01b\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: a\tb\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: a\x7fb\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: é\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: a\rb\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: a\n b\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: a\n \n\tb\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: a\n b: c\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX\n : a\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\n X: a\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nX: a\n\r\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nConnection: x, y\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nTrailer: X\nContent-Length: LEN\n\n",
    // Ends of lines.
    "HTTP/1.1 200 OK$Content-Length: LEN$$",
    "HTTP/1.1 200 OK\nContent-Length: LEN\n$",
    "HTTP/1.1 200 OK$Content-Length: LEN\n\n",
    "HTTP/1.1 200 OK\rContent-Length: LEN\r\r",
    "HTTP/1.1 200 OK\r\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Length: LEN\n",
    // What stands first.
    "\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "\n\n\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "$HTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    " HTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "\u{feff}HTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "",
    // Versions.
    "HTTP/1.0 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.0 200 OK\n\n",
    "HTTP/1.2 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.9 200 OK\n\n",
    "HTTP/1.10 200 OK\nContent-Length: LEN\n\n",
    "HTTP/2.0 200 OK\nContent-Length: LEN\n\n",
    "HTTP/2 200 OK\nContent-Length: LEN\n\n",
    "HTTP/3.0 200 OK\nContent-Length: LEN\n\n",
    "HTTP/0.9 200 OK\nContent-Length: LEN\n\n",
    "HTTP/0.9 200 OK\nTransfer-Encoding: chunked\nContent-Length: LEN\n\n",
    "HTTP/1 200 OK\nContent-Length: LEN\n\n",
    "HTTP/x.1 200 OK\nContent-Length: LEN\n\n",
    "HTTP 200 OK\nContent-Length: LEN\n\n",
    "http/1.1 200 OK\nContent-Length: LEN\n\n",
    "ICY 200 OK\nContent-Length: LEN\n\n",
    "RTSP/1.0 200 OK\nContent-Length: LEN\n\n",
    // Statuses.
    "HTTP/1.1 200\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 \nContent-Length: LEN\n\n",
    "HTTP/1.1  200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1\t200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 200\tOK\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 Überall\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 a\x01\0\nContent-Length: LEN\n\n",
    "HTTP/1.1 \u{661}200\nContent-Length: LEN\n\n",
    "HTTP/1.1 20 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 2000 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 +20 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 -20 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 000 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 +00 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 -00 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 099 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 201 Created\nContent-Length: LEN\n\n",
    "HTTP/1.1 203 Other\nContent-Length: LEN\n\n",
    "HTTP/1.1 206 Partial\nContent-Length: LEN\n\n",
    "HTTP/1.1 300 Choices\nContent-Length: LEN\n\n",
    "HTTP/1.1 302 Found\nContent-Length: LEN\n\n",
    "HTTP/1.1 600 What\nContent-Length: LEN\n\n",
    "HTTP/1.1 999 What\nContent-Length: LEN\n\n",
    // Interim answers.
    "HTTP/1.1 100 Continue\n\n",
    "HTTP/1.1 101 Switch\nUpgrade: x\nConnection: Upgrade\n\n",
    "HTTP/1.1 101 Switch\n\n",
    "HTTP/1.1 101 Switch\n\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 103 Early\nLink: x\n\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 100 Continue\nContent-Length: 5\n\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 100 Continue\nTransfer-Encoding: x\n\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.0 102 Processing\n\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 199 What\n\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    "HTTP/1.1 100 Continue\n\n\nHTTP/1.1 200 OK\nContent-Length: LEN\n\n",
    // Encodings.
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nHEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 3\nTransfer-Encoding: chunked\n\nHEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nContent-Length: x\nTransfer-Encoding: chunked\n\nHEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding:  CHUNKED \n\nHEX\nBODY\n0\n\n",
    "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\nHEX\nBODY\n0\n\n",
    "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\nContent-Length: LEN\n\n",
    "HTTP/1.2 200 OK\nTransfer-Encoding: chunked\n\nHEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\nHEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked, chunked\n\nHEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\nHEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: identity, chunked\n\nHEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding : chunked\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: identity\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: identity\n\n",
    "HTTP/1.0 200 OK\nTransfer-Encoding: identity\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding:\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: gzip\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: x\n\n",
    "HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Encoding: deflate\nContent-Length: LEN\n\n",
    "HTTP/1.1 200 OK\nContent-Encoding: gzip, gzip\nContent-Length: LEN\n\n",
    // Chunks.
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nHEX;a=b\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0000HEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nHEX \nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n HEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0xHEX\nBODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nHEX$BODY$0$$",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nHEX$BODY\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nHEX\nBODY\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nHEX\nBODY\n0\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: X\n\nHEX\nBODY\n0\nX: y\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nHEX\nBODY\n0\nX: y\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nHEX\nBODY\n0\nbad\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: X, content-length\n\nHEX\nBODY\n0\n\n",
];

fn bytes_of(answer: &str, body: &str) -> Vec<u8> {
    let answer = answer
        .replace('\n', "\r\n")
        .replace('$', "\n")
        .replace("LEN", &body.len().to_string())
        .replace("HEX", &format!("{:x}", body.len()));
    match answer.contains("BODY") || answer.is_empty() {
        true => answer.replace("BODY", body),
        false => answer + body,
    }
    .into_bytes()
}

/// Much of something, in an answer that is right otherwise.
fn long(number: usize, body: &str) -> Option<Vec<u8>> {
    let often = |text: &str, times: usize| text.repeat(times);
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    let (before, reason, headers, spaces) = match number {
        0 => (often(interim, 5), "OK".to_owned(), String::new(), 0),
        1 => (often(interim, 6), "OK".to_owned(), String::new(), 0),
        2 => (often(interim, 9000), "OK".to_owned(), String::new(), 0),
        3 => (String::new(), often("x", 100_000), String::new(), 0),
        4 => (
            String::new(),
            String::new(),
            format!("X: {}\r\n", often("x", 900_000)),
            0,
        ),
        5 => (String::new(), String::new(), often("X: y\r\n", 2000), 0),
        6 => (String::new(), String::new(), often("X: y\r\n", 100_000), 0),
        7 => (String::new(), String::new(), String::new(), 3_000_000),
        _ => return None,
    };
    let length = body.len() + spaces;
    let spaces = often(" ", spaces);
    let head =
        format!("{before}HTTP/1.1 200 {reason}\r\n{headers}Content-Length: {length}\r\n\r\n");
    Some(format!("{head}{spaces}{body}").into_bytes())
}

/// All of them. The server closes the connection behind each.
fn answer_to(number: usize, body: &str) -> Vec<u8> {
    match ANSWERS.get(number) {
        Some(answer) => bytes_of(answer, body),
        None => long(number - ANSWERS.len(), body).unwrap(),
    }
}

fn name_of(number: usize) -> String {
    ANSWERS.get(number).map_or_else(
        || format!("long {}", number - ANSWERS.len()),
        |answer| format!("{answer:?}"),
    )
}

fn info_of(version: &str) -> String {
    format!("{{\"Version\":\"{version}\"}}")
}

/// `v0.0.7` is number 6.
fn version(number: usize) -> String {
    format!("v0.0.{}", number + 1)
}

/// The number and the kind of file that are asked for.
fn asked(request: &Seen) -> (usize, String, String) {
    let name = request.line.rsplit('/').next().unwrap();
    let (version, kind) = name.rsplit_once('.').unwrap();
    let number: usize = version.rsplit_once('.').unwrap().1.parse().unwrap();
    (number - 1, version.to_owned(), kind.to_owned())
}

/// What is right of them, on a connection that ends with it.
fn right(request: &Seen) -> Reply {
    let (_, version, kind) = asked(request);
    let body = match kind.as_str() {
        "info" => info_of(&version),
        "mod" => format!("module {MODULE}\n"),
        _ => ZIP.to_owned(),
    };
    answer("200 OK", &[("Connection", "close")], &body)
}

/// Does this go take the version from there? What it says where it does not.
async fn taken(
    release: &str,
    url: &str,
    version: &str,
    vars: &[(&str, &str)],
) -> Option<Result<(), String>> {
    let go = go::go(release)?;
    let home = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(go);
    command
        .args(["list", "-m", &format!("{MODULE}@{version}")])
        .env_clear()
        .env("HOME", home.path())
        .env("GOPATH", home.path().join("go"))
        .env("GOFLAGS", "-modcacherw")
        .env("GOENV", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOSUMDB", "off")
        .env("GOPROXY", url)
        .envs(vars.iter().copied())
        .current_dir(home.path());
    let out = tokio::task::spawn_blocking(move || command.output());
    let out = out.await.unwrap().unwrap();
    Some(match out.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&out.stderr)
            .chars()
            .take(300)
            .collect()),
    })
}

fn target_of(url: &str, version: &str) -> Target {
    let mut target = target(TargetKind::GoProxy {
        url: url.to_owned(),
        module: MODULE.to_owned(),
        version: version.to_owned(),
        sum: None,
        zip_sum: None,
    });
    target.limits.first_byte = Duration::from_secs(20);
    target.limits.total = Duration::from_secs(20);
    target
}

async fn probed(release: &str, target: &Target, vars: &[(&str, &str)]) -> Observation {
    let dir = tempfile::tempdir().unwrap();
    let mut number = release.split('.').map(|part| part.parse().unwrap());
    let [major, minor, patch] = std::array::from_fn(|_| number.next().unwrap());
    let manner = GoClient {
        release: GoRelease::new(major, minor, patch),
        ..GoClient::default()
    };
    Prober::like(&environment(dir.path(), vars), &manner)
        .probe(target)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_go_takes_is_up_and_one_that_it_refuses_is_not() {
    let server = Server::http(|request| match asked(request) {
        (number, version, kind) if kind == "info" => {
            Reply::Last(answer_to(number, &info_of(&version)))
        }
        _ => right(request),
    })
    .await;
    let url = server.url("http");
    let count = (ANSWERS.len()..)
        .find(|number| *number >= ANSWERS.len() && long(*number - ANSWERS.len(), "").is_none());
    let mut wrong = Vec::new();
    for release in go::VERSIONS {
        let mut both = [0, 0];
        for number in 0..count.unwrap() {
            let version = version(number);
            let Some(theirs) = taken(release, &url, &version, &[]).await else {
                break;
            };
            both[usize::from(theirs.is_ok())] += 1;
            let seen = probed(release, &target_of(&url, &version), &[]).await;
            // What 1.22 and later no longer take is refused for 1.21 as well.
            let name = name_of(number);
            let lenient = release == "1.21.13"
                && ["Length:\\n\\n", "\\n: y", "x\\nTransfer", "HEX$BODY\\n"]
                    .iter()
                    .any(|part| name.contains(part));
            if theirs.is_ok() != seen.is_up() && !lenient {
                let (verdict, reason) = (seen.verdict, seen.reason);
                wrong.push(format!(
                    "{name}: {release} {theirs:?}, here {verdict:?}: {reason}"
                ));
            }
        }
        assert!(both == [0, 0] || both[0] > 60 && both[1] > 40, "{both:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_longer_than_a_probe_reads_is_told_with_the_bound() {
    for (head, spaces, reason) in [
        (
            "X: y\r\n".repeat(400_000),
            0,
            "answers with more than 1024 KiB of headers, and a probe reads no more",
        ),
        (
            String::new(),
            5_000_000,
            "sends more than 4096 KiB where version info was asked, and a probe reads no more",
        ),
    ] {
        let server = Server::http(move |request| match asked(request) {
            (_, version, kind) if kind == "info" => {
                let body = format!("{}{}", " ".repeat(spaces), info_of(&version));
                let length = body.len();
                Reply::Last(
                    format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {length}\r\n\r\n{body}")
                        .into_bytes(),
                )
            }
            _ => right(request),
        })
        .await;
        let seen = probed("1.27.3", &target_of(&server.url("http"), "v0.0.1"), &[]).await;
        assert!(
            !seen.is_up() && seen.reason.ends_with(reason),
            "{}",
            seen.reason
        );
    }
}

/// Answers to CONNECT, and whether a way is open behind them.
const TUNNELS: &[&str] = &[
    "HTTP/1.1 200 OK\n\n",
    "HTTP/1.1 200\n\n",
    "HTTP/1.1 200 \n\n",
    "HTTP/1.0 200 Connection established\n\n",
    "HTTP/1.0 200$$",
    "HTTP/1.2 200 OK\n\n",
    "HTTP/2.0 200 OK\n\n",
    "HTTP/1.1  200 OK\n\n",
    "HTTP/1.1\t200 OK\n\n",
    "HTTP/1.10 200 OK\n\n",
    "http/1.1 200 OK\n\n",
    "ICY 200 OK\n\n",
    "\nHTTP/1.1 200 OK\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6\n\n",
    "HTTP/1.1 200 OK\nContent-Length: x\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: identity\n\n",
    "HTTP/1.1 200 OK\nX : y\n\n",
    "HTTP/1.1 200 OK\nX: a\n b\n\n",
    "HTTP/1.1 200 OK\nnonsense\n\n",
    "HTTP/1.1 200 OK\nConnection: close\n\n",
    "HTTP/1.1 201 Created\n\n",
    "HTTP/1.1 204 No Content\n\n",
    "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\n\n",
    "HTTP/1.1 000 OK\n\n",
    "HTTP/1.1 407 Proxy Authentication Required\nProxy-Authenticate: Basic\n\n",
    "HTTP/1.1 407\n\n",
    "HTTP/1.1 403\n\n",
    "HTTP/1.1 403 \n\n",
    "HTTP/1.1 403 Forbidden\n\n",
    "HTTP/1.1 302 Found\nLocation: http://login.test/\n\n",
    "HTTP/1.1\n\n",
    "403 Forbidden\n\n",
    "\n\n",
    "",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_connect_opens_the_way_for_a_probe_where_it_does_for_go() {
    let ca = Authority::new("corp");
    let dir = tempfile::tempdir().unwrap();
    let root = ca.write(dir.path());
    let server = Server::https(&ca.identity(&[NAME]), right).await;
    let to = format!("127.0.0.1:{}", server.port);
    let mut wrong = Vec::new();
    for release in go::VERSIONS {
        let mut both = [0, 0];
        for (number, answer) in TUNNELS.iter().enumerate() {
            let (bytes, to) = (bytes_of(answer, ""), to.clone());
            let proxy = Server::http(move |_| match bytes.is_empty() {
                true => Reply::Last(Vec::new()),
                false => Reply::TunnelAs(bytes.clone(), to.clone()),
            })
            .await;
            let (url, version) = (format!("https://{NAME}"), version(number));
            let via = proxy.url("http");
            let vars = [
                ("HTTPS_PROXY", via.as_str()),
                ("SSL_CERT_FILE", root.to_str().unwrap()),
            ];
            let Some(theirs) = taken(release, &url, &version, &vars).await else {
                break;
            };
            both[usize::from(theirs.is_ok())] += 1;
            let mut target = target_of(&url, &version);
            target.ca = vec![root.clone()];
            let seen = probed(release, &target, &vars[..1]).await;
            if theirs.is_ok() != seen.is_up() {
                let (verdict, reason) = (seen.verdict, seen.reason);
                wrong.push(format!(
                    "{answer:?}: {release} {theirs:?}, here {verdict:?}: {reason}"
                ));
            }
        }
        assert!(both == [0, 0] || both[0] > 12 && both[1] > 7, "{both:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where a `.info` is sent to, with its status: `PATH` is its own path, `HERE` this server by the
/// same name, `THERE` by another one, `TLS` one over https. What is sent on N times comes at last.
const REDIRECTS: &[(&str, &str)] = &[
    ("302 Found", "/1PATH"),
    ("301 Moved", "/9PATH"),
    ("301 Moved", "/10PATH"),
    ("302 Found", "/11PATH"),
    ("302 Found", "PATH"),
    ("302 Found", ""),
    ("302 Found", "?x"),
    ("302 Found", "#x"),
    ("302 Found", "../@v/INFO?x"),
    ("303 Other", "/1PATH"),
    ("307 Temporary", "/1PATH"),
    ("308 Permanent", "/1PATH"),
    ("300 Choices", "/1PATH"),
    ("304 Not Modified", "/1PATH"),
    ("305 Use Proxy", "/1PATH"),
    ("306 Unused", "/1PATH"),
    ("309 What", "/1PATH"),
    ("200 OK", "/1PATH"),
    ("302 Found", "HERE/1PATH"),
    ("302 Found", "THERE/1PATH"),
    ("302 Found", "TLS/1PATH"),
    ("302 Found", "OTHER/1PATH"),
    ("302 Found", "//joe:pw@127.0.0.1:PORT/1PATH"),
    ("302 Found", "http:/1PATH"),
    ("302 Found", "http:///1PATH"),
    ("302 Found", "http://"),
    ("302 Found", "http://[::1/1PATH"),
    ("302 Found", "http://127.0.0.1:99999/1PATH"),
    ("302 Found", "http://127.0.0.1:PORTx/1PATH"),
    ("302 Found", "HTTP://127.0.0.1:PORT/1PATH"),
    ("302 Found", "ftp://127.0.0.1:PORT/1PATH"),
    ("302 Found", "file:///etc/hostname"),
    ("302 Found", "javascript:1"),
    ("302 Found", "/1PATH %zz"),
    ("302 Found", "/1PATH?%zz"),
    ("302 Found", " /1PATH"),
    ("302 Found", "/1PATH "),
    ("302 Found", "/1PATH\tx"),
    ("302 Found", "\\1PATH"),
    ("302 Found", "/1/./x/..PATH"),
    ("302 Found", "/%31PATH"),
    ("302 Found", "/1/é/..PATH"),
];

/// Three servers, two of them over TLS, that send a `.info` on.
struct Senders {
    plain: Server,
    secure: Server,
    other: Server,
}

impl Senders {
    async fn start(ca: &Authority) -> Senders {
        let ports = Arc::new(OnceLock::new());
        let [first, second, third] = std::array::from_fn(|_| Arc::clone(&ports));
        let identity = ca.identity(&["127.0.0.1", "localhost"]);
        let senders = Senders {
            plain: Server::http(move |request| sent_on(request, "http", *first.get().unwrap()))
                .await,
            secure: Server::https(&identity, move |request| {
                sent_on(request, "https", *second.get().unwrap())
            })
            .await,
            other: Server::https(&identity, move |request| {
                sent_on(request, "https", *third.get().unwrap())
            })
            .await,
        };
        ports
            .set([&senders.plain, &senders.secure, &senders.other].map(|server| server.port))
            .unwrap();
        senders
    }

    /// What was asked of both for a `.info`, and whether with a password.
    fn seen(&self) -> BTreeSet<(&'static str, String, bool)> {
        let of = |server: &Server, which: &'static str| {
            let seen = server.seen().into_iter();
            seen.filter(|request| request.line.contains(".info"))
                .map(move |request| {
                    let authorized = request.header("authorization").is_some();
                    (which, request.line, authorized)
                })
                .collect::<Vec<_>>()
        };
        let all = [
            of(&self.plain, "plain"),
            of(&self.secure, "tls"),
            of(&self.other, "other"),
        ]
        .concat();
        all.into_iter().collect()
    }
}

fn sent_on(request: &Seen, scheme: &str, [plain, secure, other]: [u16; 3]) -> Reply {
    let target = request.line.strip_prefix("GET /").unwrap_or_default();
    let (target, query) = target.split_once('?').unwrap_or((target, ""));
    // How often it is still to be sent on.
    let (left, _) = target.split_once('/').unwrap_or_default();
    let left: Option<usize> = left.parse().ok();
    let line = target.to_owned();
    let bare = Seen {
        line,
        ..request.clone()
    };
    let name = target.rsplit('/').next().unwrap();
    let number = name
        .strip_suffix(".info")
        .and_then(|version| version.strip_prefix("v0.0.")?.parse::<usize>().ok());
    let Some(number) = number else {
        return match name.starts_with("v0.0.")
            && [".mod", ".zip"].iter().any(|end| name.ends_with(end))
        {
            true => right(&bare),
            false => status("404 Not Found"),
        };
    };
    let path = format!("/{MODULE}/@v/{name}");
    match left {
        Some(left) if left > 1 => redirect("302 Found", &format!("/{}{path}", left - 1)),
        None if query != "x" => {
            let (status, to) = REDIRECTS[number - 1];
            let own = if scheme == "http" { plain } else { secure };
            let to = to
                .replace("OTHER", &format!("https://127.0.0.1:{other}"))
                .replace("PATH", &path)
                .replace("INFO", name)
                .replace("HERE", &format!("{scheme}://127.0.0.1:{own}"))
                .replace("THERE", &format!("{scheme}://localhost:{own}"))
                .replace("TLS", &format!("https://localhost:{secure}"))
                .replace("PORT", &own.to_string());
            redirect(status, &to)
        }
        _ => right(&bare),
    }
}

/// Where the credentials come from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Login {
    None,
    Url,
    Netrc,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_followed_as_go_follows_it_and_with_the_same_credentials() {
    let ca = Authority::new("corp");
    let dir = tempfile::tempdir().unwrap();
    let root = ca.write(dir.path());
    let vars = [("SSL_CERT_FILE", root.to_str().unwrap())];
    let mut wrong = Vec::new();
    for release in go::VERSIONS {
        let mut both = [0, 0];
        for (number, redirect) in REDIRECTS.iter().enumerate() {
            for login in [Login::None, Login::Url, Login::Netrc] {
                let version = version(number);
                let (for_go, for_us) = (Senders::start(&ca).await, Senders::start(&ca).await);
                let url = |senders: &Senders| match login {
                    Login::None => senders.plain.url("http"),
                    Login::Url => senders.secure.url("https").replace("//", "//joe:pw@"),
                    Login::Netrc => senders.secure.url("https"),
                };
                let netrc = dir.path().join("netrc");
                let lines = [&for_go, &for_us].map(|senders| {
                    let port = senders.secure.port;
                    format!("machine 127.0.0.1:{port} login joe password pw\n")
                });
                let host = "machine 127.0.0.1 login joe password pw\n";
                let text = format!("{}{host}", lines.concat());
                std::fs::write(&netrc, if login == Login::Netrc { &text } else { "" }).unwrap();
                let vars = [("NETRC", netrc.to_str().unwrap()), vars[0]];
                let Some(theirs) = taken(release, &url(&for_go), &version, &vars).await else {
                    break;
                };
                both[usize::from(theirs.is_ok())] += 1;
                let mut target = target_of(&url(&for_us), &version);
                target.ca = vec![root.clone()];
                let seen = probed(release, &target, &vars[..1]).await;
                let name = format!("{redirect:?}, {login:?}, {release}");
                if theirs.is_ok() != seen.is_up() {
                    let (verdict, reason) = (seen.verdict, seen.reason);
                    wrong.push(format!("{name}: {theirs:?}, here {verdict:?}: {reason}"));
                } else if for_go.seen() != for_us.seen() {
                    let (theirs, ours) = (for_go.seen(), for_us.seen());
                    wrong.push(format!("{name}: go asked {theirs:?}, a probe {ours:?}"));
                }
            }
        }
        assert!(both == [0, 0] || both[0] > 20 && both[1] > 20, "{both:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
