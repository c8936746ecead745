//! The head of an answer in HTTP/1, read as net/http reads it (`ReadResponse`, `readMIMEHeader`,
//! `readTransfer`), and passed on in a form that leaves nothing to read in another way; what it
//! says of who wrote it; and what stands in the head of each request.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::header::{HeaderMap, HeaderValue, SERVER, WWW_AUTHENTICATE};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use url::Url;

use crate::model::GoRelease;

/// No honest proxy's headers are longer. (go reads 10 MiB of them.)
pub(super) const MAX_HEAD: usize = 1024 * 1024;
pub(super) const MAX_HEADERS: usize = 1000;
/// How many interim answers a go before 1.24 takes.
const MOST_INTERIM: usize = 5;

/// A head that go takes.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    /// HTTP/1.0: the connection ends with the answer, unless it says otherwise.
    old: bool,
    body: Body,
    headers: Vec<(String, Vec<u8>)>,
}

/// How the length of a body is known.
#[derive(Debug, Clone, Copy)]
enum Body {
    Length(u64),
    Chunked,
    ToTheEnd,
}

/// Why a head is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusedHead {
    /// It is not an answer in HTTP/1.
    NoHttp,
    /// Go does not take it.
    ByGo(&'static str),
    /// It is longer than [`MAX_HEAD`].
    Long,
}

impl Head {
    /// Where the head at the beginning of these bytes ends, if it does.
    pub(super) fn end(bytes: &[u8], searched: usize) -> Option<usize> {
        // The end may lie across two parts.
        let from = searched.saturating_sub(3);
        let new = bytes.get(from..)?;
        (0..new.len()).find_map(|at| match new.get(at..)? {
            [b'\n', b'\n', ..] => Some(from + at + 2),
            [b'\n', b'\r', b'\n', ..] => Some(from + at + 3),
            _ => None,
        })
    }

    /// Can this still become a head?
    pub(super) fn may_begin(bytes: &[u8]) -> bool {
        bytes.iter().zip(b"HTTP/").all(|(one, other)| one == other)
    }

    /// Reads a whole head, with the empty line behind it.
    pub(super) fn read(bytes: &[u8]) -> Result<Head, RefusedHead> {
        let mut lines = bytes.split(|byte| *byte == b'\n').map(without_cr);
        let first = lines.next().unwrap_or_default();
        let (status, version) = status(first).ok_or(RefusedHead::NoHttp)?;
        let mut all: Vec<Vec<u8>> = Vec::new();
        for line in lines.take_while(|line| !line.is_empty()) {
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                if !line.contains(&b':') {
                    return Err(RefusedHead::ByGo("a header without a colon"));
                }
                all.push(trimmed(line).to_vec());
                continue;
            }
            let last = all
                .last_mut()
                .ok_or(RefusedHead::ByGo("a first header that is indented"))?;
            last.push(b' ');
            last.extend_from_slice(trimmed(line));
        }
        let mut headers = Vec::new();
        for line in &all {
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = line.split_at(colon.unwrap_or(line.len()));
            let value = value.get(1..).unwrap_or_default();
            if name.is_empty() || !name.iter().all(|byte| *byte == b' ' || is_token(*byte)) {
                return Err(RefusedHead::ByGo("a header with no name that HTTP knows"));
            }
            if value
                .iter()
                .any(|byte| byte.is_ascii_control() && *byte != b'\t')
            {
                return Err(RefusedHead::ByGo("a control character in a header"));
            }
            // `Content-Length :` is a header, but of another name.
            if !name.contains(&b' ') {
                let name = String::from_utf8_lossy(name).into_owned();
                headers.push((name, trimmed(value).to_vec()));
            }
        }
        Ok(Head {
            status,
            old: version < (1, 1),
            body: body(status, version, &headers)?,
            headers,
        })
    }

    /// Is another one to follow?
    pub(super) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// The same head, as plain as can be.
    fn plain(&self) -> Vec<u8> {
        let version = if self.old { "1.0" } else { "1.1" };
        // The go command takes 0 for a success, as of a file (`web.Response.Err`).
        let status = if self.status == 0 { 200 } else { self.status };
        let mut out = format!("HTTP/{version} {status} \r\n").into_bytes();
        let mut put = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        };
        match self.body {
            Body::Length(length) => put("Content-Length", length.to_string().as_bytes()),
            Body::Chunked => put("Transfer-Encoding", b"chunked"),
            Body::ToTheEnd => {}
        }
        let framing = ["content-length", "transfer-encoding", "trailer"];
        let rest = self.headers.iter().filter(|(name, _)| {
            !framing
                .iter()
                .any(|framing| name.eq_ignore_ascii_case(framing))
        });
        for (name, value) in rest.take(MAX_HEADERS - 1) {
            put(name, value);
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// `textproto.trim`.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_space(byte));
    let end = text.iter().rposition(|byte| !is_space(byte));
    start
        .zip(end)
        .and_then(|(start, end)| text.get(start..=end))
        .unwrap_or_default()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The status and the version of `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<(u16, (u8, u8))> {
    let (version, rest) = line.split_at(line.iter().position(|byte| *byte == b' ')?);
    let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] = version else {
        return None;
    };
    if !major.is_ascii_digit() || !minor.is_ascii_digit() {
        return None;
    }
    let start = rest.iter().position(|byte| *byte != b' ')?;
    let code = rest.get(start..)?.split(|byte| *byte == b' ').next()?;
    let code = str::from_utf8(code).ok().filter(|code| code.len() == 3)?;
    // `strconv.Atoi` takes a sign.
    let code = u16::try_from(code.parse::<i16>().ok()?).ok()?;
    Some((code, (major - b'0', minor - b'0')))
}

/// `readTransfer`, as the strictest release has it.
fn body(
    status: u16,
    version: (u8, u8),
    headers: &[(String, Vec<u8>)],
) -> Result<Body, RefusedHead> {
    let named = |name: &'static str| {
        let all = headers.iter();
        all.filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    };
    let encodings: Vec<&[u8]> = named("transfer-encoding")
        .filter(|_| version >= (1, 1))
        .collect();
    let chunked = match encodings.as_slice() {
        [] => false,
        [one] if one.eq_ignore_ascii_case(b"chunked") => true,
        _ => return Err(RefusedHead::ByGo("a Transfer-Encoding other than chunked")),
    };
    let mut lengths = named("content-length");
    let length = lengths.next();
    if lengths.any(|other| Some(other) != length) {
        return Err(RefusedHead::ByGo("two headers Content-Length that differ"));
    }
    let length = length.map(|text| {
        let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let text = str::from_utf8(text).ok().filter(|_| digits);
        text.and_then(|text| text.parse::<i64>().ok())
            .and_then(|length| u64::try_from(length).ok())
            .ok_or(RefusedHead::ByGo("a Content-Length that is not a number"))
    });
    let length = length.transpose()?;
    let framing: [&[u8]; 3] = [b"transfer-encoding", b"trailer", b"content-length"];
    let mut trailers = named("trailer").flat_map(|value| value.split(|byte| *byte == b','));
    if chunked
        && trailers.any(|name| {
            framing
                .iter()
                .any(|framing| trimmed(name).eq_ignore_ascii_case(framing))
        })
    {
        return Err(RefusedHead::ByGo("a Trailer that changes its length"));
    }
    Ok(match (status, length) {
        (100..200 | 204 | 304, _) => Body::Length(0),
        _ if chunked => Body::Chunked,
        (_, Some(length)) => Body::Length(length),
        (_, None) => Body::ToTheEnd,
    })
}

impl fmt::Display for RefusedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefusedHead::NoHttp => f.write_str("answers, but not in HTTP"),
            RefusedHead::ByGo(what) => write!(f, "answers with {what}, which go does not take"),
            RefusedHead::Long => write!(
                f,
                "answers with more than {} KiB of headers, and a probe reads no more",
                MAX_HEAD / 1024
            ),
        }
    }
}

impl Error for RefusedHead {}

/// A stream in HTTP/1 whose heads are read here and handed on as plain as can be.
pub(super) struct Heads<S> {
    inner: S,
    most_interim: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A request is on its way: its answer's head comes next.
    Head(Coming),
    /// What is passed on, and how much of it has been.
    Known(Vec<u8>, usize),
    /// The rest of the answer.
    Body,
}

#[derive(Debug, Default)]
struct Coming {
    bytes: Vec<u8>,
    /// Interim answers, and the bytes of them.
    interim: usize,
    before: usize,
}

impl Coming {
    /// Takes what has come. Gives the head and what follows it, once it is whole.
    fn push(&mut self, new: &[u8], most_interim: usize) -> Result<Option<Vec<u8>>, RefusedHead> {
        let mut searched = self.bytes.len();
        self.bytes.extend_from_slice(new);
        loop {
            if !Head::may_begin(&self.bytes) {
                return Err(RefusedHead::NoHttp);
            }
            let end = Head::end(&self.bytes, searched);
            if self.before + end.unwrap_or(self.bytes.len()) > MAX_HEAD {
                return Err(RefusedHead::Long);
            }
            let Some(end) = end else {
                return Ok(None);
            };
            let rest = self.bytes.split_off(end);
            let head = Head::read(&self.bytes)?;
            if !head.is_interim() {
                return Ok(Some([head.plain(), rest].concat()));
            }
            self.interim += 1;
            if self.interim > most_interim {
                return Err(RefusedHead::ByGo("more than five interim answers"));
            }
            self.before += end;
            self.bytes = rest;
            searched = 0;
        }
    }
}

impl<S> Heads<S> {
    pub(super) fn new(inner: S, release: GoRelease) -> Heads<S> {
        Heads {
            inner,
            most_interim: if release.is_from(1, 24, 0) {
                usize::MAX
            } else {
                MOST_INTERIM
            },
            state: State::Body,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Body => return Pin::new(&mut this.inner).poll_read(cx, buf),
                State::Known(bytes, at) => {
                    let rest = bytes.get(*at..).unwrap_or_default();
                    if rest.is_empty() {
                        this.state = State::Body;
                        continue;
                    }
                    let part = rest.get(..buf.remaining()).unwrap_or(rest);
                    buf.put_slice(part);
                    *at += part.len();
                    return Poll::Ready(Ok(()));
                }
                State::Head(coming) => {
                    let mut room = [0; 8192];
                    let mut part = ReadBuf::new(&mut room);
                    ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
                    if part.filled().is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    let pushed = coming.push(part.filled(), this.most_interim);
                    if let Some(known) = pushed.map_err(io::Error::other)? {
                        this.state = State::Known(known, 0);
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heads<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !matches!(self.state, State::Head(_)) {
            self.state = State::Head(Coming::default());
        }
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// What the head of an answer says of who wrote it.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// It asks for credentials (RFC 9110, 11.6.1).
    pub(super) wants_credentials: bool,
    /// The server's name for itself, where it is one word of a plain kind.
    pub(super) server: Option<String>,
    /// An HTTP proxy wrote the answer itself.
    pub(super) by_proxy: bool,
    /// The HTTP proxy that it came through in the clear, where either may have written it.
    pub(super) through: Option<String>,
}

/// HTTP proxies that name themselves in `Server` only where they answer in a server's place.
const PROXIES: [&str; 5] = ["squid", "tinyproxy", "privoxy", "bluecoat", "zscaler"];
/// Headers that only an HTTP proxy's own page has.
const PROXY_PAGES: [&str; 3] = ["x-squid-error", "proxy-authenticate", "proxy-status"];
/// A longer name is not one.
const MOST_NAME: usize = 40;

impl Hints {
    pub(super) fn of(headers: &HeaderMap) -> Hints {
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let server = headers.get(SERVER).and_then(text).and_then(|name| {
            let word = name.split_whitespace().next()?;
            is_plain(word).then(|| word.to_owned())
        });
        let named = server.as_ref().is_some_and(|name| {
            let product = name.split('/').next().unwrap_or_default();
            PROXIES.iter().any(|one| product.eq_ignore_ascii_case(one))
        });
        let own_page = PROXY_PAGES.iter().any(|name| match headers.get(*name) {
            // `Proxy-Status` stands in what was passed on as well (RFC 9209).
            Some(value) if *name == "proxy-status" => {
                text(value).is_some_and(|value| value.contains("error="))
            }
            other => other.is_some(),
        });
        Hints {
            wants_credentials: headers.contains_key(WWW_AUTHENTICATE),
            server,
            by_proxy: named || own_page,
            through: None,
        }
    }
}

/// Letters, digits and what stands in a version.
fn is_plain(word: &str) -> bool {
    word.len() <= MOST_NAME
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"./_-".contains(&byte))
}

/// What net/http calls itself, before the version of HTTP.
pub(super) const LIBRARY: &str = "Go-http-client";

/// What go calls itself. A probe says the same: what is let through or blocked by name is let
/// through or blocked for the probe as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UserAgent {
    /// go 1.27 and later (`cmd/go/internal/web/http.go:userAgent`).
    Command,
    /// Those before; and go 1.27 where it asks again after a 4xx over https.
    Library,
}

impl UserAgent {
    /// The header, for HTTP/2 or 1.1.
    pub(super) fn header(self, two: bool) -> HeaderValue {
        HeaderValue::from_static(match (self, two) {
            (UserAgent::Command, _) => "GoCommand/1 (+https://go.dev/cmd/go)",
            (UserAgent::Library, true) => "Go-http-client/2.0",
            (UserAgent::Library, false) => "Go-http-client/1.1",
        })
    }

    /// What a go of this release calls itself.
    pub(super) fn of(release: GoRelease) -> UserAgent {
        if release.is_from(1, 27, 0) {
            UserAgent::Command
        } else {
            UserAgent::Library
        }
    }
}

/// The host without the brackets of an IPv6 address.
pub(super) fn bare_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}
