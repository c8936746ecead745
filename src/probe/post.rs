//! Posts JSON to a collector with reqwest: it is not a server that go asks, but it is reached through
//! the same proxies, and must have the same roots.

use std::io;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, USER_AGENT};
use url::Url;

use super::answer::HttpAnswer;
use super::fault::{self, ProbeFailure, authority, chain, refusal};
use super::proxied::{client, fault_of, proxy};
use super::round::Prober;
use crate::environment::Environment;
use crate::model::{Limits, Phase, Target};

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
    let sent = send(&Prober::new(env), url, headers, body).await;
    sent.map_err(|failure| failure.reason)
}

async fn send(
    prober: &Prober,
    url: &Url,
    headers: &[(String, String)],
    body: String,
) -> Result<Posted, ProbeFailure> {
    let (shared, to) = (prober.shared(), authority(url));
    let via = shared.rules.for_url(url).ok().flatten();
    let unusable = |via| refusal(Phase::Connect, format!("{via} cannot be used for {to}"));
    let way = via.map(|via| proxy(via, url).ok_or_else(|| unusable(via.to_string())));
    let target = Target::page(url.as_str(), Limits::default());
    let tls = match url.scheme() {
        "https" => {
            let (tls, doubt) = (&shared.tls, Default::default());
            Some(tls.config(&shared.env, &target, None, &doubt).await?)
        }
        _ => None,
    };
    let client = client(way.transpose()?, tls);
    let client = client.map_err(|why| unusable(format!("goroam's client ({why})")))?;
    let mut request = client
        .post(url.clone())
        .header(USER_AGENT, concat!("goroam/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let fault = |error: reqwest::Error, phase| {
        if let Some(via) = via {
            return fault_of(&error, phase, url, &via.to_string());
        }
        let is_lookup = chain(&error).any(|error| error.to_string() == "dns error");
        match chain(&error).find_map(|error| error.downcast_ref::<io::Error>()) {
            Some(error) if is_lookup => fault::lookup(error, url.host_str().unwrap_or_default()),
            Some(_) | None => fault::of(&error, phase, &to),
        }
    };
    let sent = request.body(body).send().await;
    let mut response = sent.map_err(|error| fault(error, Phase::Connect))?;
    let mut answer = HttpAnswer {
        url: url.clone(),
        status: response.status(),
        headers: response.headers().clone(),
        body: Vec::new(),
        cut: false,
        led_to: None,
        through: None,
    };
    while !answer.cut {
        let piece = response.chunk().await;
        match piece.map_err(|error| fault(error, Phase::Body))? {
            Some(piece) => answer.push(&piece, MOST_OF_ANSWER),
            None => break,
        }
    }
    Ok(Posted {
        status: answer.status.as_u16(),
        retry_after: answer.retry_after(),
        body: answer.body,
    })
}
