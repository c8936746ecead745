//! One HTTP answer: read within limits, and checked for signs of a login page.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap,
    HeaderName, HeaderValue, LOCATION, RETRY_AFTER, SERVER, WWW_AUTHENTICATE,
};
use url::Url;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::attempt::{Download, FilePart, ProbeAttempt, within};
use super::fault::{ProbeFailure, TooMuch, down, portal, refusal, shown, wrong};
use super::http1::Http1;
use super::wire::{ByteMeter, Http2};
use crate::gomod::form::is_web_page;
use crate::model::{Cause, GoRelease, GoUrl, Host, Phase};

/// A server that sends one byte at a time would keep a download waiting for hours. The slowest modem
/// in use is four times as fast.
const LEAST_PER_SECOND: u64 = 256;
/// A refusal gives its reason near its beginning.
const MOST_SEARCHED: usize = 4096;
/// A longer text is not a storage's error code.
const MOST_CODE: usize = 40;

/// How much of a body is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WantedBody {
    /// None of it: the status is enough.
    Head,
    /// At most this many bytes; a longer body is cut.
    Body(usize),
}

impl WantedBody {
    pub(super) fn most(self) -> usize {
        match self {
            WantedBody::Head => 0,
            WantedBody::Body(most) => most,
        }
    }
}

/// The source that an answer's body is read from.
pub(super) enum BodySource<'a> {
    One(&'a mut Http1),
    Two(Incoming, Arc<ByteMeter>),
    Page(reqwest::Response),
}

impl BodySource<'_> {
    /// Returns the next part; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Box<dyn Error + Send + Sync>> {
        Ok(match self {
            BodySource::One(http) => http.part().await?.map(Bytes::from),
            BodySource::Two(body, meter) => {
                let frame = body.frame().await.transpose();
                let frame = frame.map_err(|error| -> Box<dyn Error + Send + Sync> {
                    match meter.is_spent() {
                        true => TooMuch.into(),
                        false => error.into(),
                    }
                })?;
                let data = frame.map(|frame| frame.into_data().unwrap_or_default());
                Http2::came(meter, data.as_ref().map_or(0, Bytes::len));
                data
            }
            BodySource::Page(response) => response.chunk().await?,
        })
    }
}

/// How go interprets a `Location`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LocationKind {
    /// go cannot follow it.
    None,
    /// On the same server, with the same userinfo.
    Path,
    /// A URL with a host, and with its own userinfo, if any.
    Whole,
}

/// An HTTP answer.
#[derive(Debug)]
pub(super) struct HttpAnswer {
    /// The URL that answered, after redirects.
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// The body is longer than the requested limit.
    pub(super) cut: bool,
    /// The status and target of the first redirect to another host, if one was followed.
    pub(super) led_to: Option<(u16, Url)>,
    /// The HTTP proxy that passed the answer on unencrypted, if the proxy may have written it.
    pub(super) through: Option<String>,
}

impl HttpAnswer {
    /// Reads the requested part of the body; reports whether its end was reached. An answer that a
    /// proxy wrote instead of the server is a failure, and so is a network's demand for a login.
    pub(super) async fn read(
        mut self,
        source: &mut BodySource<'_>,
        attempt: &mut ProbeAttempt,
        want: WantedBody,
        peer: &str,
        fault: &(dyn Fn(&(dyn Error + 'static)) -> ProbeFailure + Sync),
    ) -> Result<(HttpAnswer, bool), ProbeFailure> {
        if let Some(part) = self.file_part(attempt.download.as_ref())
            && let Some(download) = attempt.download.take()
        {
            self.save(download, part, source, attempt, peer, fault)
                .await?;
            return Ok((self, true));
        }
        // The body of a redirect is meant for browsers.
        let wanted = matches!(want, WantedBody::Body(_)) && !self.status.is_redirection();
        let mut ended = false;
        while wanted && !self.cut && !ended {
            let missing = || format!("the answer of {peer} does not end");
            let (part, _) = within(attempt.end(), Phase::Body, missing, source.next()).await?;
            match part.map_err(|error| fault(&*error))? {
                Some(data) => self.push(&data, want.most()),
                None => ended = true,
            }
        }
        let coding = self.header(CONTENT_ENCODING).unwrap_or_default();
        if wanted && coding.eq_ignore_ascii_case("gzip") {
            let Some((body, whole)) = gunzip(&self.body, want.most()) else {
                let reason = format!("{peer} says gzip, but its answer is not");
                return Err(wrong(Phase::Body, reason));
            };
            if ended && !whole && body.len() <= want.most() {
                return Err(fault(&io::Error::from(io::ErrorKind::UnexpectedEof)));
            }
            self.body.clear();
            self.push(&body, want.most());
            self.cut |= !ended;
        }
        if let Some(via) = &self.through
            && self.is_by_proxy()
            && !self.status.is_success()
        {
            return Err(match self.status {
                StatusCode::PROXY_AUTHENTICATION_REQUIRED => wants_credentials(via),
                _ => {
                    let reason = format!("{via} answers {} itself", self.status_line());
                    down(Phase::Connect, reason).by(Cause::Status(self.status.as_u16()))
                }
            });
        }
        // A captive portal's own status (RFC 6585), for any request.
        if self.status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED {
            let reason = "511: the network wants a login first";
            let page = self.location();
            return Err(portal(Phase::Content, reason).at(page.as_ref()));
        }
        Ok((self, ended))
    }

    /// The part of the file that the body of this answer is; `None` if it is no file. A rest that
    /// does not begin where the known part ends, or of another file, is none (RFC 9110, 14.4).
    fn file_part(&self, download: Option<&Download>) -> Option<FilePart> {
        let download = download?;
        // Of a coded body neither length nor tag says anything about the file.
        let is_plain = self.header(CONTENT_ENCODING).is_none();
        let etag = self.header(ETAG).filter(|tag| tag.starts_with('"'));
        let etag = etag.filter(|_| is_plain).map(str::to_owned);
        match self.status {
            StatusCode::OK => {
                let length = self.header(CONTENT_LENGTH).filter(|_| is_plain);
                Some(FilePart {
                    from: 0,
                    total: length.and_then(|length| length.parse().ok()),
                    etag,
                })
            }
            StatusCode::PARTIAL_CONTENT => {
                let rest = download.resume.as_ref()?;
                let range = self.header(CONTENT_RANGE)?.strip_prefix("bytes ")?;
                let total = rest.total?;
                let expected = format!("{}-{}/{total}", rest.from, total.checked_sub(1)?);
                let is_rest = range == expected && etag.is_some() && etag == rest.etag;
                is_rest.then(|| rest.clone())
            }
            _ => None,
        }
    }

    /// Saves the whole body; keeps its first bytes.
    async fn save(
        &mut self,
        mut download: Download,
        part: FilePart,
        source: &mut BodySource<'_>,
        attempt: &ProbeAttempt,
        peer: &str,
        fault: &(dyn Fn(&(dyn Error + 'static)) -> ProbeFailure + Sync),
    ) -> Result<(), ProbeFailure> {
        let coding = self.header(CONTENT_ENCODING).unwrap_or_default();
        let mut gzip = coding.eq_ignore_ascii_case("gzip").then(Gunzip::new);
        download.begin(&part, peer)?;
        let mut left = part.total.map(|total| total.saturating_sub(part.from));
        let mut trouble = Ok(());
        // Bytes of this period, and how many begin another one.
        let (mut came, enough) = (0, LEAST_PER_SECOND * download.stall.as_secs());
        let mut deadline = attempt.stall_deadline(download.stall);
        loop {
            let missing = || match came {
                0 => format!("{peer} stopped sending: no byte"),
                came => format!("{peer} sends hardly anything: {came} bytes"),
            };
            let (part, _) = within(deadline, Phase::Body, missing, source.next()).await?;
            let Some(part) = part.map_err(|error| fault(&*error))? else {
                break;
            };
            let length = u64::try_from(part.len()).unwrap_or(0);
            left = left.map(|left| left.saturating_sub(length));
            came += length;
            if came >= enough {
                (came, deadline) = (0, attempt.stall_deadline(download.stall));
            }
            let mut save = |data: &[u8]| {
                self.push(data, MOST_SEARCHED);
                trouble = download.save(data, peer);
                trouble.is_ok()
            };
            let is_gzip = match &mut gzip {
                Some(gzip) => gzip.push(&part, &mut save).is_some(),
                None => {
                    save(&part);
                    true
                }
            };
            trouble?;
            if !is_gzip {
                let reason = format!("{peer} says gzip, but its answer is not");
                return Err(wrong(Phase::Body, reason));
            }
            trouble = Ok(());
        }
        self.status = StatusCode::OK;
        match gzip.is_none_or(|gzip| gzip.is_whole) && left.unwrap_or(0) == 0 {
            true => Ok(()),
            false => Err(fault(&io::Error::from(io::ErrorKind::UnexpectedEof))),
        }
    }

    pub(super) fn push(&mut self, data: &[u8], most: usize) {
        let room = most.saturating_add(1).saturating_sub(self.body.len());
        self.body
            .extend_from_slice(data.get(..room).unwrap_or(data));
        self.cut = self.body.len() > most;
        self.body.truncate(most);
    }

    /// Returns the entity tag, strong or weak.
    pub(super) fn etag(&self) -> Option<&str> {
        self.header(ETAG)
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reports whether the part of the body that was read contains these words (in lower case).
    fn body_says(&self, words: &str) -> bool {
        let start = self.body.get(..MOST_SEARCHED).unwrap_or(&self.body);
        String::from_utf8_lossy(start)
            .to_ascii_lowercase()
            .contains(words)
    }

    /// Treats the part that was read as the whole body.
    pub(super) fn whole(self) -> HttpAnswer {
        HttpAnswer { cut: false, ..self }
    }

    /// Reports whether it is an HTML page, whatever was requested.
    pub(super) fn is_html(&self) -> bool {
        let kind = self.header(CONTENT_TYPE).and_then(|kind| kind.get(..9));
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("text/html")) || is_web_page(&self.body)
    }

    /// Returns the target of a redirect that a client would follow.
    pub(super) fn redirect(&self) -> Option<Url> {
        let is_redirect = matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308);
        self.location().filter(|_| is_redirect)
    }

    fn location_text(&self) -> String {
        let to = self.headers.get(LOCATION).map(HeaderValue::as_bytes);
        String::from_utf8_lossy(to.unwrap_or_default()).into_owned()
    }

    fn location(&self) -> Option<Url> {
        let to = self.location_text().replace('\\', "%5C");
        self.url.join(&to).ok().filter(|_| !to.is_empty())
    }

    /// Returns how go interprets the redirect's target: `Client.do` calls `URL.Parse`, then
    /// requires a host.
    pub(super) fn location_kind(&self) -> LocationKind {
        match GoUrl::parse(&self.location_text(), GoRelease::default()) {
            Ok(url) if url.scheme.is_empty() && url.host.is_empty() => LocationKind::Path,
            Ok(url) if !url.host.is_empty() => LocationKind::Whole,
            Ok(_) | Err(_) => LocationKind::None,
        }
    }

    /// Returns how long the server asks the client to wait: seconds, or a date, which is compared
    /// with the server's own clock (RFC 9110, 10.2.3).
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.header(RETRY_AFTER)?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let when = |text: &str| jiff::fmt::rfc2822::parse(text).ok();
        let (until, now) = (when(value)?, when(self.header(DATE)?.trim())?);
        let wait = until.timestamp().as_second() - now.timestamp().as_second();
        Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
    }

    /// Reports whether it asks for credentials (RFC 9110, 11.6.1).
    pub(super) fn wants_credentials(&self) -> bool {
        self.headers.contains_key(WWW_AUTHENTICATE)
    }

    /// Returns the server's name for itself, if it is one plain word: letters, digits and the
    /// characters of a version.
    fn server(&self) -> Option<&str> {
        let word = self.header(SERVER)?.split_whitespace().next()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./_-".contains(&byte);
        (word.len() <= MOST_NAME && word.bytes().all(is_plain)).then_some(word)
    }

    /// Reports whether an HTTP proxy wrote it itself.
    fn is_by_proxy(&self) -> bool {
        let product = self.server().and_then(|name| name.split('/').next());
        let is_named = |one: &str| product.is_some_and(|product| product.eq_ignore_ascii_case(one));
        // `Proxy-Status` also appears in answers that were passed on (RFC 9209).
        let failed = self
            .headers
            .get("proxy-status")
            .and_then(|value| value.to_str().ok());
        PROXIES.iter().any(|one| is_named(one))
            || PROXY_PAGES
                .iter()
                .any(|name| self.headers.contains_key(*name))
            || failed.is_some_and(|value| value.contains("error="))
    }

    /// `404 Not Found`.
    pub(super) fn status_line(&self) -> String {
        match self.status.canonical_reason() {
            Some(reason) => format!("{} {reason}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }

    /// Explains why `found` came instead of `what`. A login page or an endless body is a better
    /// reason than the error in the content. Right content is right whatever its type says: go does
    /// not check the type either.
    pub(super) fn explain(&self, found: ProbeFailure, what: &str) -> ProbeFailure {
        if self.is_html() {
            return match &self.led_to {
                Some((status, page)) => redirect_portal(*status, page),
                None => portal(
                    Phase::Content,
                    format!("{}, but HTML where {what} was asked", self.status.as_u16()),
                ),
            };
        }
        if self.cut {
            let reason = format!(
                "sends more than {} KiB where {what} was asked, and a probe reads no more",
                self.body.len() / 1024
            );
            return wrong(Phase::Body, reason);
        }
        found
    }

    /// Returns the reason of a 403 in words, if the answer shows it: 403 comes from a filter,
    /// storage or a missing permission as often as from a demand for credentials. A stranger's text
    /// is only searched for known words; nothing else of it is shown. `sent`: the request had
    /// credentials.
    pub(super) fn forbidden(&self, sent: bool) -> String {
        let from = match self.server() {
            Some(server) => format!(" from {server}"),
            None => String::new(),
        };
        let status = self.status_line();
        let says = |words: &[&str]| words.iter().any(|word| self.body_says(word));
        let why = if let Some(code) = storage_code(&self.body) {
            format!("storage says {code}")
        } else if says(&["quota", "rate limit", "too many requests", "bandwidth"]) {
            "it mentions a quota that is used up".to_owned()
        } else if self.is_html() {
            "an HTML page: from a filter on the way, or a rule of the server".to_owned()
        } else if sent {
            "the credentials give no permission for it".to_owned()
        } else {
            "a missing permission, or a filter on the way".to_owned()
        };
        format!("answers {status}{from}: {why}")
    }

    /// Reports whether an answer says that https was expected but http was used (nginx, Go,
    /// Apache).
    pub(super) fn wants_https(&self) -> bool {
        self.url.scheme() == "http"
            && self.status.as_u16() == 400
            && [
                "http request was sent to https port",
                "http request to an https server",
                "speaking plain http to an ssl-enabled server port",
            ]
            .iter()
            .any(|words| self.body_says(words))
    }
}

/// HTTP proxies that name themselves in `Server` only if they answer instead of a server.
const PROXIES: [&str; 5] = ["squid", "tinyproxy", "privoxy", "bluecoat", "zscaler"];
/// Headers that appear only on an HTTP proxy's own page.
const PROXY_PAGES: [&str; 2] = ["x-squid-error", "proxy-authenticate"];
/// A longer text is not a server's name.
const MOST_NAME: usize = 40;

/// The window of 32 KB, with the header and trailer of gzip around it.
const GZIP: u8 = 15 + 16;
/// A file may be compressed in several members; thousands of empty ones are an attack.
const MOST_PIECES: usize = 1000;

/// Decompresses a body as go does, which accepts gzip and nothing else, piece by piece.
pub(super) struct Gunzip {
    inflate: Inflate,
    pieces: usize,
    /// The last member ended with the last byte.
    is_whole: bool,
}

impl Gunzip {
    pub(super) fn new() -> Gunzip {
        Gunzip {
            inflate: Inflate::new(true, GZIP),
            pieces: 1,
            is_whole: false,
        }
    }

    /// Decompresses the next bytes until `out` wants no more. `None`: it is not gzip.
    fn push(&mut self, mut packed: &[u8], out: &mut dyn FnMut(&[u8]) -> bool) -> Option<()> {
        let mut room = [0; 8192];
        loop {
            if self.is_whole && !packed.is_empty() {
                if self.pieces == MOST_PIECES {
                    return None;
                }
                self.pieces += 1;
                self.inflate = Inflate::new(true, GZIP);
                self.is_whole = false;
            }
            let inflate = &mut self.inflate;
            let (was_in, was_out) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(packed, &mut room, InflateFlush::NoFlush);
            let taken = usize::try_from(inflate.total_in() - was_in).ok()?;
            let made = usize::try_from(inflate.total_out() - was_out).ok()?;
            packed = packed.get(taken..)?;
            match status.ok()? {
                Status::StreamEnd => self.is_whole = true,
                Status::Ok | Status::BufError if taken == 0 && made == 0 => return Some(()),
                Status::Ok | Status::BufError => {}
            }
            if !out(room.get(..made)?) || (self.is_whole && packed.is_empty()) {
                return Some(());
            }
        }
    }
}

/// Returns a little more than `most` bytes, and whether that is all. `None`: it is not gzip.
fn gunzip(packed: &[u8], most: usize) -> Option<(Vec<u8>, bool)> {
    let (mut out, mut gunzip) = (Vec::new(), Gunzip::new());
    gunzip.push(packed, &mut |data| {
        out.extend_from_slice(data);
        out.len() <= most
    })?;
    Some((out, gunzip.is_whole))
}

/// A proxy that demands credentials.
pub(super) fn wants_credentials(via: &str) -> ProbeFailure {
    let reason = format!("{via} wants credentials: put them into the variable's URL");
    refusal(Phase::Connect, reason).by(Cause::Status(407))
}

/// A redirect that leads away from the requested URL.
pub(super) fn redirect_portal(status: u16, page: &Url) -> ProbeFailure {
    portal(Phase::Content, format!("{status} to {}", shown(page))).at(Some(page))
}

/// Reports whether two URLs belong to one site: the same host, or names under one domain.
pub(super) fn same_site(one: &Url, other: &Url) -> bool {
    let (Some(one), Some(other)) = (Host::of(one), Host::of(other)) else {
        return false;
    };
    match (&one, &other) {
        (Host::Name(a), Host::Name(b)) => a == b || domain(a) == domain(b),
        _ => one == other,
    }
}

/// Returns the last two labels. This is too wide for names like `co.uk`; here that only means that
/// a redirect counts as a server's own more often than it should.
fn domain(name: &str) -> &str {
    match name.rmatch_indices('.').nth(1) {
        Some((dot, _)) => name.get(dot + 1..).unwrap_or(name),
        None => name,
    }
}

/// Returns `AccessDenied` from `<Code>AccessDenied</Code>`, or if it is the whole body.
fn storage_code(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let code = match text.split_once("<Code>") {
        Some((_, rest)) => rest.split_once("</Code>")?.0,
        None => text.trim(),
    };
    let known = code.ends_with("Denied") || code.ends_with("Expired") || code.ends_with("Exceeded");
    let fit = code.len() <= MOST_CODE && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (fit && (known || text.contains("<Code>"))).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, headers: HeaderMap, body: &[u8], most: usize) -> HttpAnswer {
        let mut answer = HttpAnswer {
            url: Url::parse("http://h.test/").unwrap(),
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Vec::new(),
            cut: false,
            led_to: None,
            through: None,
        };
        answer.push(body, most);
        answer
    }

    fn answer(kind: &str, body: &[u8]) -> HttpAnswer {
        let headers = [(CONTENT_TYPE, kind.parse().unwrap())];
        answered(200, headers.into_iter().collect(), body, 100)
    }

    #[test]
    fn a_page_is_known_by_its_type_or_its_first_sign() {
        assert!(answer("text/html; charset=utf-8", b"module x").is_html());
        assert!(answer("TEXT/HTML", b"").is_html());
        assert!(answer("text/plain", b"\xef\xbb\xbf \n<!doctype html>").is_html());
        assert!(!answer("text/plain", b"module x\n").is_html());
        assert!(!answer("\u{e9}", b"{}").is_html());
    }

    #[test]
    fn a_busy_server_names_seconds_or_a_date() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, want) in [
            (Some("120"), Some(120)),
            (Some(" 5 "), Some(5)),
            (Some("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30)),
            (Some("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0)),
            (Some("soon"), None),
            (Some("-1"), None),
            (None, None),
        ] {
            let all = [("retry-after", value), ("date", date)];
            let said = all
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            let busy = answer_with(429, &said.collect::<Vec<_>>(), "");
            let told = busy.retry_after().map(|time| time.as_secs());
            assert_eq!(told, want, "{value:?}");
        }
    }

    #[test]
    fn a_body_is_cut_at_its_bound() {
        let mut answer = answer("text/plain", &[b'x'; 99]);
        assert!(!answer.cut);
        answer.push(b"12", 100);
        assert!(answer.cut && answer.body.len() == 100);
    }

    #[test]
    fn one_site_is_one_host_or_one_domain() {
        let same = |a: &str, b: &str| same_site(&Url::parse(a).unwrap(), &Url::parse(b).unwrap());
        assert!(same("http://example.test/", "https://www.example.test/x"));
        assert!(same("http://git.corp.test/", "https://sso.corp.test/login"));
        assert!(!same("http://example.test/", "http://login.hotel.example/"));
        assert!(same("http://10.0.0.1/", "https://10.0.0.1/"));
        assert!(!same("http://10.0.0.1/", "http://10.1.0.1/"));
    }

    fn answer_with(status: u16, headers: &[(&'static str, &str)], body: &str) -> HttpAnswer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        answered(status, map, body.as_bytes(), 1024)
    }

    #[test]
    fn a_403_says_what_it_is_and_shows_nothing_that_a_stranger_wrote() {
        for (headers, body, why) in [
            (
                &[][..],
                "<?xml?><Error><Code>AccessDenied</Code>",
                ": storage says AccessDenied",
            ),
            (&[], "AccessDenied", ": storage says AccessDenied"),
            (&[], "<Code>a b\x1b[31m</Code>", "an HTML page"),
            (
                &[],
                "{\"message\":\"Quota exceeded for joe\"}",
                ": it mentions a quota that is used up",
            ),
            (
                &[("server", "nginx/1.2")],
                "<html>evil words",
                " from nginx/1.2: an HTML page",
            ),
            (
                &[("server", "evil<b>")],
                "no",
                "403 Forbidden: a missing permission",
            ),
            (&[], "", ": a missing permission, or a filter on the way"),
        ] {
            let said = answer_with(403, headers, body).forbidden(false);
            assert!(said.contains(why), "{body:?}: {said}");
            assert!(said.starts_with("answers 403 Forbidden"), "{said}");
            for word in ["evil", "joe", "\x1b", "credentials"] {
                assert!(!said.contains(word), "{said}");
            }
        }
        let sent = answer_with(403, &[], "").forbidden(true);
        assert!(
            sent.ends_with("the credentials give no permission for it"),
            "{sent}"
        );
    }

    #[test]
    fn an_http_proxy_s_own_page_is_known_by_its_head() {
        let by_proxy =
            |headers: &[(&'static str, &str)]| answer_with(503, headers, "").is_by_proxy();
        assert!(by_proxy(&[("x-squid-error", "ERR_CONNECT_FAIL 111")]));
        assert!(by_proxy(&[("server", "tinyproxy/1.11.1")]));
        assert!(by_proxy(&[(
            "proxy-status",
            "cache.test; error=connection_refused"
        )]));
        assert!(!by_proxy(&[(
            "proxy-status",
            "cache.test; received-status=503"
        )]));
        // A proxy that passes an answer on adds a header that says so, and has not written the
        // answer.
        assert!(!by_proxy(&[
            ("via", "1.1 cache.test (squid/5.7)"),
            ("server", "nginx")
        ]));
    }

    #[test]
    fn a_tls_port_that_was_asked_in_the_clear_is_known() {
        assert!(
            answer_with(
                400,
                &[],
                "Client sent an HTTP request to an HTTPS server.\n"
            )
            .wants_https()
        );
        assert!(
            answer_with(
                400,
                &[],
                "<html><h1>400</h1>The plain HTTP request was sent to HTTPS port</html>"
            )
            .wants_https()
        );
        assert!(!answer_with(400, &[], "bad request").wants_https());
    }
}

// The gzip program compresses the data that the tests decompress.
#[cfg(test)]
#[cfg(unix)]
mod gunzip_tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::gunzip;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut gzip = Command::new("gzip")
            .arg("-c")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        gzip.stdin.take().unwrap().write_all(text).unwrap();
        gzip.wait_with_output().unwrap().stdout
    }

    #[test]
    fn what_gzip_has_packed_in_pieces_is_unpacked() {
        let text: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
        let (one, two) = text.split_at(100_001);
        let both = [packed(one), packed(b""), packed(two)].concat();
        assert_eq!(gunzip(&both, usize::MAX), Some((text.clone(), true)));
        let cut = both.get(..both.len() - 1).unwrap();
        assert_eq!(gunzip(cut, usize::MAX), Some((text, false)));
    }

    #[test]
    fn what_is_not_gzip_is_refused() {
        assert_eq!(gunzip(b"{\"Version\":\"v1\"}", 100), None);
        let behind = [packed(b"x"), b"y".to_vec()].concat();
        assert!(matches!(gunzip(&behind, 100), None | Some((_, false))));
        let mut damaged = packed(b"the checksum says otherwise");
        let end = damaged.len() - 8;
        damaged[end] ^= 1;
        assert_eq!(gunzip(&damaged, 100), None);
    }

    #[test]
    fn a_bomb_ends_at_the_bound() {
        let bomb = packed(&vec![0; 50 << 20]);
        let (out, _) = gunzip(&bomb, 10_000).unwrap();
        assert!(out.len() < 20_000, "{}", out.len());
        let pieces = packed(b"").repeat(5000);
        assert_eq!(gunzip(&pieces, 10_000), None);
    }
}
