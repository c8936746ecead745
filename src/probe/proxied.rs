//! A request through the HTTP or SOCKS proxy that go's rules name. reqwest walks the way
//! there; its phases cannot be told apart, so only the time to the answer is known.

use std::error::Error;
use std::sync::Arc;

use reqwest::redirect::Policy;
use reqwest::{Client, Proxy};
use rustls::ClientConfig;
use url::Url;

use super::answer::{self, Answer, Want};
use super::attempt::{Attempt, within};
use super::dial::is_dialled;
use super::failure::{Failure, authority};
use super::fault;
use super::handed::Headers;
use super::header::AGENT;
use super::rules::Via;
use super::tls::{tls_error, trusting_nobody};
use crate::model::Phase;
use crate::model::go_proxy::Speech;

/// One request on a connection of its own.
pub(super) async fn get(
    attempt: &mut Attempt,
    url: &Url,
    via: &Via,
    tls: Option<Arc<ClientConfig>>,
    credentials: Option<&Headers>,
    want: Want,
) -> Result<Answer, Failure> {
    let client = client(attempt, via, tls)?;
    let mut request = client.get(url.clone());
    for (name, value) in credentials.into_iter().flat_map(Headers::sent) {
        request = request.header(name, value);
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
    let proxy = proxy(via)?;
    // Without settings of its own reqwest would look for a default provider, and panic.
    let tls = match tls {
        Some(config) => ClientConfig::clone(&config),
        None => trusting_nobody().map_err(|error| {
            Failure::refusal(Phase::Connect, format!("{via} cannot be used: {error}"))
        })?,
    };
    let builder = Client::builder()
        .no_proxy()
        .proxy(proxy)
        .redirect(Policy::none())
        .http1_only()
        .pool_max_idle_per_host(0)
        .retry(reqwest::retry::never())
        .user_agent(AGENT)
        .connect_timeout(attempt.connect_deadline().remaining())
        .tls_backend_preconfigured(tls);
    builder
        .build()
        .map_err(|_| unusable(via, "it cannot be spoken to"))
}

fn unusable(via: &Via, why: &str) -> Failure {
    Failure::refusal(Phase::Connect, format!("{via} cannot be used: {why}"))
}

/// The proxy as go would use it, in reqwest's words.
fn proxy(via: &Via) -> Result<Proxy, Failure> {
    let proxy = via.proxy();
    let Some(port) = proxy.port else {
        return Err(unusable(via, "go dials no such port"));
    };
    if !is_dialled(&proxy.host) {
        return Err(unusable(
            via,
            "go asks DNS for that name, and there is none",
        ));
    }
    let host = match proxy.host.as_str() {
        // `net.Dial` takes no host for this machine.
        "" => "127.0.0.1".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    // Go gives a SOCKS proxy the name, not an address; reqwest calls that socks5h.
    let scheme = match proxy.speech {
        Speech::Http => "http",
        Speech::Https => "https",
        Speech::Socks5 => "socks5h",
    };
    let no_host = || unusable(via, "its host is none");
    let mut url = Url::parse(&format!("{scheme}://{host}:{port}")).map_err(|_| no_host())?;
    if !url.has_host() || url.port_or_known_default() != Some(port) {
        return Err(no_host());
    }
    let mut header = None;
    if let Some(user) = &proxy.url.user {
        let password = user.password.as_deref().unwrap_or_default();
        if proxy.speech == Speech::Socks5 {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let _ = url.set_username(&text(&user.name));
            let _ = url.set_password(Some(&text(password)));
        } else {
            header = Headers::basic(&user.name, password);
        }
    }
    let made = Proxy::all(url.as_str()).map_err(|_| no_host())?;
    Ok(match header {
        Some(Headers(all)) => match all.into_iter().next() {
            Some((_, value)) => made.custom_http_auth(value),
            None => made,
        },
        None => made,
    })
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
