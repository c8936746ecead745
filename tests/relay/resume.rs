//! A zip whose end does not come: the rest is asked for, from the server that has the same bytes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::go::VERSIONS;
use crate::load::zip;
use crate::scene::{Relay, get, local};

const PATH: &str = "/m.test/@v/v1.0.0.zip";
const LENGTH: u32 = 1 << 20;

/// What a server does with one request.
#[derive(Clone, Copy)]
enum Does {
    /// Sends all that was asked for.
    Whole,
    /// Ends the connection after so many bytes.
    Cuts(usize),
    /// Falls silent after so many bytes.
    Stalls(usize),
}

/// A server of one file. After the listed requests it sends all that it is asked for.
struct Server {
    url: String,
    /// The `Range` of each request.
    asked: Arc<Mutex<Vec<Option<usize>>>>,
}

/// The file, its entity tag, and whether a rest comes from another file with the same tag.
#[derive(Clone)]
struct Served {
    body: Vec<u8>,
    etag: Option<&'static str>,
    lies: bool,
}

impl Served {
    fn tagged(etag: &'static str) -> Served {
        Served {
            body: zip(LENGTH),
            etag: Some(etag),
            lies: false,
        }
    }
}

impl Server {
    fn new(served: Served, does: &[Does]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, does) = (Arc::clone(&asked), does.to_vec());
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, does, served) = (Arc::clone(&log), does.clone(), served.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &served, &does, &log));
            }
        });
        Server { url, asked }
    }

    fn asked(&self) -> Vec<Option<usize>> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, served: &Served, does: &[Does], log: &Mutex<Vec<Option<usize>>>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let range = value("range: bytes=").map(|range| range.trim_end_matches('-').parse().unwrap());
    let number = {
        let mut log = log.lock().unwrap();
        log.push(range);
        log.len() - 1
    };
    let body = &served.body;
    let is_same = value("if-range: ") == served.etag;
    let (from, status) = match range.filter(|_| is_same) {
        Some(from) => (from, "206 Partial Content"),
        None => (0, "200 OK"),
    };
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n",
        body.len() - from
    );
    if let Some(etag) = served.etag {
        answer += &format!("ETag: {etag}\r\n");
    }
    if from > 0 {
        answer += &format!(
            "Content-Range: bytes {from}-{}/{}\r\n",
            body.len() - 1,
            body.len()
        );
    }
    let mut answer = (answer + "Connection: close\r\n\r\n").into_bytes();
    let start = answer.len();
    answer.extend(&body[from..]);
    if served.lies && from > 0 {
        answer[start..start + 1000].fill(b'x');
    }
    let does = does.get(number).copied().unwrap_or(Does::Whole);
    let most = match does {
        Does::Whole => answer.len(),
        Does::Cuts(after) | Does::Stalls(after) => start + after,
    };
    let _ = stream.write_all(&answer[..most]);
    if let Does::Stalls(_) = does {
        // Until the relay has had enough.
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// What go gets of the zip through a relay with this chain: status line, and body.
fn fetch(relay: &Relay) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let (port, token) = (relay.port(), relay.token());
    let request = format!(
        "GET /{token}{PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    (
        head.lines().next().unwrap().to_owned(),
        answer.split_off(end + 4),
    )
}

fn is_whole(relay: &Relay) -> bool {
    let (status, body) = fetch(relay);
    status == "HTTP/1.1 200 OK" && body == zip(LENGTH)
}

#[test]
fn the_same_server_is_asked_for_the_rest_of_a_zip() {
    let Some(client) = local(VERSIONS[0]) else {
        return;
    };
    let server = Server::new(
        Served::tagged("\"one\""),
        &[Does::Cuts(300_000), Does::Cuts(500_000)],
    );
    let relay = client.relay(&server.url, "");
    assert!(is_whole(&relay));
    assert_eq!(server.asked(), [None, Some(300_000), Some(800_000)]);
}

#[test]
fn a_zip_without_a_strong_tag_or_with_another_one_comes_from_the_start() {
    let Some(client) = local(VERSIONS[0]) else {
        return;
    };
    for etag in [None, Some("W/\"one\"")] {
        let served = Served {
            etag,
            ..Served::tagged("")
        };
        let server = Server::new(served, &[Does::Cuts(300_000)]);
        let relay = client.relay(&server.url, "");
        assert!(is_whole(&relay), "{etag:?}");
        assert_eq!(server.asked(), [None, None], "{etag:?}");
    }
    let first = Server::new(Served::tagged("\"one\""), &[Does::Stalls(300_000)]);
    let second = Server::new(Served::tagged("\"two\""), &[]);
    let relay = client.relay(&format!("{}|{}", first.url, second.url), "--stall 1s");
    assert!(is_whole(&relay));
    assert_eq!(
        (first.asked(), second.asked()),
        (vec![None], vec![Some(300_000)])
    );
}

#[test]
fn the_next_server_continues_a_zip_that_it_has_byte_by_byte() {
    let Some(client) = local(VERSIONS[0]) else {
        return;
    };
    let first = Server::new(Served::tagged("\"one\""), &[Does::Stalls(300_000)]);
    let second = Server::new(Served::tagged("\"one\""), &[]);
    let relay = client.relay(&format!("{}|{}", first.url, second.url), "--stall 1s");
    assert!(is_whole(&relay));
    assert_eq!(
        (first.asked(), second.asked()),
        (vec![None], vec![Some(300_000)])
    );
}

#[test]
fn a_rest_that_does_not_fit_is_thrown_away_with_the_beginning_and_nobody_is_blamed() {
    let Some(client) = local(VERSIONS[0]) else {
        return;
    };
    let served = Served {
        lies: true,
        ..Served::tagged("\"one\"")
    };
    let server = Server::new(served, &[Does::Cuts(300_000)]);
    let relay = client.relay(&server.url, "");
    assert!(is_whole(&relay));
    assert_eq!(server.asked(), [None, Some(300_000), None]);
    let metrics = get(&relay, "/metrics");
    assert!(
        metrics.contains("\ngoroam_relay_incidents_total 0\n"),
        "{metrics}"
    );
}
