//! One answer over HTTP: bounded, and judged for the marks of a login page.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, SERVER,
    WWW_AUTHENTICATE,
};
use url::Url;

use super::attempt::{ProbeAttempt, within};
use super::fault::{ProbeFailure, TooMuch, shown};
use super::http1::Http1;
use super::http2::Http2;
use super::unpack::Gunzip;
use super::wire::ByteMeter;
use crate::gomod::form::is_web_page;
use crate::model::{GoRelease, GoUrl, Host, Phase};

/// A refusal says why near its beginning.
const MOST_SEARCHED: usize = 4096;
/// A longer code is not one.
const MOST_CODE: usize = 40;

/// How much of a body is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WantedBody {
    /// None of it: the status says all.
    Head,
    /// At most this many bytes; one more and it is cut.
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

/// What the body of an answer is read from.
pub(super) enum BodySource<'a> {
    One(&'a mut Http1),
    Two(Incoming, Arc<ByteMeter>),
    Page(reqwest::Response),
}

impl BodySource<'_> {
    /// The next part; `None` at the end.
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

/// What go makes of a `Location`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LocationKind {
    /// It cannot follow it.
    None,
    /// On the same server, with the same userinfo.
    Path,
    /// A URL with a host, and the userinfo that stands there, if any.
    Whole,
}

/// What came.
#[derive(Debug)]
pub(super) struct HttpAnswer {
    /// Where it came from, after redirects.
    pub(super) url: Url,
    pub(super) status: StatusCode,
    /// Where it sends us, resolved against `url`.
    pub(super) location: Option<Url>,
    /// What go makes of that.
    pub(super) sense: LocationKind,
    pub(super) body: Vec<u8>,
    /// The body is longer than was wanted.
    pub(super) cut: bool,
    /// The status and goal of the first redirect to another host, if one was followed.
    pub(super) led_to: Option<(u16, Url)>,
    /// How long it asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// The headers of a 4xx, which GOAUTH's commands are shown.
    pub(super) head: HeaderMap,
    says_html: bool,
    /// Who wrote it.
    pub(super) hints: Hints,
    /// Unpacks the body, where it comes packed.
    gunzip: Option<Gunzip>,
}

impl HttpAnswer {
    pub(super) fn new(url: Url, status: StatusCode, headers: &HeaderMap) -> HttpAnswer {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let says_html = text(CONTENT_TYPE).is_some_and(|kind| {
            kind.get(..9)
                .is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
        });
        let is_packed =
            text(CONTENT_ENCODING).is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let to = headers.get(LOCATION).map(HeaderValue::as_bytes);
        let to = String::from_utf8_lossy(to.unwrap_or_default());
        let location = url.join(&to.replace('\\', "%5C")).ok();
        HttpAnswer {
            url,
            status,
            location: location.filter(|_| !to.is_empty()),
            sense: sense(&to),
            body: Vec::new(),
            cut: false,
            led_to: None,
            retry_after: retry_after(text(RETRY_AFTER), text(DATE)),
            head: if status.is_client_error() {
                headers.clone()
            } else {
                HeaderMap::new()
            },
            says_html,
            hints: Hints::of(headers),
            gunzip: is_packed.then(Gunzip::new),
        }
    }

    /// Does the body hold these words (in lower case), as far as it was read?
    pub(super) fn body_says(&self, words: &str) -> bool {
        let start = self.body.get(..MOST_SEARCHED).unwrap_or(&self.body);
        String::from_utf8_lossy(start)
            .to_ascii_lowercase()
            .contains(words)
    }

    /// Is the rest of the body worth waiting for?
    fn wants_more(&self, want: WantedBody) -> bool {
        // The body of a redirect is for browsers.
        matches!(want, WantedBody::Body(_)) && !self.cut && !self.status.is_redirection()
    }

    /// Reads what is wanted of the body. Has it come to its end?
    pub(super) async fn read(
        &mut self,
        rest: &mut BodySource<'_>,
        attempt: &ProbeAttempt,
        want: WantedBody,
        peer: &str,
        fault: &(dyn Fn(&(dyn Error + 'static)) -> ProbeFailure + Sync),
    ) -> Result<bool, ProbeFailure> {
        while self.wants_more(want) {
            let missing = || format!("the answer of {peer} does not end");
            let (part, _) = within(attempt.end(), Phase::Body, missing, rest.next()).await?;
            match part.map_err(|error| fault(&*error))? {
                Some(data) => self.push(&data, want, peer)?,
                None if self.gunzip.as_ref().is_none_or(Gunzip::is_whole) => return Ok(true),
                None => return Err(fault(&io::Error::from(io::ErrorKind::UnexpectedEof))),
            }
        }
        Ok(false)
    }

    /// Takes a part of the body from `peer`.
    fn push(&mut self, data: &[u8], want: WantedBody, peer: &str) -> Result<(), ProbeFailure> {
        let most = want.most();
        match &mut self.gunzip {
            Some(gunzip) => gunzip
                .push(data, &mut self.body, most.saturating_add(1))
                .map_err(|_| {
                    let reason = format!("{peer} says gzip, but its answer is not");
                    ProbeFailure::wrong(Phase::Body, reason)
                })?,
            None => {
                let room = most.saturating_add(1).saturating_sub(self.body.len());
                let data = data.get(..room).unwrap_or(data);
                self.body.extend_from_slice(data);
            }
        }
        self.cut = self.body.len() > most;
        self.body.truncate(most);
        Ok(())
    }

    /// As if there were nothing more of it than was read.
    pub(super) fn whole(self) -> HttpAnswer {
        HttpAnswer { cut: false, ..self }
    }

    /// Is it an HTML page, whatever was asked?
    pub(super) fn is_html(&self) -> bool {
        self.says_html || is_web_page(&self.body)
    }

    /// A redirect that a client would follow.
    pub(super) fn redirect(&self) -> Option<&Url> {
        matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308)
            .then_some(self.location.as_ref())
            .flatten()
    }

    /// `404 Not Found`.
    pub(super) fn status_line(&self) -> String {
        match self.status.canonical_reason() {
            Some(reason) => format!("{} {reason}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }

    /// Why content that is `wrong` came where `what` was asked: a login page, or no end of
    /// bytes, say more than what is wrong about them. Right content is right whatever its
    /// type says: go does not look at that either.
    pub(super) fn explain(&self, wrong: ProbeFailure, what: &str) -> ProbeFailure {
        if self.is_html() {
            return match &self.led_to {
                Some((status, page)) => redirect_portal(*status, page),
                None => ProbeFailure::portal(
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
            return ProbeFailure::wrong(Phase::Body, reason);
        }
        wrong
    }

    /// Why a 403, in words, as far as the answer shows it: 403 comes from a filter, storage or a missing
    /// permission as often as from a wish for credentials. What a stranger writes is only searched
    /// for known words; nothing else of it is shown. `sent`: credentials stood in the request.
    pub(super) fn forbidden(&self, sent: bool) -> String {
        let from = match &self.hints.server {
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

    /// Does an answer say that https was expected where http was spoken (nginx, Go, Apache)?
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

/// As `Client.do` has it: `URL.Parse`, then a host is wanted.
fn sense(location: &str) -> LocationKind {
    match GoUrl::parse(location, GoRelease::default()) {
        Ok(url) if url.scheme.is_empty() && url.host.is_empty() => LocationKind::Path,
        Ok(url) if !url.host.is_empty() => LocationKind::Whole,
        Ok(_) | Err(_) => LocationKind::None,
    }
}

/// Seconds, or a date, which is compared with the server's own clock (RFC 9110, 10.2.3).
fn retry_after(value: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let value = value?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let when = |text: &str| jiff::fmt::rfc2822::parse(text).ok();
    let wait = when(value)?.timestamp().as_second() - when(date?.trim())?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// A redirect that leads away from what was asked.
pub(super) fn redirect_portal(status: u16, page: &Url) -> ProbeFailure {
    ProbeFailure::portal(Phase::Content, format!("{status} to {}", shown(page))).at(Some(page))
}

/// 511 is a portal's own status (RFC 6585), whatever was asked.
pub(super) fn finish(answer: HttpAnswer) -> Result<HttpAnswer, ProbeFailure> {
    if answer.status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED {
        let reason = "511: the network wants a login first";
        return Err(ProbeFailure::portal(Phase::Content, reason).at(answer.location.as_ref()));
    }
    Ok(answer)
}

/// Are they one site: the same host, or names under one domain?
pub(super) fn same_site(one: &Url, other: &Url) -> bool {
    let (Some(one), Some(other)) = (Host::of(one), Host::of(other)) else {
        return false;
    };
    match (&one, &other) {
        (Host::Name(a), Host::Name(b)) => a == b || domain(a) == domain(b),
        _ => one == other,
    }
}

/// The last two labels. Too wide for `co.uk` and the like, which here only means that a
/// redirect is taken for a server's own more often than it should.
fn domain(name: &str) -> &str {
    match name.rmatch_indices('.').nth(1) {
        Some((dot, _)) => name.get(dot + 1..).unwrap_or(name),
        None => name,
    }
}

/// `AccessDenied` of `<Code>AccessDenied</Code>`, or where it is all that there is.
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

    fn answer(kind: &str, body: &[u8]) -> HttpAnswer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        let url = Url::parse("http://h.test/").unwrap();
        let mut answer = HttpAnswer::new(url, StatusCode::OK, &headers);
        answer.push(body, WantedBody::Body(100), "h.test").unwrap();
        answer
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
            assert_eq!(
                retry_after(value, date).map(|t| t.as_secs()),
                want,
                "{value:?}"
            );
        }
        assert_eq!(retry_after(date, None), None);
    }

    #[test]
    fn a_body_is_cut_at_its_bound() {
        let mut answer = answer("text/plain", &[b'x'; 99]);
        assert!(!answer.cut);
        answer.push(b"12", WantedBody::Body(100), "h.test").unwrap();
        assert!(answer.cut && answer.body.len() == 100);
        assert!(!answer.wants_more(WantedBody::Body(100)));
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
        let url = Url::parse("http://h.test/").unwrap();
        let mut answer = HttpAnswer::new(url, StatusCode::from_u16(status).unwrap(), &map);
        answer
            .push(body.as_bytes(), WantedBody::Body(1024), "h.test")
            .unwrap();
        answer
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
            |headers: &[(&'static str, &str)]| answer_with(503, headers, "").hints.by_proxy;
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
        // A proxy that passes an answer on says so, and has not written it.
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
