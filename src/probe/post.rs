//! Posts JSON to a collector: it is not a server that go asks, but it is reached through the same
//! proxies, and must have the same roots. All that it sends is bounded as for a probe.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use url::Url;

use super::answer::WantedBody;
use super::attempt::ProbeAttempt;
use super::connection::{Connection, JsonPost, RequestParts};
use super::fault::ProbeFailure;
use super::http1::UserAgent;
use super::round::Prober;
use super::tunnel::Via;
use crate::environment::Environment;
use crate::model::{Limits, Target};

/// The caller ends it earlier.
const LIMITS: Limits = Limits {
    connect: LONG,
    first_byte: LONG,
    patience: LONG,
    total: LONG,
    retries: 0,
};
const LONG: Duration = Duration::from_secs(60);

/// How much of the answer is read, in bytes.
const MOST_OF_ANSWER: usize = 4096;

/// The answer to what was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The first bytes of the body.
    pub body: Vec<u8>,
}

/// Posts JSON once, and follows no redirect. The caller limits the time.
///
/// # Errors
/// When there was no answer: the reason, in words, without credentials.
pub async fn post(
    env: &Environment,
    url: &Url,
    headers: &[(String, String)],
    body: String,
) -> Result<Posted, String> {
    let sent = send(&Prober::new(env), url, headers, &body).await;
    sent.map_err(|failure| failure.reason)
}

async fn send(
    prober: &Prober,
    url: &Url,
    headers: &[(String, String)],
    body: &str,
) -> Result<Posted, ProbeFailure> {
    let shared = prober.shared();
    let via = shared.rules.for_url(url).ok().flatten();
    let target = Target::page(url.as_str(), LIMITS);
    let mut attempt = ProbeAttempt::start(&target, None);
    let tls = if url.scheme() == "https" || via.is_some_and(Via::is_tls) {
        let (tls, doubt) = (&shared.tls, &attempt.doubt);
        let config = tls.config(&shared.env, &target, None, doubt).await?;
        let mut config = ClientConfig::clone(&config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Some(Arc::new(config))
    } else {
        None
    };
    let ask = RequestParts {
        agent: UserAgent::Library,
        credentials: None,
        referer: None,
        want: WantedBody::Body(MOST_OF_ANSWER),
        resume: None,
        has: None,
        post: Some(JsonPost { headers, body }),
    };
    let mut connection = Connection::open(&mut attempt, url, via, tls, shared.release).await?;
    let answer = connection.get(&mut attempt, url, &ask).await?;
    Ok(Posted {
        status: answer.status.as_u16(),
        retry_after: answer.retry_after(),
        body: answer.body,
    })
}
