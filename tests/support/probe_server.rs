//! Loopback servers that behave as told.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports)]

#[path = "probe_identity.rs"]
mod identity;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goroam::environment::Environment;
use goroam::model::target::{DEFAULT_MODULE, DEFAULT_SUM};
use goroam::model::{Limits, RelayLimits, Target, TargetKind};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub use identity::{Authority, Identity, own_authority, own_authority_of_old, self_signed};

/// One request, as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub connection: usize,
    /// `GET /path`.
    pub line: String,
    pub head: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// What the server does about a request.
pub enum Reply {
    /// These bytes, and the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, and the connection is closed.
    Last(Vec<u8>),
    /// These bytes, one in so much time.
    Drip(Vec<u8>, Duration),
    /// A body of so many MiB without an end that was announced.
    Flood(usize),
    Hang,
    /// These bytes after so much time, if the client is still there.
    Late(Vec<u8>, Duration),
    Reset,
    /// CONNECT: bytes both ways.
    Tunnel(String),
    /// The same behind this answer.
    TunnelAs(Vec<u8>, String),
}

pub fn ok(kind: &str, body: &str) -> Reply {
    answer("200 OK", &[("Content-Type", kind)], body)
}

pub fn status(line: &str) -> Reply {
    answer(line, &[], "no\n")
}

pub fn redirect(line: &str, to: &str) -> Reply {
    answer(
        line,
        &[("Location", to), ("Content-Type", "text/html")],
        "<html>moved</html>",
    )
}

pub fn answer(status: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    Reply::Bytes(format!("{text}\r\n{body}").into_bytes())
}

pub const PAGE: &str = "<!doctype html><html><title>Welcome to Free WiFi</title></html>";

/// What a probe reads of a zip.
pub const ZIP: &str = "PK\x03\x04 and so on";

/// A proxy that has golang.org/x/text v0.3.0, and nothing else.
pub fn good_proxy(request: &Seen) -> Reply {
    match request.line.as_str() {
        "GET /golang.org/x/text/@v/v0.3.0.info" => ok(
            "application/json",
            r#"{"Version":"v0.3.0","Time":"2017-12-14T13:08:43Z"}"#,
        ),
        "GET /golang.org/x/text/@v/v0.3.0.mod" => ok("text/plain", "module golang.org/x/text\n"),
        "GET /golang.org/x/text/@v/v0.3.0.zip" => ok("application/zip", ZIP),
        _ => status("404 Not Found"),
    }
}

/// A running server; it ends when it is dropped.
pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub async fn http(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
        Server::start(None, handler).await
    }

    pub async fn https(
        identity: &Identity,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::start(Some(identity.config.clone()), handler).await
    }

    async fn start(
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let (log, handler) = (Arc::clone(&seen), Arc::new(handler));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (tls, log, handler) = (tls.clone(), Arc::clone(&log), Arc::clone(&handler));
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, connection, &log, &*handler).await,
                        Some(config) => {
                            let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else {
                                return;
                            };
                            serve(stream, connection, &log, &*handler).await;
                        }
                    }
                });
            }
        });
        Server {
            port,
            seen,
            _tasks: tasks,
        }
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Accepts connections and says nothing.
pub async fn silent() -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
        }
    });
    (port, tasks)
}

/// A port where nothing listens.
pub fn dead_port() -> u16 {
    use socket2::{Domain, Socket, Type};

    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    // It never listens, and nobody else gets the port while it is open.
    std::mem::forget(socket);
    port
}

trait Resettable: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Resettable for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Resettable for tokio_rustls::server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn serve(
    mut stream: impl Resettable,
    connection: usize,
    log: &Mutex<Vec<Seen>>,
    handler: &(dyn Fn(&Seen) -> Reply + Send + Sync),
) {
    while let Some(head) = read_head(&mut stream).await {
        let line = head.lines().next().unwrap_or_default();
        let line = line
            .rsplit_once(' ')
            .map_or(line, |(line, _)| line)
            .to_owned();
        let seen = Seen {
            connection,
            line,
            head,
        };
        log.lock().unwrap().push(seen.clone());
        // A client that has had enough hangs up: then there is nothing to write to.
        let done = match handler(&seen) {
            Reply::Bytes(bytes) => stream.write_all(&bytes).await.is_err(),
            Reply::Last(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                true
            }
            Reply::Drip(bytes, pause) => drip(&mut stream, &bytes, pause).await,
            Reply::Flood(megabytes) => flood(&mut stream, megabytes).await,
            Reply::Late(bytes, pause) => tokio::select! {
                _ = stream.read_u8() => true,
                () = tokio::time::sleep(pause) => stream.write_all(&bytes).await.is_err(),
            },
            Reply::Hang => {
                // Until the client hangs up.
                let _ = stream.read(&mut [0]).await;
                true
            }
            Reply::Reset => {
                stream.tcp().set_zero_linger().unwrap();
                true
            }
            Reply::TunnelAs(bytes, to) => {
                if let Ok(mut far) = TcpStream::connect(to).await {
                    let _ = stream.write_all(&bytes).await;
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
                }
                true
            }
            Reply::Tunnel(to) => {
                if let Ok(mut far) = TcpStream::connect(to).await {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
                } else {
                    let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
                }
                true
            }
        };
        if done {
            return;
        }
    }
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8], pause: Duration) -> bool {
    for byte in bytes {
        if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
            return true;
        }
        tokio::time::sleep(pause).await;
    }
    false
}

async fn flood(stream: &mut (impl AsyncWrite + Unpin), megabytes: usize) -> bool {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
    let _ = stream.write_all(head).await;
    let megabyte = vec![b'x'; 1 << 20];
    for _ in 0..megabytes {
        if stream.write_all(&megabyte).await.is_err() {
            break;
        }
    }
    true
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// An environment that trusts nobody on this machine, with more variables.
pub fn environment(dir: &Path, vars: &[(&str, &str)]) -> Environment {
    let nowhere = dir.join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let home = dir.to_str().unwrap();
    [
        ("HOME", home),
        ("USERPROFILE", home),
        ("SSL_CERT_FILE", nowhere),
        ("SSL_CERT_DIR", nowhere),
    ]
    .into_iter()
    .chain(vars.iter().copied())
    .collect()
}

pub fn target(kind: TargetKind) -> Target {
    Target {
        name: "t".to_owned(),
        kind,
        limits: Limits {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(2),
            patience: Duration::ZERO,
            total: Duration::from_secs(4),
            retries: 0,
        },
        relay: RelayLimits::default(),
        private: false,
        ca: Vec::new(),
        pins: Vec::new(),
    }
}

/// A target that is asked for the default module.
pub fn goproxy(url: impl Into<String>) -> Target {
    target(TargetKind::GoProxy {
        url: url.into(),
        module: DEFAULT_MODULE.0.to_owned(),
        version: DEFAULT_MODULE.1.to_owned(),
        sum: Some(DEFAULT_SUM.to_owned()),
        zip_sum: None,
    })
}

pub fn page(url: impl Into<String>) -> Target {
    target(TargetKind::Https {
        url: url.into(),
        status: Vec::new(),
        body: None,
    })
}
