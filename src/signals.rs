//! Waits for one of several signals; on Windows, for one of the console's events.

use std::fmt;
use std::io;
use std::task::{Context, Poll};

/// A signal's number.
#[cfg(unix)]
pub type Source = libc::c_int;

/// An event of the console.
#[cfg(windows)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Ctrl-C.
    CtrlC,
    /// Ctrl-Break.
    CtrlBreak,
    /// The console's window is closed.
    Close,
}

/// Polls one of tokio's streams.
type PollStream = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<()>> + Send>;

/// Signals, and what each means to the listener.
pub struct Signals<T>(Vec<(PollStream, T)>);

impl<T: Copy> Signals<T> {
    /// Starts to listen.
    ///
    /// # Errors
    /// When a signal cannot be waited for.
    pub fn listen(sources: impl IntoIterator<Item = (Source, T)>) -> io::Result<Signals<T>> {
        let sources = sources.into_iter();
        let streams = sources.map(|(source, meaning)| Ok((stream(source)?, meaning)));
        Ok(Signals(streams.collect::<io::Result<_>>()?))
    }

    /// Waits for the next one. Dropping the future loses none.
    pub async fn next(&mut self) -> T {
        std::future::poll_fn(|context| {
            let mut streams = self.0.iter_mut();
            let come =
                streams.find_map(|(poll, meaning)| poll(context).is_ready().then_some(*meaning));
            come.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl<T: fmt::Debug> fmt::Debug for Signals<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(_, meaning)| meaning))
            .finish()
    }
}

#[cfg(unix)]
fn stream(number: Source) -> io::Result<PollStream> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut stream = signal(SignalKind::from_raw(number))?;
    Ok(Box::new(move |context| stream.poll_recv(context)))
}

#[cfg(windows)]
fn stream(event: Source) -> io::Result<PollStream> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};

    Ok(match event {
        Source::CtrlC => {
            let mut stream = ctrl_c()?;
            Box::new(move |context| stream.poll_recv(context))
        }
        Source::CtrlBreak => {
            let mut stream = ctrl_break()?;
            Box::new(move |context| stream.poll_recv(context))
        }
        Source::Close => {
            let mut stream = ctrl_close()?;
            Box::new(move |context| stream.poll_recv(context))
        }
    })
}
