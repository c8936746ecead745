//! Addresses, by if-watch: a second opinion beside our own route messages.
//!
//! It must not be the only one. It knows neither links nor routes, mixes up the same address
//! on two links, and loses messages in a flood without a word (measured: 256 of 4000 seen).

use std::io;

use if_watch::tokio::IfWatcher;

use super::event::Hint;
use super::source::Source;

/// if-watch's stream.
pub(super) struct Addresses {
    watcher: IfWatcher,
}

impl Source for Addresses {
    const NAME: &'static str = "address messages";

    fn open() -> io::Result<Addresses> {
        let watcher = IfWatcher::new()?;
        Ok(Addresses { watcher })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        std::future::poll_fn(|cx| self.watcher.poll_if_event(cx)).await?;
        Ok(Hint::Network)
    }
}
