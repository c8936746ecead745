//! A connection to one server, direct or through a proxy, over which requests are sent one after
//! another.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::header::{
    ACCEPT_ENCODING, HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE, PROXY_AUTHORIZATION, RANGE,
    REFERER, USER_AGENT,
};
use rustls::ClientConfig;
use url::Url;

use super::answer::{BodySource, HttpAnswer, WantedBody};
use super::attempt::{FilePart, ProbeAttempt, within};
use super::dial::{bare_host, dial, peer};
use super::fault::{self, ProbeFailure, authority, refusal};
use super::goauth::Headers;
use super::http1::{Http1, UserAgent, canonical};
use super::tunnel::{self, Forward, Via};
use super::wire::{Http2, Wire, handshake};
use crate::model::{GoRelease, Phase};

/// Additional parts of a request.
pub(super) struct RequestParts<'a> {
    pub(super) agent: UserAgent,
    pub(super) credentials: Option<&'a Headers>,
    /// The URL that redirected here.
    pub(super) referer: Option<&'a Url>,
    pub(super) want: WantedBody,
    /// The part that is already there, if only the rest of a file is wanted.
    pub(super) resume: Option<FilePart>,
    /// The entity tag of what the caller has: the body is wanted only if it has another one.
    pub(super) has: Option<&'a str>,
    /// JSON that is posted, over HTTP/1 only.
    pub(super) post: Option<JsonPost<'a>>,
}

/// JSON for a server that go does not ask.
#[derive(Clone, Copy)]
pub(super) struct JsonPost<'a> {
    /// Further headers, in one line each.
    pub(super) headers: &'a [(String, String)],
    pub(super) body: &'a str,
}

/// An open connection.
pub(super) struct Connection {
    /// Scheme, host and port.
    origin: url::Origin,
    http: Http,
    /// An answer was not read to its end, so no other answer can follow it.
    spent: bool,
    /// Set if an HTTP proxy at the other end forwards each request.
    forward: Option<Forward>,
    /// The server, and the proxy on the way to it, for messages.
    peer: String,
}

enum Http {
    One(Http1),
    Two(Http2),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.peer).finish()
    }
}

impl Connection {
    /// Opens a connection within the connect limit. `tls`: how certificates are judged, if there
    /// are any on the way; `release`: the go version whose rules apply to the answers.
    pub(super) async fn open(
        attempt: &mut ProbeAttempt,
        url: &Url,
        via: Option<&Via>,
        tls: Option<Arc<ClientConfig>>,
        release: GoRelease,
    ) -> Result<Connection, ProbeFailure> {
        let (wire, forward, deadline, peer) = match via {
            None => {
                let deadline = attempt.connect_deadline();
                let (host, port) = (bare_host(url), url.port_or_known_default().unwrap_or(80));
                let label = peer(&host, port);
                let stream = dial(attempt, deadline, (&host, port), &label).await?;
                let wire: Wire = Box::new(stream);
                (wire, None, deadline, authority(url))
            }
            Some(via) => {
                // The time that the proxy needs to connect cannot be distinguished from the
                // server's.
                let deadline = attempt.answer_deadline();
                let (wire, forward) =
                    tunnel::through(attempt, url, via, tls.as_ref(), deadline).await?;
                let peer = format!("{} through {via}", authority(url));
                (wire, forward, deadline, peer)
            }
        };
        let mut two = false;
        let mut wire = wire;
        if let Some(config) = tls.filter(|_| url.scheme() == "https") {
            let at = (bare_host(url), authority(url));
            let took;
            (wire, took, two) = handshake(wire, config, (&at.0, at.1), deadline).await?;
            attempt.phases.tls.get_or_insert(took);
            attempt.prove();
        }
        let http = if two {
            let started = Http2::start(wire).await;
            Http::Two(started.map_err(|error| fault::of(&error, Phase::Connect, &peer))?)
        } else {
            Http::One(Http1::new(wire, release))
        };
        Ok(Connection {
            origin: url.origin(),
            http,
            spent: false,
            forward,
            peer,
        })
    }

    /// Reports whether the connection leads to this URL's server and another request can follow.
    pub(super) fn leads_to(&self, url: &Url) -> bool {
        !self.spent && self.origin == url.origin()
    }

    /// Reports the same, and whether the connection is still open.
    pub(super) async fn serves(&mut self, url: &Url) -> bool {
        self.leads_to(url)
            && match &mut self.http {
                Http::One(http) => http.is_open().await,
                Http::Two(http) => http.is_open().await,
            }
    }

    /// Sends one request and reads one answer.
    pub(super) async fn get(
        &mut self,
        attempt: &mut ProbeAttempt,
        url: &Url,
        ask: &RequestParts<'_>,
    ) -> Result<HttpAnswer, ProbeFailure> {
        self.spent = true;
        let deadline = attempt.first_byte_deadline();
        let (peer, forward) = (&self.peer, self.forward.as_ref());
        let missing = || format!("no answer from {peer}");
        let (head, mut rest) = match &mut self.http {
            Http::One(http) => {
                let request = http1_request(url, ask, forward);
                let asked = http.ask(&request);
                let (head, took) = within(deadline, Phase::FirstByte, missing, asked).await?;
                let head = head.map_err(|error| fault::of(&error, Phase::FirstByte, peer))?;
                attempt.phases.first_byte.get_or_insert(took);
                (head, BodySource::One(http))
            }
            Http::Two(http) => {
                let request = http2_request(url, ask)?;
                let meter = Arc::clone(&http.meter);
                let asked = http.ask(request, ask.want.most());
                let (response, took) = within(deadline, Phase::FirstByte, missing, asked).await?;
                let response = response.map_err(|error| match meter.is_spent() {
                    true => fault::endless(Phase::FirstByte, peer),
                    false => fault::of(&error, Phase::FirstByte, peer),
                })?;
                attempt.phases.first_byte.get_or_insert(took);
                let (head, body) = response.into_parts();
                ((head.status, head.headers), BodySource::Two(body, meter))
            }
        };
        let answer = HttpAnswer {
            url: url.clone(),
            status: head.0,
            headers: head.1,
            body: Vec::new(),
            cut: false,
            led_to: None,
            through: forward.map(|forward| forward.name.clone()),
        };
        let fault = |error: &(dyn Error + 'static)| fault::of(error, Phase::Body, peer);
        let read = answer.read(&mut rest, attempt, ask.want, peer, &fault);
        let (answer, whole) = read.await?;
        // Over HTTP/2 the rest of an answer can be dropped without affecting the next one.
        self.spent = !whole;
        Ok(answer)
    }
}

/// Returns the headers in the order in which net/http writes them.
fn headers(
    ask: &RequestParts<'_>,
    two: bool,
    forward: Option<&Forward>,
) -> Vec<(HeaderName, HeaderValue)> {
    let agent = match &ask.post {
        Some(_) => HeaderValue::from_static(concat!("goroam/", env!("CARGO_PKG_VERSION"))),
        None => ask.agent.header(two),
    };
    let mut headers = vec![(USER_AGENT, agent)];
    let credentials = ask.credentials.into_iter().flat_map(Headers::sent);
    headers.extend(credentials.map(|(name, value)| (name.clone(), value.clone())));
    let referer = ask.referer.and_then(|url| url.as_str().parse().ok());
    headers.extend(referer.map(|referer| (REFERER, referer)));
    headers.push((ACCEPT_ENCODING, HeaderValue::from_static("gzip")));
    if let Some(part) = &ask.resume
        && let Some(tag) = part.etag.as_deref().and_then(|tag| tag.parse().ok())
    {
        headers.push((IF_RANGE, tag));
        let range = HeaderValue::try_from(format!("bytes={}-", part.from));
        headers.extend(range.map(|range| (RANGE, range)));
    }
    let has = ask.has.and_then(|tag| tag.parse().ok());
    headers.extend(has.map(|tag| (IF_NONE_MATCH, tag)));
    let authorization = forward.and_then(|forward| forward.authorization.clone());
    headers.extend(authorization.map(|value| (PROXY_AUTHORIZATION, value)));
    headers
}

fn http1_request(url: &Url, ask: &RequestParts<'_>, forward: Option<&Forward>) -> Vec<u8> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = authority(url);
    let method = ask.post.map_or("GET", |_| "POST");
    let mut request = match forward {
        Some(_) => format!("{method} {}://{host}{path} HTTP/1.1\r\n", url.scheme()),
        None => format!("{method} {path} HTTP/1.1\r\n"),
    };
    request.push_str(&format!("Host: {host}\r\n"));
    let mut request = request.into_bytes();
    for (name, value) in headers(ask, false, forward) {
        let name = canonical(name.as_str());
        for part in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            request.extend_from_slice(part);
        }
    }
    let Some(JsonPost { headers, body }) = ask.post else {
        request.extend_from_slice(b"\r\n");
        return request;
    };
    for (name, value) in headers {
        request.extend_from_slice(format!("{}: {value}\r\n", canonical(name)).as_bytes());
    }
    let length = body.len();
    let rest = format!(
        "Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    request.extend_from_slice(rest.as_bytes());
    request
}

fn http2_request(url: &Url, ask: &RequestParts<'_>) -> Result<Request<Empty<Bytes>>, ProbeFailure> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = Request::get(format!("{}://{}{path}", url.scheme(), authority(url)));
    for (name, value) in headers(ask, true, None) {
        request = request.header(name, value);
    }
    request
        .body(Empty::new())
        .map_err(|_| refusal(Phase::FirstByte, "its URL cannot be asked over HTTP"))
}
