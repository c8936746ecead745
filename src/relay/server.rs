//! The relay's HTTP server on the loopback interface.
//!
//! Other users and web pages can reach any loopback port. So every path begins with a random token,
//! the `Host` header must name this address (else a web page could reach it by DNS rebinding), and
//! on Linux the other end of the connection must belong to this user or to root.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::engine::RelayEngine;
use super::rules::reply::Refusal;
use super::rules::request::{ModuleFile, ProxyRequest, SumDbFile};
use super::spool::Content;
use super::walk::Reply;
use super::watchdog::progress;
use super::{metrics, page};

/// Connections at a time; one more is answered at once that the relay is busy.
const MOST_CONNECTIONS: usize = 2048;
/// Open files that suffice for them.
#[cfg(unix)]
const ENOUGH_FILES: u64 = 8192;
/// How long a connection may take for the head of a request, and stay idle between two.
const HEAD_LIMIT: Duration = Duration::from_secs(60);
/// The longest head of a request; go sends some 200 bytes.
const MOST_HEAD: usize = 16 << 10;
/// How much of a file is read at a time.
const PIECE: usize = 64 << 10;
/// How long requests that are under way have at the end.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a go that is under way may come back at the end, if no program goes on with the port.
const LAST_CALLS: Duration = Duration::from_secs(5);
/// After this time without a connection no go is under way.
const QUIET: Duration = Duration::from_millis(300);
/// At the end, a connection that sends no request for this time was opened in reserve.
const RESERVE: Duration = Duration::from_secs(1);
/// How long one connection too many may take to read that it is.
const REFUSAL: Duration = Duration::from_millis(500);
/// After an error of accept(2), such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
    Content-Length: 44\r\nConnection: close\r\n\r\ngoroam's relay has too many open connections";

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerEnd {
    /// The port is closed.
    Close,
    /// Another program goes on with the listener: new connections wait for it.
    HandOver,
}

/// A server that listens.
#[derive(Debug)]
pub struct RelayServer {
    listener: TcpListener,
    shared: Arc<Served>,
}

#[derive(Debug)]
struct Served {
    address: SocketAddr,
    token: String,
    engine: Arc<RelayEngine>,
}

impl RelayServer {
    /// Listens on this port of 127.0.0.1; 0: any free one.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn bind(
        port: u16,
        token: String,
        engine: Arc<RelayEngine>,
    ) -> io::Result<RelayServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        RelayServer::on(listener, token, engine)
    }

    /// Serves on a port that listens already.
    ///
    /// # Errors
    /// When the address of the port cannot be read.
    pub fn on(
        listener: TcpListener,
        token: String,
        engine: Arc<RelayEngine>,
    ) -> io::Result<RelayServer> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Served {
            address,
            token,
            engine,
        });
        let server = RelayServer { listener, shared };
        server.shared.engine.listens_at(server.url());
        Ok(server)
    }

    /// The value for GOPROXY: `http://127.0.0.1:PORT/TOKEN`.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.shared.address, self.shared.token)
    }

    /// Makes room for [`MOST_CONNECTIONS`] on both sides, if the system lets this user have them.
    #[cfg(unix)]
    fn raise_the_limit_of_files() {
        use rustix::process::{Resource, getrlimit, setrlimit};

        let mut limit = getrlimit(Resource::Nofile);
        let enough = limit
            .maximum
            .map_or(ENOUGH_FILES, |most| most.min(ENOUGH_FILES));
        if limit.current.is_none_or(|now| now >= enough) {
            return;
        }
        limit.current = Some(enough);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }

    /// Serves until `stop` is ready; then finishes what is under way.
    pub async fn run(self, stop: impl Future<Output = ServerEnd>) {
        #[cfg(unix)]
        RelayServer::raise_the_limit_of_files();
        let (ending, ended) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        let end = loop {
            progress();
            tokio::select! {
                end = &mut stop => break end,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) if connections.len() < MOST_CONNECTIONS => {
                        let (shared, ended) = (Arc::clone(&self.shared), ended.clone());
                        connections.spawn(connection(shared, stream, peer, ended));
                    }
                    Ok((stream, _)) => {
                        // Best effort: it is refused in any case.
                        tokio::spawn(timeout(REFUSAL, refuse(stream)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the relay cannot accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        };
        // Idle connections close. If no other program goes on with the port, a go that is under
        // way comes back on new ones, each for one request, until it has been quiet for a moment.
        let _ = ending.send(true);
        if end == ServerEnd::Close {
            let last_calls = async {
                loop {
                    tokio::select! {
                        Ok((stream, peer)) = self.listener.accept() => {
                            let (shared, ended) = (Arc::clone(&self.shared), ended.clone());
                            connections.spawn(connection(shared, stream, peer, ended));
                        }
                        Some(_) = connections.join_next() => {}
                        () = sleep(QUIET), if connections.is_empty() => break,
                    }
                }
            };
            let _ = timeout(LAST_CALLS, last_calls).await;
        }
        drop(self.listener);
        let _ = timeout(DRAIN, async {
            while connections.join_next().await.is_some() {}
        })
        .await;
    }
}

async fn connection(
    shared: Arc<Served>,
    stream: TcpStream,
    peer: SocketAddr,
    mut ended: watch::Receiver<bool>,
) {
    if !is_own(peer, shared.address) {
        tracing::warn!(%peer, "another user of this machine has connected to the relay");
        return;
    }
    // Small answers must not wait for each other.
    let _ = stream.set_nodelay(true);
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, &request).await) }
    });
    let is_last = *ended.borrow();
    let serving = http1::Builder::new()
        .keep_alive(!is_last)
        .timer(TokioTimer::new())
        .header_read_timeout(if is_last { RESERVE } else { HEAD_LIMIT })
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let result = tokio::select! {
        result = &mut serving => result,
        () = async { drop(ended.wait_for(|ended| *ended).await) }, if !is_last => {
            serving.as_mut().graceful_shutdown();
            match timeout(RESERVE, &mut serving).await {
                Ok(result) => result,
                Err(_) if has_asked.load(Ordering::Relaxed) => serving.await,
                Err(_) => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection to the relay ended");
    }
}

/// Says that there are too many connections. The request is read: closing a connection with unread
/// bytes resets it, and the client may never see the answer.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(BUSY).await?;
    stream.shutdown().await?;
    let mut request = [0; 1024];
    while stream.read(&mut request).await? > 0 {}
    Ok(())
}

/// Reports whether the other end belongs to this user or to root. Only Linux tells.
#[cfg(target_os = "linux")]
fn is_own(peer: SocketAddr, own: SocketAddr) -> bool {
    match (peer, own) {
        (SocketAddr::V4(peer), SocketAddr::V4(own)) => super::peer::is_own(peer, own),
        (SocketAddr::V4(_) | SocketAddr::V6(_), _) => true,
    }
}

#[cfg(not(target_os = "linux"))]
fn is_own(_peer: SocketAddr, _own: SocketAddr) -> bool {
    true
}

async fn answer(shared: &Served, request: &Request<Incoming>) -> Response<Body> {
    progress();
    let refuse = |status, text: &str| refused(&Refusal::new(status, text));
    if request.method() != Method::GET {
        return refuse(405, "goroam's relay only answers GET");
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    if !is_meant(shared.address, hosts.next()) || hosts.next().is_some() {
        return refuse(
            421,
            "goroam's relay is not meant: the Host header names another",
        );
    }
    let path = request.uri().path();
    let Some(path) = below_token(path, &shared.token) else {
        return refuse(
            403,
            "goroam's relay needs the token of this machine's go env",
        );
    };
    if request.uri().query().is_some() || request.uri().authority().is_some() {
        return refuse(400, "goroam's relay serves the module proxy protocol only");
    }
    match path {
        "/" => {
            let (hops, now) = (shared.engine.hops(), Timestamp::now());
            return own(HTML, page::html(&hops, &shared.engine.stats(), now));
        }
        "/metrics" => return own(TEXT, metrics::metrics(&shared.engine)),
        _ => {}
    }
    let Some(asked) = ProxyRequest::parse(path) else {
        return refuse(404, "not a path of the module proxy protocol");
    };
    let kind = content_type(&asked);
    match shared.engine.serve(asked, path).await {
        Reply::File { content, .. } => file(content, kind),
        Reply::Refused(refusal) => refused(&refusal),
    }
}

/// The rest of a path that begins with the token; compared without a hint how much of it is right.
fn below_token<'a>(path: &'a str, token: &str) -> Option<&'a str> {
    let path = path.strip_prefix('/')?;
    let end = path.find('/').unwrap_or(path.len());
    let (given, rest) = path.split_at_checked(end)?;
    let is_same = given.len() == token.len()
        && given
            .bytes()
            .zip(token.bytes())
            .fold(0, |differs, (a, b)| differs | (a ^ b))
            == 0;
    is_same.then_some(if rest.is_empty() { "/" } else { rest })
}

fn is_meant(own: SocketAddr, host: Option<&HeaderValue>) -> bool {
    let Some(host) = host.and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let port = own.port();
    host == format!("127.0.0.1:{port}") || host.eq_ignore_ascii_case(&format!("localhost:{port}"))
}

fn content_type(request: &ProxyRequest) -> &'static str {
    match request {
        ProxyRequest::Module { file, .. } => match file {
            ModuleFile::List | ModuleFile::Mod(_) => TEXT,
            ModuleFile::Latest | ModuleFile::Info(_) => "application/json",
            ModuleFile::Zip(_) => "application/zip",
        },
        ProxyRequest::SumDb { rest, .. } => match rest {
            SumDbFile::Supported | SumDbFile::Latest | SumDbFile::Lookup(..) => TEXT,
            SumDbFile::Tile(_) => "application/octet-stream",
        },
    }
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_GATEWAY);
    whole(status, TEXT, refusal.text.clone().into())
}

fn whole(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Body> {
    let body = Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// What the relay says of itself. It is never stored, its address, in which the token is, never
/// handed on, and a browser loads nothing for it.
fn own(kind: &'static str, text: String) -> Response<Body> {
    let mut response = whole(StatusCode::OK, kind, text.into());
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::try_from(page::security_policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A file, piece by piece. If it cannot be read to its end, the connection breaks: go then sees
/// that the file is not whole.
fn file(content: Content, kind: &'static str) -> Response<Body> {
    let length = content.length();
    if let Content::Memory(bytes) = content {
        return whole(StatusCode::OK, kind, bytes);
    }
    let pieces = stream::unfold((content, 0), |(content, from)| async move {
        progress();
        match content.piece(from, PIECE) {
            Ok(piece) if piece.is_empty() => None,
            Ok(piece) => {
                let to = from + u64::try_from(piece.len()).unwrap_or(0);
                Some((Ok(Frame::data(piece)), (content, to)))
            }
            Err(error) => Some((Err(error), (content, from))),
        }
    });
    let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
