//! Byte streams: measuring what arrives, TLS, and HTTP/2 by hyper.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::attempt::{Deadline, within};
use super::fault::{self, ProbeFailure, TooMuch, refusal};
use crate::model::{Host, Phase};

/// No honest proxy sends longer headers. (go reads 10 MiB of them.)
pub(super) const MAX_HEAD: usize = 1024 * 1024;

/// A byte stream of any kind.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A stream that TLS or HTTP can run over.
pub(super) type Wire = Box<dyn Io>;

/// The beginning of an answer in plain HTTP.
const HTTP: &[u8] = b"HTTP/";

/// Records the first bytes that came over a stream, and how many more bytes may come.
#[derive(Debug)]
pub(super) struct ByteMeter {
    start: Mutex<Vec<u8>>,
    left: AtomicU64,
}

impl ByteMeter {
    /// Counts the bytes that come over the stream.
    pub(super) fn on(wire: Wire) -> (Wire, Arc<ByteMeter>) {
        let meter = Arc::new(ByteMeter {
            start: Mutex::default(),
            left: AtomicU64::new(u64::MAX),
        });
        let (read, write) = tokio::io::split(wire);
        let counted = Counted(read, Arc::clone(&meter));
        (Box::new(tokio::io::join(counted, write)), meter)
    }

    /// From now on allows this many bytes.
    pub(super) fn allow(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// Allows this many more.
    pub(super) fn add(&self, bytes: u64) {
        if !self.is_spent() {
            self.left.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn note(&self, bytes: &[u8]) {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        let room = HTTP.len().saturating_sub(start.len());
        start.extend(bytes.iter().take(room));
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let left = self.left.load(Ordering::Relaxed).saturating_sub(count);
        self.left.store(left, Ordering::Relaxed);
    }

    /// Reports whether the stream began like plain HTTP.
    fn began_with_http(&self) -> bool {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner) == HTTP
    }
}

struct Counted<R>(R, Arc<ByteMeter>);

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.1.is_spent() {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(cx, buf))?;
        self.1.note(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

/// Performs the TLS handshake; returns the milliseconds it took, and whether the server chose
/// HTTP/2.
pub(super) async fn handshake(
    wire: Wire,
    config: Arc<ClientConfig>,
    (host, peer): (&str, String),
    deadline: Deadline,
) -> Result<(Wire, f64, bool), ProbeFailure> {
    // As in go: no dot at the end of a name, and `::ffff:10.0.0.1` is 10.0.0.1.
    let plain = Host::parse(host).map_or_else(|| host.to_owned(), |host| host.to_string());
    let name = ServerName::try_from(plain)
        .map_err(|_| refusal(Phase::Tls, format!("{host} is not a host name")))?;
    let missing = || format!("no TLS handshake with {peer}");
    let (wire, meter) = ByteMeter::on(wire);
    let connect = TlsConnector::from(config).connect(name, wire);
    let (stream, took) = within(deadline, Phase::Tls, missing, connect).await?;
    let stream = stream.map_err(|error| {
        if meter.began_with_http() {
            fault::plain_http(&peer)
        } else {
            fault::of(&error, Phase::Tls, &peer)
        }
    })?;
    let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((Box::new(stream), took, two))
}

/// The limit for bytes of one answer beside its body: frames, interim answers. A server that sends
/// endlessly reaches it within milliseconds.
const MOST_BESIDE: u64 = MAX_HEAD as u64 + 64 * 1024;
/// The limit for bytes on the wire for one byte of a body: frames may be small.
const MOST_FOR_ONE: u64 = 4;
/// How many bytes of a body are allowed before they have come.
const MOST_AHEAD: usize = 1024 * 1024;
/// How much a server may send before it is read.
const WINDOW: u32 = 512 * 1024;

/// An HTTP/2 connection. The tasks that move its bytes end when it is dropped.
pub(super) struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
    pub(super) meter: Arc<ByteMeter>,
    _tasks: Arc<Mutex<JoinSet<()>>>,
}

/// Spawns tasks that end with the connection.
#[derive(Clone)]
struct Beside(Weak<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Beside {
    fn execute(&self, task: F) {
        if let Some(tasks) = self.0.upgrade() {
            let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
            tasks.spawn(task);
        }
    }
}

impl Http2 {
    /// Starts HTTP/2 on an open connection. Its errors are returned to the request or the body that
    /// waits.
    pub(super) async fn start(wire: Wire) -> Result<Http2, hyper::Error> {
        let tasks = Arc::new(Mutex::new(JoinSet::new()));
        let beside = Beside(Arc::downgrade(&tasks));
        let (wire, meter) = ByteMeter::on(wire);
        meter.allow(MOST_BESIDE);
        let (sender, connection) = Builder::new(beside.clone())
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(TokioIo::new(wire))
            .await?;
        hyper::rt::Executor::execute(&beside, async move {
            let _ = connection.await;
        });
        Ok(Http2 {
            sender,
            meter,
            _tasks: tasks,
        })
    }

    /// Waits until another request can be sent; reports whether the connection is still open.
    pub(super) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request; the body of its answer may have this many bytes.
    pub(super) async fn ask(
        &mut self,
        request: Request<Empty<Bytes>>,
        body: usize,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.meter
            .allow(on_the_wire(body.min(MOST_AHEAD)) + MOST_BESIDE);
        self.sender.send_request(request).await
    }

    /// Notes that this many bytes of the body have come: more may follow.
    pub(super) fn came(meter: &ByteMeter, body: usize) {
        meter.add(on_the_wire(body));
    }
}

fn on_the_wire(body: usize) -> u64 {
    let body = u64::try_from(body).unwrap_or(u64::MAX);
    body.saturating_mul(MOST_FOR_ONE)
}
