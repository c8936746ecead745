//! HTTP/2, by hyper.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::http1::MAX_HEAD;
use super::wire::{ByteMeter, Wire};

/// Bytes of one answer beside its body: frames, interim answers. A server that sends without end
/// comes to this within milliseconds.
const MOST_BESIDE: u64 = MAX_HEAD as u64 + 64 * 1024;
/// Bytes on the wire for one of a body: frames may be small.
const MOST_FOR_ONE: u64 = 4;
/// What of a body counts before it has come.
const MOST_AHEAD: usize = 1024 * 1024;
/// What a server may send ahead of being read.
const WINDOW: u32 = 512 * 1024;

/// A connection in HTTP/2. What moves its bytes ends when it is dropped.
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
    /// Starts HTTP/2 on an open connection. Its errors reach the request or the body that waits.
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

    /// Waits until another request can be sent. Is the connection still open?
    pub(super) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Asks for an answer with a body of so many bytes.
    pub(super) async fn ask(
        &mut self,
        request: Request<Empty<Bytes>>,
        body: usize,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.meter
            .allow(on_the_wire(body.min(MOST_AHEAD)) + MOST_BESIDE);
        self.sender.send_request(request).await
    }

    /// So many bytes of the body have come: more may follow.
    pub(super) fn came(meter: &ByteMeter, body: usize) {
        meter.add(on_the_wire(body));
    }
}

fn on_the_wire(body: usize) -> u64 {
    let body = u64::try_from(body).unwrap_or(u64::MAX);
    body.saturating_mul(MOST_FOR_ONE)
}
