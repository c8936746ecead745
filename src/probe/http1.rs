//! HTTP/1 as net/http reads it (`ReadResponse`, `readMIMEHeader`, `readTransfer`,
//! `internal/chunked.go`). hyper differs: it accepts `Transfer-Encoding: identity` and an empty
//! line before the status, and refuses HTTP/1.2, folded headers and a blank before a colon.

use std::io::{self, ErrorKind};

use futures_util::FutureExt as _;
use hyper::StatusCode;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRAILER, TRANSFER_ENCODING,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::fault::{NOT_A_BODY, NotAsHttp};
use super::wire::{MAX_HEAD, Wire};
use crate::model::GoRelease;

/// How many interim answers a go before 1.24 accepts.
const MOST_INTERIM: usize = 5;
/// The limit for a chunk's first line, and for the trailers: the size of go's buffer.
const MAX_LINE: usize = 4096;
/// How many bytes chunks may have beside their data (`chunkedReader.excess`). go also allows 16
/// bytes for each chunk; without that, an endless series of tiny chunks ends.
const MAX_EXCESS: u64 = 16 * 1024;

/// A head that go accepts.
struct Head {
    status: u16,
    headers: HeaderMap,
    body: Body,
    /// Another answer may follow it.
    keeps_open: bool,
}

/// The rest of a body.
#[derive(Debug, Clone, Copy)]
enum Body {
    Length(u64),
    /// The rest of this chunk; `None`: a chunk's first line comes next.
    Chunk(Option<u64>),
    ToTheEnd,
}

fn not_as_http(how: impl Into<String>) -> io::Error {
    io::Error::other(NotAsHttp(how.into()))
}

fn no_http() -> io::Error {
    not_as_http("answers, but not in HTTP")
}

fn refused_by_go(what: &str) -> io::Error {
    not_as_http(format!("answers with {what}, which go does not take"))
}

/// An HTTP/1 connection.
pub(super) struct Http1 {
    stream: BufReader<Wire>,
    most_interim: usize,
    body: Body,
    keeps_open: bool,
    excess: u64,
}

impl Http1 {
    pub(super) fn new(wire: Wire, release: GoRelease) -> Http1 {
        let takes_any = release.is_from(1, 24, 0);
        Http1 {
            stream: BufReader::new(wire),
            most_interim: if takes_any { usize::MAX } else { MOST_INTERIM },
            body: Body::Length(0),
            keeps_open: true,
            excess: 0,
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> io::Result<(StatusCode, HeaderMap)> {
        let (mut interim, mut before) = (0, 0);
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        loop {
            let head = self.head(&mut before).await?;
            if !matches!(head.status, 100 | 102..=199) {
                (self.body, self.keeps_open) = (head.body, head.keeps_open);
                // The go command treats 0 as a success, as for a file (`web.Response.Err`).
                let status = StatusCode::from_u16(match head.status {
                    0 => 200,
                    status => status,
                });
                return Ok((status.map_err(|_| no_http())?, head.headers));
            }
            interim += 1;
            if interim > self.most_interim {
                return Err(refused_by_go("more than five interim answers"));
            }
        }
    }

    /// Reads the answer to CONNECT, which is the first one. Bytes after it are dropped, as Go does:
    /// a TLS server does not send first.
    pub(super) async fn open_tunnel(mut self, request: &[u8]) -> io::Result<(u16, Wire)> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let head = self.head(&mut 0).await?;
        Ok((head.status, self.stream.into_inner()))
    }

    /// Reports whether another request can follow the answer that was read, and the server is still
    /// connected.
    pub(super) async fn is_open(&mut self) -> bool {
        // What has come meanwhile is seen; a timer would take a millisecond, however short it is.
        tokio::task::yield_now().await;
        // Unrequested bytes, or the end.
        let is_idle = self.stream.fill_buf().now_or_never().is_none();
        self.keeps_open && is_idle
    }

    /// Returns the next part of the body; `None` at its end.
    pub(super) async fn part(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Body::Chunk(None) = self.body {
            self.body = match self.chunk_size().await? {
                0 => {
                    let trailers = self.block(MAX_LINE).await?;
                    headers(&trailers.ok_or_else(|| not_as_http(NOT_A_BODY))?)?;
                    Body::Length(0)
                }
                size => Body::Chunk(Some(size)),
            };
        }
        let left = match self.body {
            Body::Length(0) => return Ok(None),
            Body::Length(left) | Body::Chunk(Some(left)) => left,
            Body::Chunk(None) | Body::ToTheEnd => u64::MAX,
        };
        let buffer = self.stream.fill_buf().await?;
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let part = buffer.get(..most).unwrap_or(buffer).to_vec();
        self.stream.consume(part.len());
        let left = left - u64::try_from(part.len()).unwrap_or(left);
        match &mut self.body {
            Body::ToTheEnd if part.is_empty() => return Ok(None),
            Body::ToTheEnd => {}
            _ if part.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            Body::Length(length) => *length = left,
            Body::Chunk(chunk) if left > 0 => *chunk = Some(left),
            Body::Chunk(chunk) => {
                *chunk = None;
                let mut end = [0; 2];
                self.stream.read_exact(&mut end).await?;
                if &end != b"\r\n" {
                    return Err(not_as_http(NOT_A_BODY));
                }
            }
        }
        Ok(Some(part))
    }

    /// `beginChunk`.
    async fn chunk_size(&mut self) -> io::Result<u64> {
        let line = self.line(MAX_LINE).await?;
        let broken = || not_as_http(NOT_A_BODY);
        let line = line.strip_suffix(b"\r\n").ok_or_else(broken)?;
        let size = trimmed_end(line).split(|byte| *byte == b';').next();
        let size = size.filter(|size| {
            let is_number = size.iter().all(u8::is_ascii_hexdigit);
            is_number && (1..=16).contains(&size.len()) && !line.contains(&b'\r')
        });
        let size = size.and_then(|size| str::from_utf8(size).ok());
        let size = size.and_then(|size| u64::from_str_radix(size, 16).ok());
        let size = size.ok_or_else(broken)?;
        let beside = self.excess + u64::try_from(line.len()).unwrap_or(MAX_EXCESS) + 2;
        self.excess = beside.saturating_sub(size.saturating_mul(2));
        if self.excess > MAX_EXCESS {
            return Err(broken());
        }
        Ok(size)
    }

    /// Reads a whole head. `before` counts the bytes so far, and is updated.
    async fn head(&mut self, before: &mut usize) -> io::Result<Head> {
        let start = self.stream.fill_buf().await?;
        if !start.iter().zip(b"HTTP/").all(|(one, other)| one == other) {
            return Err(no_http());
        }
        let too_long = || {
            not_as_http(format!(
                "answers with more than {} KiB of headers, and a probe reads no more",
                MAX_HEAD / 1024
            ))
        };
        let bytes = self.block(MAX_HEAD.saturating_sub(*before)).await?;
        let bytes = bytes.ok_or_else(too_long)?;
        *before += bytes.len();
        Head::read(&bytes)
    }

    /// Reads lines up to an empty one; `None`: they have more than `most` bytes.
    async fn block(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        let mut block = Vec::new();
        loop {
            let line = self.line(most - block.len()).await?;
            block.extend_from_slice(&line);
            match line.as_slice() {
                b"\n" | b"\r\n" => return Ok(Some(block)),
                [.., b'\n'] => {}
                _ => return Ok(None),
            }
        }
    }

    /// Reads one line with its end, or the first `most` bytes of it.
    async fn line(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut stream = (&mut self.stream).take(u64::try_from(most).unwrap_or(u64::MAX));
        stream.read_until(b'\n', &mut line).await?;
        if line.ends_with(b"\n") || stream.limit() == 0 {
            return Ok(line);
        }
        Err(ErrorKind::UnexpectedEof.into())
    }
}

impl Head {
    /// Parses a whole head, with the empty line after it.
    fn read(bytes: &[u8]) -> io::Result<Head> {
        let first = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let (status, version) = status(without_cr(first)).ok_or_else(no_http)?;
        let headers = headers(bytes.get(first.len() + 1..).unwrap_or_default())?;
        let body = body(status, version, &headers)?;
        let mut options = headers.get_all(CONNECTION).iter();
        let closes = options.any(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            value
                .split(|byte| *byte == b',')
                .any(|one| trimmed(one) == b"close")
        });
        Ok(Head {
            status,
            keeps_open: version >= (1, 1) && !closes && !matches!(body, Body::ToTheEnd),
            headers,
            body,
        })
    }
}

/// Parses headers up to the empty line.
fn headers(bytes: &[u8]) -> io::Result<HeaderMap> {
    let lines = bytes.split(|byte| *byte == b'\n').map(without_cr);
    let mut all: Vec<Vec<u8>> = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            let indented = || refused_by_go("a first header that is indented");
            let last = all.last_mut().ok_or_else(indented)?;
            last.push(b' ');
            last.extend_from_slice(trimmed(line));
        } else if line.contains(&b':') {
            all.push(trimmed(line).to_vec());
        } else {
            return Err(refused_by_go("a header without a colon"));
        }
    }
    let mut headers = HeaderMap::new();
    for line in &all {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let tight: Vec<u8> = name.iter().copied().filter(|byte| *byte != b' ').collect();
        let known = HeaderName::from_bytes(&tight)
            .map_err(|_| refused_by_go("a header with no name that HTTP knows"))?;
        let value = HeaderValue::from_bytes(trimmed(value.get(1..).unwrap_or_default()))
            .map_err(|_| refused_by_go("a control character in a header"))?;
        // `Content-Length :` is a header, but with another name.
        if tight.len() == name.len() {
            let many = |_| refused_by_go("too many headers");
            headers.try_append(known, value).map_err(many)?;
        }
    }
    Ok(headers)
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `textproto.trim`.
fn trimmed(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(byte));
    trimmed_end(text.get(start.unwrap_or(text.len())..).unwrap_or_default())
}

fn trimmed_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !is_space(byte));
    text.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}

/// Parses the status and the version of `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<(u16, (u8, u8))> {
    let (version, rest) = line.split_at(line.iter().position(|byte| *byte == b' ')?);
    let [
        b'H',
        b'T',
        b'T',
        b'P',
        b'/',
        major @ b'0'..=b'9',
        b'.',
        minor @ b'0'..=b'9',
    ] = version
    else {
        return None;
    };
    let start = rest.iter().position(|byte| *byte != b' ')?;
    let code = rest.get(start..)?.split(|byte| *byte == b' ').next()?;
    let code = str::from_utf8(code).ok().filter(|code| code.len() == 3)?;
    // `strconv.Atoi` accepts a sign.
    let code = u16::try_from(code.parse::<i16>().ok()?).ok()?;
    Some((code, (major - b'0', minor - b'0')))
}

/// `readTransfer`, as in the strictest release.
fn body(status: u16, version: (u8, u8), headers: &HeaderMap) -> io::Result<Body> {
    let named = |name: HeaderName| headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    let encodings: Vec<&[u8]> = named(TRANSFER_ENCODING)
        .filter(|_| version >= (1, 1))
        .collect();
    let is_chunked = match encodings.as_slice() {
        [] => false,
        [one] if one.eq_ignore_ascii_case(b"chunked") => true,
        _ => return Err(refused_by_go("a Transfer-Encoding other than chunked")),
    };
    let mut lengths = named(CONTENT_LENGTH);
    let length = lengths.next();
    if lengths.any(|other| Some(other) != length) {
        return Err(refused_by_go("two headers Content-Length that differ"));
    }
    let number = |text: &[u8]| {
        let text = str::from_utf8(text).ok()?;
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        u64::try_from(text.parse::<i64>().ok().filter(|_| is_number)?).ok()
    };
    let not_a_number = || refused_by_go("a Content-Length that is not a number");
    let length = length.map(|text| number(text).ok_or_else(not_a_number));
    let length = length.transpose()?;
    let mut trailers = named(TRAILER).flat_map(|value| value.split(|byte| *byte == b','));
    let framing = [TRANSFER_ENCODING, TRAILER, CONTENT_LENGTH];
    let is_framing = |name: &[u8]| {
        let name = HeaderName::from_bytes(trimmed(name));
        name.is_ok_and(|name| framing.contains(&name))
    };
    if is_chunked && trailers.any(is_framing) {
        return Err(refused_by_go("a Trailer that changes its length"));
    }
    Ok(match (status, length) {
        (100..200 | 204 | 304, _) => Body::Length(0),
        _ if is_chunked => Body::Chunk(None),
        (_, Some(length)) => Body::Length(length),
        (_, None) => Body::ToTheEnd,
    })
}

/// Turns `www-authenticate` into `Www-Authenticate`, which is how go writes and recognises it.
pub(super) fn canonical(name: &str) -> String {
    let parts = name.split('-').map(|part| match part.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("-")
}

/// go's User-Agent. A probe sends the same: a filter that allows or blocks by this name treats the
/// probe in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UserAgent {
    /// go 1.27 and later (`cmd/go/internal/web/http.go:userAgent`).
    Command,
    /// Earlier versions; and go 1.27 when it asks again after a 4xx over https.
    Library,
}

impl UserAgent {
    /// Returns the header, for HTTP/2 or 1.1.
    pub(super) fn header(self, two: bool) -> HeaderValue {
        HeaderValue::from_static(match (self, two) {
            (UserAgent::Command, _) => "GoCommand/1 (+https://go.dev/cmd/go)",
            (UserAgent::Library, true) => "Go-http-client/2.0",
            (UserAgent::Library, false) => "Go-http-client/1.1",
        })
    }

    /// Returns the User-Agent of a go of this release.
    pub(super) fn of(release: GoRelease) -> UserAgent {
        if release.is_from(1, 27, 0) {
            UserAgent::Command
        } else {
            UserAgent::Library
        }
    }
}
