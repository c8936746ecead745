//! A page through an HTTP or SOCKS proxy, fetched with reqwest. go fetches no pages, so the request
//! need not look like go's. The phases cannot be distinguished, so only the time to the answer is
//! known.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use hyper::header::USER_AGENT;
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy};
use rustls::ClientConfig;
use url::{Host, Url};

use super::answer::{BodySource, HttpAnswer, wants_credentials};
use super::attempt::{ProbeAttempt, within};
use super::connection::RequestParts;
use super::dial::{is_dialled, peer};
use super::fault::{self, ProbeFailure, authority, chain, down, quoted, refusal};
use super::goauth::Headers;
use super::http1::UserAgent;
use super::tls::trusting_none;
use super::tunnel::{Via, of_the_proxy, strange};
use crate::model::Phase;
use crate::model::go_proxy::Speech;

/// More headers than any honest page has.
const MAX_HEADERS: usize = 1000;

/// Returns the proxy in reqwest's form. `None`: reqwest would not connect as go does.
pub(super) fn proxy(via: &Via, url: &Url) -> Option<Proxy> {
    let at = via.proxy();
    let login = at.url.user.as_ref();
    let scheme = match at.speech {
        Speech::Http => "http",
        // The proxy looks the name up. With a login, reqwest fails if the proxy requires none.
        Speech::Socks5 if login.is_none() => "socks5h",
        // reqwest would take the proxy's certificate for the server's.
        Speech::Socks5 | Speech::Https => return None,
    };
    // reqwest keeps brackets, and a dot at the end, in the name that it expects in the certificate.
    let is_plain = match url.host()? {
        Host::Domain(name) => !name.ends_with('.'),
        Host::Ipv4(_) => true,
        Host::Ipv6(_) => false,
    };
    if !is_plain || !is_dialled(&at.host) {
        return None;
    }
    let proxy = Proxy::all(format!("{scheme}://{}", peer(&at.host, at.port?))).ok()?;
    let Some(user) = login else {
        return Some(proxy);
    };
    let password = user.password.as_deref().unwrap_or_default();
    let Headers(headers) = Headers::basic(&user.name, password)?;
    let (_, header) = headers.into_iter().next()?;
    Some(proxy.custom_http_auth(header))
}

/// Sends one request on a new connection.
pub(super) async fn get(
    attempt: &mut ProbeAttempt,
    url: &Url,
    (proxy, via): (Proxy, &Via),
    tls: Option<Arc<ClientConfig>>,
    ask: &RequestParts<'_>,
) -> Result<HttpAnswer, ProbeFailure> {
    let name = via.to_string();
    let client = client(Some(proxy), tls)
        .map_err(|why| refusal(Phase::Connect, format!("{name} cannot be used: {why}")))?;
    let mut request = client
        .get(url.clone())
        .header(USER_AGENT, ask.agent.header(false));
    for (name, value) in ask.credentials.into_iter().flat_map(Headers::sent) {
        request = request.header(name, value);
    }
    let peer = format!("{} through {name}", authority(url));
    let deadline = attempt.answer_deadline();
    let missing = || format!("no answer from {peer}");
    // The deadline also ends an endless series of interim answers (1xx).
    let (response, took) = within(deadline, Phase::FirstByte, missing, request.send()).await?;
    let response = response.map_err(|error| fault_of(&error, Phase::FirstByte, url, &name))?;
    attempt.phases.first_byte.get_or_insert(took);
    // Over TLS or SOCKS an HTTP proxy cannot have written the answer.
    let in_clear = url.scheme() == "http" && via.proxy().speech == Speech::Http;
    let answer = HttpAnswer {
        url: url.clone(),
        status: response.status(),
        headers: response.headers().clone(),
        body: Vec::new(),
        cut: false,
        led_to: None,
        through: in_clear.then(|| name.clone()),
    };
    let fault = |error: &(dyn Error + 'static)| fault_of(error, Phase::Body, url, &name);
    let mut source = BodySource::Page(response);
    let read = answer.read(&mut source, attempt, ask.want, &peer, &fault);
    Ok(read.await?.0)
}

/// Makes a client for one request: it follows no redirect, does not retry and keeps no connection
/// open.
pub(super) fn client(
    proxy: Option<Proxy>,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Client, Box<dyn Error>> {
    // Without settings reqwest would look for a default provider, and panic.
    let mut tls = match tls {
        Some(config) => ClientConfig::clone(&config),
        None => trusting_none()?,
    };
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut builder = Client::builder().no_proxy();
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy);
    }
    let client = builder
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .http1_only()
        .http1_max_headers(MAX_HEADERS)
        .http1_title_case_headers()
        // CONNECT has this header, as net/http sends it.
        .user_agent(UserAgent::Library.header(false))
        .tls_backend_preconfigured(tls)
        .build()?;
    Ok(client)
}

/// Describes the errors below reqwest's. reqwest's own error contains the URL, and is not used.
pub(super) fn fault_of(
    error: &(dyn Error + 'static),
    phase: Phase,
    url: &Url,
    via: &str,
) -> ProbeFailure {
    let to = authority(url);
    let down = |reason: String| down(Phase::Connect, reason);
    let below = || chain(error).skip(1);
    if below().any(|error| error.is::<rustls::Error>()) {
        return fault::of(error, Phase::Tls, &to);
    }
    if let Some(error) = below().find(|error| error.is::<hyper::Error>()) {
        return fault::of(error, phase, &format!("{to} through {via}"));
    }
    let texts: Vec<String> = below().map(ToString::to_string).collect();
    let says = |what: &str| texts.iter().any(|text| text.contains(what));
    if says("proxy authorization required") || says("user/pass authentication") {
        return wants_credentials(via);
    }
    if says("headers too long") || says("failed parsing server response") {
        return strange(via);
    }
    if says("tunnel error: unsuccessful") {
        return down(format!("{via} does not connect to {to}"));
    }
    let mut socks = texts
        .iter()
        .filter_map(|text| text.strip_prefix("SOCKS error: "));
    match socks.next() {
        // reqwest does not tell the cause.
        Some("failed to create underlying connection") => {
            return down(format!("no connection to {via}"));
        }
        Some(why) => return down(format!("{via} does not connect to {to}: {}", quoted(why))),
        None => {}
    }
    if says("tunnel error: unexpected end of file") {
        return fault::of(
            &io::Error::from(ErrorKind::UnexpectedEof),
            Phase::Connect,
            via,
        );
    }
    match below().find_map(|error| error.downcast_ref::<io::Error>()) {
        Some(error) if says("dns error") => of_the_proxy(fault::lookup(error, via), via),
        Some(error) if says("tcp connect error") || says("tunnel error") => {
            fault::of(error, Phase::Connect, via)
        }
        Some(error) => fault::of(error, Phase::Tls, &to),
        None => fault::down(phase, format!("no answer from {to} through {via}")),
    }
}
