//! A stream that remembers how what came over it began, so that a handshake that fails can say
//! what was spoken instead of TLS.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What an answer in plain HTTP begins with.
const HTTP: &[u8] = b"HTTP/";

/// The first bytes that came.
#[derive(Debug, Clone, Default)]
pub(super) struct Beginning(Arc<Mutex<Vec<u8>>>);

impl Beginning {
    /// Is it plain HTTP?
    pub(super) fn is_http(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) == HTTP
    }

    fn note(&self, bytes: &[u8]) {
        let mut start = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = HTTP.len().saturating_sub(start.len());
        start.extend(bytes.iter().take(room));
    }
}

/// A stream whose beginning is noted.
#[derive(Debug)]
pub(super) struct Spoken<S> {
    inner: S,
    beginning: Beginning,
}

impl<S> Spoken<S> {
    pub(super) fn new(inner: S) -> (Spoken<S>, Beginning) {
        let beginning = Beginning::default();
        let noted = beginning.clone();
        (Spoken { inner, beginning }, noted)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Spoken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.beginning
            .note(buf.filled().get(before..).unwrap_or_default());
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Spoken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
