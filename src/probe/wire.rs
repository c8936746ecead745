//! What the bytes of a connection go through: a count of what came, TLS, and HTTP in one of its
//! two versions.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::head::{Heads, MAX_HEAD, MAX_HEADERS};
use crate::model::GoRelease;

/// Bytes of one answer beside its body, and of a handshake: TLS records, frames, interim answers.
/// A server that sends without end comes to this within milliseconds.
const MOST_BESIDE: u64 = MAX_HEAD as u64 + 64 * 1024;
/// Bytes on the wire for one of a body: chunks, frames and records may be small.
const MOST_FOR_ONE: u64 = 4;
/// What of a body counts before it has come.
const MOST_AHEAD: usize = 1024 * 1024;
/// What a server may send ahead of being read.
const WINDOW: u32 = 512 * 1024;

/// A stream of bytes, whatever it is made of.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One that TLS or HTTP can be spoken over.
pub(super) type Wire = Box<dyn Io>;

/// How many bytes may still come.
#[derive(Debug)]
pub(super) struct ByteMeter(AtomicU64);

/// More bytes came than any answer has.
#[derive(Debug)]
pub(super) struct TooMuch;

impl ByteMeter {
    pub(super) fn new() -> Arc<ByteMeter> {
        Arc::new(ByteMeter(AtomicU64::new(MOST_BESIDE)))
    }

    /// From now on: one answer with a body of so many bytes.
    pub(super) fn allow(&self, body: usize) {
        let most = for_body(body.min(MOST_AHEAD)).saturating_add(MOST_BESIDE);
        self.0.store(most, Ordering::Relaxed);
    }

    /// So many bytes of the body have come: more may follow.
    pub(super) fn came(&self, body: usize) {
        if !self.is_spent() {
            self.0.fetch_add(for_body(body), Ordering::Relaxed);
        }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn take(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let left = self.0.load(Ordering::Relaxed).saturating_sub(bytes);
        self.0.store(left, Ordering::Relaxed);
    }
}

fn for_body(bytes: usize) -> u64 {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    bytes.saturating_mul(MOST_FOR_ONE)
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sends bytes without end")
    }
}

impl Error for TooMuch {}

/// A connection whose bytes are counted.
pub(super) struct Counted {
    stream: TcpStream,
    meter: Arc<ByteMeter>,
}

impl Counted {
    pub(super) fn new(stream: TcpStream, meter: &Arc<ByteMeter>) -> Counted {
        let meter = Arc::clone(meter);
        Counted { stream, meter }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.is_spent() {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.meter.take(buf.filled().len().saturating_sub(before));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Sends requests in the version of HTTP that the server has chosen.
#[derive(Debug)]
pub(super) enum Sender {
    One(http1::SendRequest<Empty<Bytes>>),
    Two(http2::SendRequest<Empty<Bytes>>),
}

/// What moves the bytes; it ends when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Driver(Arc<Mutex<JoinSet<()>>>);

/// Spawns beside the driver's other tasks, as long as there is one.
#[derive(Clone)]
struct Beside(Weak<Mutex<JoinSet<()>>>);

impl<F> hyper::rt::Executor<F> for Beside
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        if let Some(tasks) = self.0.upgrade() {
            tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .spawn(task);
        }
    }
}

/// Starts HTTP on an open connection. Its errors reach the request or the body that waits.
pub(super) async fn start(
    wire: Wire,
    two: bool,
    release: GoRelease,
) -> Result<(Sender, Driver), hyper::Error> {
    use hyper::rt::Executor as _;
    let driver = Driver::default();
    let beside = Beside(Arc::downgrade(&driver.0));
    let sender = if two {
        let (sender, connection) = http2::Builder::new(beside.clone())
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(TokioIo::new(wire))
            .await?;
        beside.execute(async move {
            let _ = connection.await;
        });
        Sender::Two(sender)
    } else {
        let (sender, connection) = http1::Builder::new()
            // What `Heads` hands on may be a little longer than what it was.
            .max_buf_size(2 * MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .title_case_headers(true)
            .handshake(TokioIo::new(Heads::new(wire, release)))
            .await?;
        beside.execute(async move {
            let _ = connection.await;
        });
        Sender::One(sender)
    };
    Ok((sender, driver))
}

impl Sender {
    pub(super) fn is_two(&self) -> bool {
        matches!(self, Sender::Two(_))
    }

    /// Waits until another request can be sent. Is the connection still open?
    pub(super) async fn is_open(&mut self) -> bool {
        match self {
            Sender::One(sender) => sender.ready().await.is_ok(),
            Sender::Two(sender) => sender.ready().await.is_ok(),
        }
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Empty<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Sender::One(sender) => sender.send_request(request).await,
            Sender::Two(sender) => sender.send_request(request).await,
        }
    }
}
