//! Servers that speak HTTP/2: right ones, broken ones, and those that never end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use goroam::model::{Observation, Proof, Verdict};
use goroam::probe::Prober;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::server::*;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:status: 200` (RFC 7541, appendix A).
const OK: &[u8] = &[0x88];
/// `:status: 103`, a literal.
const EARLY: &[u8] = &[0x08, 3, b'1', b'0', b'3'];

const INFO: &[u8] = br#"{"Version":"v0.3.0"}"#;
const MOD: &[u8] = b"module golang.org/x/text\n";

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length[1..], &[kind, flags], &stream[..], body].concat()
}

/// What a server answers to the request of this number on this stream; nothing: it hangs up.
type Script = fn(usize, u32) -> Vec<u8>;

async fn speak(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: Script) -> Option<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.ok()?;
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.ok()?;
    let mut asked = 0;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, s, t, u, v] = head;
        let mut body = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut body).await.ok()?;
        match kind {
            SETTINGS if flags == 0 => {
                stream.write_all(&frame(SETTINGS, 1, 0, &[])).await.ok()?;
            }
            HEADERS => {
                let answer = script(asked, u32::from_be_bytes([s, t, u, v]));
                asked += 1;
                // Who writes without end must read what is answered, or both wait.
                let (mut read, mut write) = tokio::io::split(&mut stream);
                let mut sink = tokio::io::sink();
                if answer.len() > 1 << 20 {
                    tokio::select! {
                        _ = write.write_all(&answer) => {}
                        _ = tokio::io::copy(&mut read, &mut sink) => {}
                    }
                } else {
                    write.write_all(&answer).await.ok()?;
                }
                write.flush().await.ok()?;
                if answer.is_empty() {
                    return None;
                }
            }
            _ => {}
        }
        stream.flush().await.ok()?;
    }
}

async fn probe(protocols: &[&str], script: Script) -> (Observation, Duration) {
    let ca = Authority::new("corp");
    let mut config = rustls::ServerConfig::clone(&ca.identity(&["127.0.0.1"]).config);
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    speak(stream, script).await;
                }
            });
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut target = goproxy(format!("https://127.0.0.1:{port}"));
    target.ca = vec![ca.write(dir.path())];
    target.limits.retries = 0;
    // What ends a probe is the bound on bytes, not the clock.
    target.limits.first_byte = Duration::from_secs(60);
    target.limits.total = Duration::from_secs(60);
    let start = Instant::now();
    let prober = Prober::new(&environment(dir.path(), &[]));
    let seen = prober.probe(&target).await;
    (seen, start.elapsed())
}

fn right(asked: usize, stream: u32) -> Vec<u8> {
    let body = match asked {
        0 => INFO,
        1 => MOD,
        _ => b"PK\x03\x04",
    };
    [
        frame(HEADERS, END_HEADERS, stream, EARLY),
        frame(HEADERS, END_HEADERS, stream, OK),
        frame(DATA, 0, stream, &[]),
        frame(DATA, END_STREAM, stream, body),
    ]
    .concat()
}

#[tokio::test]
async fn a_server_that_speaks_http2_is_up() {
    for protocols in [&["h2"][..], &["h2", "http/1.1"]] {
        let (seen, _) = probe(protocols, right).await;
        assert_eq!(
            (seen.verdict, seen.proof),
            (Verdict::Up, Proof::Tls),
            "{}",
            seen.reason
        );
    }
}

#[tokio::test]
async fn what_never_ends_over_http2_is_cut_at_its_bound() {
    fn often(frame: &[u8]) -> Vec<u8> {
        frame.repeat((8 << 20) / frame.len())
    }
    let scripts: [(&str, Script); 9] = [
        ("PING", |_, _| often(&frame(PING, 0, 0, &[0; 8]))),
        ("SETTINGS", |_, _| often(&frame(SETTINGS, 0, 0, &[]))),
        ("WINDOW_UPDATE", |_, _| {
            often(&frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))
        }),
        ("RST_STREAM", |_, stream| {
            often(&frame(RST_STREAM, 0, stream + 2, &[0, 0, 0, 8]))
        }),
        ("103", |_, stream| {
            often(&frame(HEADERS, END_HEADERS, stream, EARLY))
        }),
        ("CONTINUATION", |_, stream| {
            let more = frame(CONTINUATION, 0, stream, &[0x10, 1, b'x', 1, b'y']);
            [frame(HEADERS, 0, stream, OK), often(&more)].concat()
        }),
        ("empty CONTINUATION", |_, stream| {
            [
                frame(HEADERS, 0, stream, OK),
                often(&frame(CONTINUATION, 0, stream, &[])),
            ]
            .concat()
        }),
        ("DATA", |_, stream| {
            [
                frame(HEADERS, END_HEADERS, stream, OK),
                often(&frame(DATA, 0, stream, &[])),
            ]
            .concat()
        }),
        ("unknown", |_, _| often(&frame(0xee, 0, 0, b"greasy"))),
    ];
    for (name, script) in scripts {
        let (seen, took) = probe(&["h2"], script).await;
        assert!(!seen.is_up(), "{name}: {}", seen.reason);
        assert!(took < Duration::from_secs(30), "{name}: {took:?}");
        assert!(!seen.reason.contains(char::is_control));
    }
}

#[tokio::test]
async fn what_breaks_off_over_http2_is_down_at_once() {
    let scripts: [(&str, Script); 6] = [
        ("GOAWAY", |_, _| {
            frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11])
        }),
        ("RST_STREAM", |_, stream| {
            frame(RST_STREAM, 0, stream, &[0, 0, 0, 7])
        }),
        ("closed", |_, _| Vec::new()),
        ("cut", |_, stream| {
            [
                frame(HEADERS, END_HEADERS, stream, OK),
                frame(DATA, 0, stream, b"{\"Vers"),
                frame(RST_STREAM, 0, stream, &[0, 0, 0, 2]),
            ]
            .concat()
        }),
        ("no HPACK", |_, stream| {
            frame(HEADERS, END_HEADERS, stream, &[0xff; 8])
        }),
        ("HTTP/1.1", |_, _| {
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()
        }),
    ];
    for (name, script) in scripts {
        let (seen, took) = probe(&["h2"], script).await;
        assert_eq!(seen.verdict, Verdict::Down, "{name}: {}", seen.reason);
        assert!(took < Duration::from_secs(30), "{name}: {took:?}");
        println!("{name}: {}", seen.reason);
    }
}
