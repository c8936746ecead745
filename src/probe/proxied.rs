//! A request through the HTTP or SOCKS proxy that go's rules name. reqwest walks the way
//! there; its phases cannot be told apart, so only the time to the answer is known.

use std::error::Error;
use std::sync::Arc;

use hyper::header::AUTHORIZATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy};
use rustls::ClientConfig;
use url::Url;

use super::answer::{self, Answer, Want};
use super::attempt::{Attempt, within};
use super::failure::{Failure, authority};
use super::fault;
use super::header::{AGENT, Authorization};
use super::rules::Via;
use super::tls::{tls_error, trusting_nobody};
use crate::model::Phase;

/// One request on a connection of its own.
pub(super) async fn get(
    attempt: &mut Attempt,
    url: &Url,
    via: &Via,
    tls: Option<Arc<ClientConfig>>,
    authorization: Option<&Authorization>,
    want: Want,
) -> Result<Answer, Failure> {
    let client = client(attempt, via, tls)?;
    let mut request = client.get(url.clone());
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization.header());
    }
    let peer = authority(url);
    let missing = || format!("no answer from {peer} through {via}");
    let deadline = attempt.answer_deadline();
    let (response, took) = within(deadline, Phase::FirstByte, missing, request.send()).await?;
    let mut response = response.map_err(|error| explain(&error, Phase::Connect, &peer, via))?;
    attempt.phases.first_byte.get_or_insert(took);
    let mut answer = Answer::new(url.clone(), response.status(), response.headers());
    if url.scheme() == "http" {
        answer.hints.through = Some(via.to_string());
    }
    while answer.wants_more(want) {
        let missing = || format!("the answer of {peer} does not end");
        let (chunk, _) = within(attempt.end(), Phase::Body, missing, response.chunk()).await?;
        match chunk.map_err(|error| explain(&error, Phase::Body, &peer, via))? {
            Some(data) => answer.push(&data, want),
            None => break,
        }
    }
    if url.scheme() == "http" && answer.hints.by_proxy && !answer.status.is_success() {
        return Err(refused(&answer, via));
    }
    answer::finish(answer)
}

/// The HTTP proxy itself has answered, in the place of the server.
fn refused(answer: &Answer, via: &Via) -> Failure {
    match answer.status.as_u16() {
        407 => wants_credentials(via),
        _ => Failure::down(
            Phase::Connect,
            format!("{via} answers {} itself", answer.status_line()),
        ),
    }
}

fn wants_credentials(via: &Via) -> Failure {
    Failure::refusal(
        Phase::Connect,
        format!("{via} wants credentials: put them into the variable's URL"),
    )
}

fn client(attempt: &Attempt, via: &Via, tls: Option<Arc<ClientConfig>>) -> Result<Client, Failure> {
    let unusable = |_| Failure::refusal(Phase::Connect, format!("{via} cannot be used"));
    let mut proxy = via.url().clone();
    if proxy.scheme() == "socks5" {
        // Go gives a SOCKS proxy the name, not an address; reqwest calls that socks5h.
        let _ = proxy.set_scheme("socks5h");
    }
    // Without settings of its own reqwest would look for a default provider, and panic.
    let tls = match tls {
        Some(config) => ClientConfig::clone(&config),
        None => trusting_nobody().map_err(|error| {
            Failure::refusal(Phase::Connect, format!("{via} cannot be used: {error}"))
        })?,
    };
    let builder = Client::builder()
        .no_proxy()
        .proxy(Proxy::all(proxy.as_str()).map_err(unusable)?)
        .redirect(Policy::none())
        .http1_only()
        .pool_max_idle_per_host(0)
        .retry(reqwest::retry::never())
        .user_agent(AGENT)
        .connect_timeout(attempt.connect_deadline().remaining())
        .tls_backend_preconfigured(tls);
    builder.build().map_err(unusable)
}

fn explain(error: &reqwest::Error, phase: Phase, peer: &str, via: &Via) -> Failure {
    if let Some(error) = tls_error(error) {
        return fault::tls(error, peer);
    }
    let says = |what: &str| chain(error).any(|error| error.to_string().contains(what));
    if says("proxy authorization required") {
        return wants_credentials(via);
    }
    if says("tunnel error: unsuccessful") {
        return Failure::down(Phase::Connect, format!("{via} opens no way to {peer}"));
    }
    if error.is_timeout() {
        return Failure::down(
            Phase::Connect,
            format!("no connection to {peer} through {via}"),
        );
    }
    if says("dns error") {
        return Failure::down(Phase::Dns, format!("DNS does not know {via}"));
    }
    match fault::inner_io(error) {
        Some(error) => fault::socket(error, phase, &via.to_string()),
        None => Failure::down(phase, format!("{via} gives no answer of {peer}")),
    }
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| {
        error.source()
    })
}
