//! Fetches one file over HTTP as the go command would: with its proxies, roots, netrc and
//! redirects; bounded in time and size.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use super::answer::WantedBody;
use super::attempt::{Download, ProbeAttempt};
use super::connection::Connection;
use super::fault::{ProbeFailure, refusal};
use super::goproxy;
use super::round::Prober;
use super::session::ProbeSession;
use crate::environment::Environment;
use crate::model::{Cause, Limits, Phase, Target, Verdict};

/// How much is read of an answer that is not the file, in bytes.
const MOST_TEXT: usize = 4096;

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The body, up to the requested size.
    pub body: Vec<u8>,
    /// The body is longer than the requested size.
    pub cut: bool,
    /// It is an HTML page, like a login page instead of a file.
    pub html: bool,
    /// The target of a redirect, if it leads away from the requested server.
    pub led_to: Option<Url>,
    /// The entity tag of the body.
    pub etag: Option<String>,
    /// `Retry-After`, if it is in seconds or a date (then relative to `Date`); RFC 9110, 10.2.3.
    pub retry_after: Option<Duration>,
}

/// There was no answer that could be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unfetched {
    /// The phase that was reached.
    pub phase: Phase,
    /// `portal` if something else answered instead of the server.
    pub verdict: Verdict,
    /// The cause, for programs.
    pub cause: Cause,
    /// The reason, in a user's words; it has no credentials.
    pub reason: String,
    /// A time limit was reached.
    pub timed_out: bool,
    /// Another request would only get the same answer.
    pub definite: bool,
}

/// Fetches files.
#[derive(Debug)]
pub struct Fetcher {
    prober: Prober,
    /// Open connections, the most recently used one last.
    open: Mutex<Vec<Connection>>,
    /// How many connections may stay open.
    most_open: usize,
}

impl Fetcher {
    /// Uses the rules of this environment. Nothing is kept between two files.
    pub fn new(env: &Environment) -> Fetcher {
        Fetcher::keeping(env, 0)
    }

    /// The same, for many small files: up to this many connections stay open until the fetcher is
    /// dropped, and each serves one file after another. Must not be kept across a change of
    /// networks.
    pub fn keeping(env: &Environment, connections: usize) -> Fetcher {
        Fetcher {
            prober: Prober::new(env),
            open: Mutex::default(),
            most_open: connections,
        }
    }

    /// Fetches one file, at most `most` bytes of it, within `limits` (no retries).
    ///
    /// # Errors
    /// When no answer came in time or at all.
    pub async fn get(&self, url: &str, limits: Limits, most: usize) -> Result<Fetched, Unfetched> {
        Ok(self.ask(url, limits, most, true, None, None).await?)
    }

    /// Fetches one file of any size. The body of a 200 goes to `download`, and so does the rest of a
    /// file that was asked for, whose 206 is told as 200. The answer has its first bytes, and of another
    /// status the text.
    ///
    /// # Errors
    /// When no answer came in time or at all, or its body did not come to its end.
    pub async fn download(
        &self,
        url: &str,
        limits: Limits,
        download: Download,
    ) -> Result<Fetched, Unfetched> {
        Ok(self
            .ask(url, limits, MOST_TEXT, true, Some(download), None)
            .await?)
    }

    /// Does the same with this server only: a redirect is returned as the answer, and `led_to` is
    /// its target.
    ///
    /// # Errors
    /// When no answer came in time or at all.
    pub async fn get_here(
        &self,
        url: &str,
        limits: Limits,
        most: usize,
    ) -> Result<Fetched, Unfetched> {
        self.get_changed(url, limits, most, None).await
    }

    /// Does the same, and gets a 304 without a body if the file still has this entity tag.
    ///
    /// # Errors
    /// When no answer came in time or at all.
    pub async fn get_changed(
        &self,
        url: &str,
        limits: Limits,
        most: usize,
        etag: Option<&str>,
    ) -> Result<Fetched, Unfetched> {
        Ok(self.ask(url, limits, most, false, None, etag).await?)
    }

    async fn ask(
        &self,
        url: &str,
        limits: Limits,
        most: usize,
        follow: bool,
        download: Option<Download>,
        etag: Option<&str>,
    ) -> Result<Fetched, ProbeFailure> {
        let target = Target::page(url, limits);
        let unread = |error| refusal(Phase::Connect, format!("its URL cannot be read: {error}"));
        let url = Url::parse(url).map_err(unread)?;
        let mut attempt = ProbeAttempt::start(&target, None);
        attempt.download = download;
        let mut session = ProbeSession::new(self.prober.shared(), &target, &mut attempt);
        session.take(self.lend(&url));
        let answer = if follow {
            session.follow(&url, WantedBody::Body(most), true).await
        } else {
            let want = WantedBody::Body(most);
            session.unless(etag).once(&url, want).await
        };
        self.keep(session.give().filter(|line| line.leads_to(&url)));
        let answer = answer?;
        let led_to = if follow {
            answer.led_to.as_ref().map(|(_, url)| url.clone())
        } else {
            answer.redirect()
        };
        Ok(Fetched {
            status: answer.status.as_u16(),
            html: answer.is_html(),
            cut: answer.cut,
            led_to,
            retry_after: answer.retry_after(),
            etag: answer.etag().map(str::to_owned),
            body: answer.body,
        })
    }

    /// Takes an open connection to this server.
    fn lend(&self, url: &Url) -> Option<Connection> {
        let mut open = self.open();
        let at = open.iter().rposition(|line| line.leads_to(url))?;
        Some(open.remove(at))
    }

    /// Keeps a connection; the least recently used one is dropped to make room.
    fn keep(&self, line: Option<Connection>) {
        let Some(line) = line.filter(|_| self.most_open > 0) else {
            return;
        };
        let mut open = self.open();
        if open.len() >= self.most_open {
            open.remove(0);
        }
        open.push(line);
    }

    fn open(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Each connection is in a valid state, even if a thread panicked while it held the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the URL of a file of a module proxy, as go writes it; `path` is below the proxy's `base`.
///
/// # Errors
/// When go could not ask this base.
pub fn url_below(base: &str, path: &str) -> Result<Url, Unfetched> {
    Ok(goproxy::below(&goproxy::base_url(base)?, path))
}

/// The same for a path that go has escaped.
///
/// # Errors
/// When go could not ask this base.
pub fn url_below_escaped(base: &str, path: &str) -> Result<Url, Unfetched> {
    Ok(goproxy::below_escaped(&goproxy::base_url(base)?, path))
}

impl From<ProbeFailure> for Unfetched {
    fn from(failure: ProbeFailure) -> Unfetched {
        Unfetched {
            phase: failure.phase,
            verdict: failure.verdict,
            cause: failure.cause,
            reason: failure.reason,
            timed_out: failure.timed_out,
            definite: failure.definite,
        }
    }
}
