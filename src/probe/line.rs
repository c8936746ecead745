//! A connection to one server, direct or through a proxy, over which requests are sent one after
//! another.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, HOST, HeaderValue, PROXY_AUTHORIZATION, REFERER, USER_AGENT};
use hyper::{Request, Response};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use url::Url;

use super::answer::{self, HttpAnswer, WantedBody};
use super::attempt::{Deadline, ProbeAttempt, within};
use super::dial::{dial, is_dialled, peer};
use super::failure::{ProbeFailure, authority};
use super::fault;
use super::goauth_command::Headers;
use super::head::{UserAgent, bare_host};
use super::rules::Via;
use super::tunnel::{self, Closed};
use super::wire::{self, ByteMeter, Counted, Driver, Sender, Wire};
use crate::model::go_proxy::Speech;
use crate::model::{GoRelease, Host, Phase};

/// How a server is reached.
pub(super) struct ConnectVia<'a> {
    /// Through this proxy.
    pub(super) via: Option<&'a Via>,
    /// How certificates are judged, where there are any on the way.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The go that reads the answers.
    pub(super) release: GoRelease,
}

/// What goes along with a request.
pub(super) struct RequestParts<'a> {
    pub(super) agent: UserAgent,
    pub(super) credentials: Option<&'a Headers>,
    /// Where a redirect came from.
    pub(super) referer: Option<&'a Url>,
    pub(super) want: WantedBody,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Scheme, host and port.
    origin: url::Origin,
    sender: Sender,
    /// Counts what comes.
    meter: Arc<ByteMeter>,
    /// An answer was not read to its end, so no other can follow it.
    spent: bool,
    /// An HTTP proxy at the other end passes each request on by itself.
    forward: Option<Forward>,
    /// The server, and the proxy on the way to it, for messages.
    peer: String,
    /// Moves the bytes; ends when the line is dropped.
    _driver: Driver,
}

/// What a proxy gets with every request that it passes on.
#[derive(Debug)]
struct Forward {
    authorization: Option<HeaderValue>,
    /// What messages call it.
    name: String,
}

impl Connection {
    /// Opens one, within the connect limit.
    pub(super) async fn open(
        attempt: &mut ProbeAttempt,
        url: &Url,
        way: ConnectVia<'_>,
    ) -> Result<Connection, ProbeFailure> {
        let meter = ByteMeter::new();
        let secure = url.scheme() == "https";
        let (wire, forward, deadline) = match way.via {
            None => {
                let deadline = attempt.connect_deadline();
                let port = url.port_or_known_default().unwrap_or(80);
                let to = (bare_host(url), port);
                let label = peer(&to.0, port);
                let stream = dial(attempt, deadline, (&to.0, port), &label).await?;
                let wire: Wire = Box::new(Counted::new(stream, &meter));
                (wire, None, deadline)
            }
            Some(via) => {
                // What the proxy does until it is connected cannot be distinguished from the server.
                let deadline = attempt.answer_deadline();
                let (wire, forward) = through(attempt, url, via, &way, &meter, deadline).await?;
                (wire, forward, deadline)
            }
        };
        let peer = match way.via {
            None => authority(url),
            Some(via) => format!("{} through {via}", authority(url)),
        };
        let config = way.tls.filter(|_| secure);
        let (wire, two) = match config {
            None => (wire, false),
            Some(config) => {
                let (host, label) = (bare_host(url), authority(url));
                let (wire, took, two) = handshake(wire, config, (&host, label), deadline).await?;
                attempt.phases.tls.get_or_insert(took);
                attempt.prove();
                (wire, two)
            }
        };
        let start = wire::start(wire, two, way.release).await;
        let (sender, driver) = start.map_err(|error| fault::http(&error, Phase::Connect, &peer))?;
        Ok(Connection {
            origin: url.origin(),
            sender,
            meter,
            spent: false,
            forward,
            peer,
            _driver: driver,
        })
    }

    /// Does it lead there, and can another request follow?
    pub(super) fn leads_to(&self, url: &Url) -> bool {
        !self.spent && self.origin == url.origin()
    }

    /// The same, and is it still open?
    pub(super) async fn serves(&mut self, url: &Url) -> bool {
        self.leads_to(url) && self.sender.is_open().await
    }

    /// One request, one answer.
    pub(super) async fn get(
        &mut self,
        attempt: &mut ProbeAttempt,
        url: &Url,
        ask: &RequestParts<'_>,
    ) -> Result<HttpAnswer, ProbeFailure> {
        let request = self.request(url, ask)?;
        self.spent = true;
        self.meter.allow(match ask.want {
            WantedBody::Head => 0,
            WantedBody::Body(most) => most,
        });
        let deadline = attempt.first_byte_deadline();
        let missing = || format!("no answer from {}", self.peer);
        let sent = self.sender.send(request);
        let (response, took) = within(deadline, Phase::FirstByte, missing, sent).await?;
        let response = response.map_err(|error| self.fault(&error, Phase::FirstByte))?;
        attempt.phases.first_byte.get_or_insert(took);
        let (answer, whole) = self.read(attempt, url, response, ask.want).await?;
        // The rest of an answer over HTTP/2 can be dropped without harm to the next one.
        self.spent = !whole;
        if let Some(forward) = &self.forward
            && answer.hints.by_proxy
            && !answer.status.is_success()
        {
            return Err(refused(&answer, &forward.name));
        }
        answer::finish(answer)
    }

    fn request(
        &self,
        url: &Url,
        ask: &RequestParts<'_>,
    ) -> Result<Request<Empty<Bytes>>, ProbeFailure> {
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let two = self.sender.is_two();
        let host = authority(url);
        let target = if two || self.forward.is_some() {
            format!("{}://{host}{path}", url.scheme())
        } else {
            path
        };
        // In the order in which net/http writes them.
        let mut request = Request::get(target);
        if !two {
            request = request.header(HOST, host);
        }
        request = request.header(USER_AGENT, ask.agent.header(two));
        for (name, value) in ask.credentials.into_iter().flat_map(Headers::sent) {
            request = request.header(name, value);
        }
        if let Some(referer) = ask.referer {
            request = request.header(REFERER, referer.as_str());
        }
        request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let forward = self.forward.as_ref();
        if let Some(authorization) = forward.and_then(|forward| forward.authorization.as_ref()) {
            request = request.header(PROXY_AUTHORIZATION, authorization);
        }
        request.body(Empty::new()).map_err(|_| {
            ProbeFailure::refusal(Phase::FirstByte, "its URL cannot be asked over HTTP")
        })
    }

    /// The answer, and whether its body has come to its end.
    async fn read(
        &self,
        attempt: &ProbeAttempt,
        url: &Url,
        response: Response<Incoming>,
        want: WantedBody,
    ) -> Result<(HttpAnswer, bool), ProbeFailure> {
        let (head, mut body) = response.into_parts();
        let mut answer = HttpAnswer::new(url.clone(), head.status, &head.headers);
        answer.hints.through = self.forward.as_ref().map(|forward| forward.name.clone());
        while answer.wants_more(want) {
            let missing = || format!("the answer of {} does not end", self.peer);
            let (frame, _) = within(attempt.end(), Phase::Body, missing, body.frame()).await?;
            let Some(frame) = frame else {
                answer.end(&self.peer)?;
                return Ok((answer, true));
            };
            let frame = frame.map_err(|error| self.fault(&error, Phase::Body))?;
            if let Ok(data) = frame.into_data() {
                self.meter.came(data.len());
                answer.push(&data, want, &self.peer)?;
            }
        }
        Ok((answer, false))
    }

    fn fault(&self, error: &hyper::Error, phase: Phase) -> ProbeFailure {
        if self.meter.is_spent() {
            return fault::endless(phase, &self.peer);
        }
        fault::http(error, phase, &self.peer)
    }
}

/// To a proxy, and through it where it leads further than to itself.
async fn through(
    attempt: &mut ProbeAttempt,
    url: &Url,
    via: &Via,
    way: &ConnectVia<'_>,
    meter: &Arc<ByteMeter>,
    deadline: Deadline,
) -> Result<(Wire, Option<Forward>), ProbeFailure> {
    let proxy = via.proxy();
    let unusable =
        |why: &str| ProbeFailure::refusal(Phase::Connect, format!("{via} cannot be used: {why}"));
    let port = proxy
        .port
        .ok_or_else(|| unusable("go dials no such port"))?;
    if !is_dialled(&proxy.host) {
        return Err(unusable("go asks DNS for that name, and there is none"));
    }
    let host = match proxy.host.as_str() {
        // `net.Dial` takes no host for this machine.
        "" => "127.0.0.1",
        host => host,
    };
    let soon = attempt.connect_deadline();
    let dialled = dial(attempt, soon, (host, port), &via.to_string()).await;
    let stream = dialled.map_err(|failure| of_the_proxy(failure, &via.to_string()))?;
    let mut wire: Wire = Box::new(Counted::new(stream, meter));
    let server = bare_host(url);
    let to = (server.as_str(), url.port_or_known_default().unwrap_or(80));
    let login = proxy.url.user.as_ref().map(|user| {
        let password = user.password.as_deref().unwrap_or_default();
        (user.name.as_slice(), password)
    });
    if proxy.speech == Speech::Socks5 {
        let opened = tunnel::socks5(&mut wire, to, login);
        wait(deadline, via, url, opened).await?;
        return Ok((wire, None));
    }
    if proxy.speech == Speech::Https
        && let Some(config) = &way.tls
    {
        // net/http speaks HTTP/1.1 to a proxy, whatever it has been offered.
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols.retain(|name| name != b"h2");
        let at = (host, via.to_string());
        let shaken = handshake(wire, Arc::new(config), at, deadline).await;
        wire = shaken?.0;
    }
    let headers = login.and_then(|(user, password)| Headers::basic(user, password));
    let authorization = headers.and_then(|Headers(all)| Some(all.into_iter().next()?.1));
    if url.scheme() != "https" {
        let name = via.to_string();
        let forward = Forward {
            authorization,
            name,
        };
        return Ok((wire, Some(forward)));
    }
    let to = peer(to.0, to.1);
    let opened = tunnel::connect(&mut wire, &to, authorization.as_ref());
    wait(deadline, via, url, opened).await?;
    Ok((wire, None))
}

async fn wait(
    deadline: Deadline,
    via: &Via,
    url: &Url,
    opened: impl Future<Output = Result<(), Closed>>,
) -> Result<(), ProbeFailure> {
    let to = authority(url);
    let missing = || format!("no connection to {to} through {via}");
    let (opened, _) = within(deadline, Phase::Connect, missing, opened).await?;
    opened.map_err(|closed| match closed {
        Closed::Io(error) => fault::socket(&error, Phase::Connect, &via.to_string()),
        Closed::Status(status) => ProbeFailure::down(
            Phase::Connect,
            format!("{via} does not connect to {to}: it answers {status}"),
        ),
        Closed::Socks(why) => ProbeFailure::down(
            Phase::Connect,
            format!("{via} does not connect to {to}: {why}"),
        ),
        Closed::Strange => ProbeFailure::wrong(
            Phase::Connect,
            format!("{via} answers, but not as a proxy does"),
        ),
        Closed::Credentials => wants_credentials(&via.to_string()),
    })
}

/// The HTTP proxy itself has answered, in the place of the server.
pub(super) fn refused(answer: &HttpAnswer, via: &str) -> ProbeFailure {
    match answer.status.as_u16() {
        407 => wants_credentials(via),
        _ => ProbeFailure::down(
            Phase::Connect,
            format!("{via} answers {} itself", answer.status_line()),
        ),
    }
}

pub(super) fn wants_credentials(via: &str) -> ProbeFailure {
    ProbeFailure::refusal(
        Phase::Connect,
        format!("{via} wants credentials: put them into the variable's URL"),
    )
}

/// What failed was on the way to the proxy.
pub(super) fn of_the_proxy(failure: ProbeFailure, via: &str) -> ProbeFailure {
    if failure.phase != Phase::Dns {
        return failure;
    }
    let reason = format!("DNS does not know {via}");
    ProbeFailure { reason, ..failure }
}

/// TLS; gives the milliseconds it took, and whether the server wants HTTP/2.
async fn handshake(
    wire: Wire,
    config: Arc<ClientConfig>,
    (host, peer): (&str, String),
    deadline: Deadline,
) -> Result<(Wire, f64, bool), ProbeFailure> {
    // As go has it: no dot at the end of a name, and `::ffff:10.0.0.1` is 10.0.0.1.
    let plain = Host::parse(host).map_or_else(|| host.to_owned(), |host| host.to_string());
    let name = ServerName::try_from(plain)
        .map_err(|_| ProbeFailure::refusal(Phase::Tls, format!("{host} is not a host name")))?;
    let missing = || format!("no TLS handshake with {peer}");
    let (wire, beginning) = NotedStream::new(wire);
    let connect = TlsConnector::from(config).connect(name, wire);
    let (stream, took) = within(deadline, Phase::Tls, missing, connect).await?;
    let stream = stream.map_err(|error| {
        if beginning.is_http() {
            fault::plain_http(&peer)
        } else {
            fault::socket(&error, Phase::Tls, &peer)
        }
    })?;
    let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((Box::new(stream), took, two))
}

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

/// A stream that remembers how what came over it began, so that a handshake that fails can say what
/// was spoken instead of TLS.
#[derive(Debug)]
pub(super) struct NotedStream<S> {
    inner: S,
    beginning: Beginning,
}

impl<S> NotedStream<S> {
    pub(super) fn new(inner: S) -> (NotedStream<S>, Beginning) {
        let beginning = Beginning::default();
        let noted = beginning.clone();
        (NotedStream { inner, beginning }, noted)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for NotedStream<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for NotedStream<S> {
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
