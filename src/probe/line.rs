//! A direct connection to one server, over which requests are sent one after another.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use url::Url;

use super::answer::{self, Answer, Want};
use super::attempt::{Attempt, within};
use super::dial::dial;
use super::failure::{Failure, authority};
use super::fault;
use super::handed::Headers;
use super::header::{AGENT, bare_host};
use super::spoken::Spoken;
use crate::model::Phase;

/// Headers longer than this are no honest proxy's.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

/// An open connection.
#[derive(Debug)]
pub(super) struct Line {
    /// Scheme, host and port.
    origin: url::Origin,
    sender: SendRequest<Empty<Bytes>>,
    /// An answer was not read to its end, so no other can follow it.
    spent: bool,
    /// Moves the bytes; ends when the line is dropped.
    _driver: JoinSet<()>,
}

impl Line {
    /// Opens one, within the connect limit.
    pub(super) async fn open(
        attempt: &mut Attempt,
        url: &Url,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Line, Failure> {
        let peer = authority(url);
        let deadline = attempt.connect_deadline();
        let host = bare_host(url);
        let port = url.port_or_known_default().unwrap_or(80);
        let stream = dial(attempt, deadline, &host, port).await?;
        let (sender, driver) = match tls {
            None => start(stream, &peer).await?,
            Some(config) => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| Failure::refusal(Phase::Tls, format!("{host} is no host name")))?;
                let (stream, beginning) = Spoken::new(stream);
                let handshake = TlsConnector::from(config).connect(name, stream);
                let missing = || format!("no TLS handshake with {peer}");
                let (stream, took) = within(deadline, Phase::Tls, missing, handshake).await?;
                let stream = stream.map_err(|error| match beginning.is_http() {
                    true => fault::plain_http(&peer),
                    false => fault::socket(&error, Phase::Tls, &peer),
                })?;
                attempt.phases.tls.get_or_insert(took);
                attempt.prove();
                start(stream, &peer).await?
            }
        };
        Ok(Line {
            origin: url.origin(),
            sender,
            spent: false,
            _driver: driver,
        })
    }

    /// Does it lead there, and can another request follow?
    pub(super) fn leads_to(&self, url: &Url) -> bool {
        !self.spent && self.origin == url.origin()
    }

    /// The same, and is it still open?
    pub(super) async fn serves(&mut self, url: &Url) -> bool {
        self.leads_to(url) && self.sender.ready().await.is_ok()
    }

    /// One request, one answer.
    pub(super) async fn get(
        &mut self,
        attempt: &mut Attempt,
        url: &Url,
        credentials: Option<&Headers>,
        want: Want,
    ) -> Result<Answer, Failure> {
        let peer = authority(url);
        let request = request(url, credentials)?;
        self.spent = true;
        let deadline = attempt.first_byte_deadline();
        let missing = || format!("no answer from {peer}");
        let sent = self.sender.send_request(request);
        let (response, took) = within(deadline, Phase::FirstByte, missing, sent).await?;
        let response = response.map_err(|error| fault::http(&error, Phase::FirstByte, &peer))?;
        attempt.phases.first_byte.get_or_insert(took);
        let (answer, whole) = read(attempt, url, response, want, &peer).await?;
        self.spent = !whole;
        answer::finish(answer)
    }
}

async fn start<S>(
    stream: S,
    peer: &str,
) -> Result<(SendRequest<Empty<Bytes>>, JoinSet<()>), Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| fault::http(&error, Phase::Connect, peer))?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // Its errors reach the request or the body that waits for it.
        let _ = connection.await;
    });
    Ok((sender, driver))
}

fn request(url: &Url, credentials: Option<&Headers>) -> Result<Request<Empty<Bytes>>, Failure> {
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = Request::get(target)
        .header(HOST, authority(url))
        .header(USER_AGENT, AGENT);
    for (name, value) in credentials.into_iter().flat_map(Headers::sent) {
        request = request.header(name, value);
    }
    request
        .body(Empty::new())
        .map_err(|_| Failure::refusal(Phase::FirstByte, "its URL cannot be asked over HTTP"))
}

/// The answer, and whether its body has come to its end.
async fn read(
    attempt: &Attempt,
    url: &Url,
    response: Response<Incoming>,
    want: Want,
    peer: &str,
) -> Result<(Answer, bool), Failure> {
    let (head, mut body) = response.into_parts();
    let mut answer = Answer::new(url.clone(), head.status, &head.headers);
    while answer.wants_more(want) {
        let missing = || format!("the answer of {peer} does not end");
        let (frame, _) = within(attempt.end(), Phase::Body, missing, body.frame()).await?;
        let Some(frame) = frame else {
            return Ok((answer, true));
        };
        let frame = frame.map_err(|error| fault::http(&error, Phase::Body, peer))?;
        if let Ok(data) = frame.into_data() {
            answer.push(&data, want);
        }
    }
    Ok((answer, false))
}
