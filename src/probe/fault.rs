//! The result of a probe before it becomes an [`Observation`](crate::model::Observation), and the
//! meaning of errors of the system, of TLS and of HTTP, in a user's words.

use std::error::Error;
use std::io;
use std::io::ErrorKind;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};
use url::Url;

use super::verifier::CertificateFault;
use crate::model::mask::has_credentials;
use crate::model::text::is_direction_mark;
use crate::model::{Cause, Host, Phase, Proof, Verdict};

/// The longest quotation of a stranger's text in a reason, in characters.
const MAX_QUOTED: usize = 120;
/// The longest login URL that is kept, in characters.
const MAX_PORTAL_URL: usize = 500;

/// Why a target is not up.
#[derive(Debug)]
pub(super) struct ProbeFailure {
    pub(super) verdict: Verdict,
    pub(super) phase: Phase,
    pub(super) cause: Cause,
    pub(super) reason: String,
    pub(super) definite: bool,
    /// The connection was open, and no answer came in time.
    pub(super) silent: bool,
    /// A time limit was reached.
    pub(super) timed_out: bool,
    pub(super) portal_url: Option<String>,
}

/// What was proven and how strong the proof is, or why the target is not up.
pub(super) type ProbeOutcome = Result<(String, Proof), ProbeFailure>;

/// No answer, or a refusal; another try may succeed.
pub(super) fn down(phase: Phase, reason: impl Into<String>) -> ProbeFailure {
    ProbeFailure {
        verdict: Verdict::Down,
        phase,
        cause: usual_cause(Verdict::Down, phase),
        reason: reason.into(),
        definite: false,
        silent: false,
        timed_out: false,
        portal_url: None,
    }
}

/// The cause where nothing more is known than the phase.
fn usual_cause(verdict: Verdict, phase: Phase) -> Cause {
    match (phase, verdict) {
        (Phase::Dns, _) => Cause::Dns,
        (Phase::Tls, _) => Cause::Tls,
        (_, Verdict::Portal) => Cause::Portal,
        (Phase::Body | Phase::Content, _) | (_, Verdict::Wrong) => Cause::Corrupt,
        (Phase::Connect, _) => Cause::Unreachable,
        (Phase::FirstByte, _) => Cause::Reset,
    }
}

/// A refusal that another try would only get again. One of the connection has to do with settings.
pub(super) fn refusal(phase: Phase, reason: impl Into<String>) -> ProbeFailure {
    let refused = definite(Verdict::Down, phase, reason);
    if phase == Phase::Connect {
        return refused.by(Cause::Config);
    }
    refused
}

/// The target answers, but the content is wrong.
pub(super) fn wrong(phase: Phase, reason: impl Into<String>) -> ProbeFailure {
    definite(Verdict::Wrong, phase, reason)
}

/// Something else answers instead of the target.
pub(super) fn portal(phase: Phase, reason: impl Into<String>) -> ProbeFailure {
    definite(Verdict::Portal, phase, reason)
}

/// An answer that another try would only get again.
pub(super) fn definite(verdict: Verdict, phase: Phase, reason: impl Into<String>) -> ProbeFailure {
    ProbeFailure {
        verdict,
        cause: usual_cause(verdict, phase),
        definite: true,
        ..down(phase, reason)
    }
}

impl ProbeFailure {
    /// Sets the cause.
    pub(super) fn by(self, cause: Cause) -> ProbeFailure {
        ProbeFailure { cause, ..self }
    }

    /// Adds the login page, if `url` can be one.
    pub(super) fn at(mut self, url: Option<&Url>) -> ProbeFailure {
        self.portal_url = url.and_then(portal_url);
        self
    }
}

/// Makes a stranger's text fit for one line: bounded, without control characters.
pub(super) fn quoted(text: &str) -> String {
    let harmless = |c: &char| !c.is_control() && !is_direction_mark(*c);
    let out: String = text.chars().filter(harmless).take(MAX_QUOTED).collect();
    match text.chars().nth(MAX_QUOTED) {
        Some(_) => out + "…",
        None => out,
    }
}

/// A URL for a reason: without credentials, query and fragment, which may be secret.
pub(super) fn shown(url: &Url) -> String {
    if !matches!(url.scheme(), "http" | "https") {
        // A terminal might make a link of it.
        return quoted(&format!("a {} address", url.scheme()));
    }
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    strip_userinfo(&mut url);
    quoted(url.as_str())
}

/// `host`, or `host:port` if the port is not the scheme's default.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Removes `user:password@`.
pub(super) fn strip_userinfo(url: &mut Url) {
    // Both fail only for URLs that cannot have userinfo.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// `3 s`, `1.5 s`, `200 ms`.
pub(super) fn in_words(time: Duration) -> String {
    match time.as_millis() {
        ms if ms < 1000 => format!("{ms} ms"),
        ms if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        ms => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

fn portal_url(url: &Url) -> Option<String> {
    let mut url = url.clone();
    strip_userinfo(&mut url);
    // A parsed URL holds no control characters: they are removed or escaped.
    let is_fit = |text: &str| {
        text.len() <= MAX_PORTAL_URL && !text.contains(char::is_control) && !has_credentials(text)
    };
    if !is_fit(url.as_str()) {
        url.set_query(None);
        url.set_fragment(None);
    }
    let is_page = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_page && is_fit(url.as_str())).then(|| url.into())
}

/// More bytes came than any answer has.
#[derive(Debug, thiserror::Error)]
#[error("sends bytes without end")]
pub(super) struct TooMuch;

/// An answer that violates HTTP, or that go does not accept: the text after the server's name.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotAsHttp(pub(super) String);

/// Returns the causes of an error: of tokio-rustls, hyper, reqwest or the system.
pub(super) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>() {
            // io::Error::source() skips the error that it wraps.
            Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// Describes an error on a connection to `peer`.
pub(super) fn of(error: &(dyn Error + 'static), phase: Phase, peer: &str) -> ProbeFailure {
    if let Some(error) = find(error) {
        return tls(error, peer);
    }
    if let Some(TooMuch) = find(error) {
        return endless(phase, peer);
    }
    if let Some(NotAsHttp(how)) = find(error) {
        return wrong(phase, format!("{peer} {how}"));
    }
    if let Some(error) = find(error) {
        return socket(error, phase, peer);
    }
    if let Some(error) = find::<hyper::Error>(error) {
        if error.is_parse() {
            return wrong(phase, format!("{peer} answers, but not in HTTP"));
        }
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return socket(&ErrorKind::UnexpectedEof.into(), phase, peer);
        }
    }
    // An error of HTTP/2: its source has the details.
    let text = error.source().unwrap_or(error).to_string();
    down(phase, format!("{peer}: {}", quoted(&text)))
}

/// The answer does not end.
pub(super) fn endless(phase: Phase, peer: &str) -> ProbeFailure {
    wrong(phase, format!("{peer} {TooMuch}"))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
fn socket(error: &io::Error, phase: Phase, peer: &str) -> ProbeFailure {
    let reason = match error.kind() {
        ErrorKind::ConnectionRefused => format!("connection refused by {peer}"),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            format!("{peer} reset the connection")
        }
        ErrorKind::ConnectionAborted => format!("the connection to {peer} was aborted"),
        ErrorKind::UnexpectedEof => {
            let when = match phase {
                Phase::Tls => "instead of a TLS handshake",
                Phase::Body => "within its answer",
                Phase::Dns | Phase::Connect | Phase::FirstByte | Phase::Content => {
                    "without an answer"
                }
            };
            format!("{peer} closed the connection {when}")
        }
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            format!("the network of {peer} is unreachable from here")
        }
        ErrorKind::HostUnreachable => format!("no route to {peer}"),
        ErrorKind::TimedOut => format!("no answer from {peer}"),
        // The errors of Linux for `ip route add prohibit` and `blackhole`.
        ErrorKind::PermissionDenied => format!("this machine may not talk to {peer}"),
        // hyper's error for a body with invalid chunks.
        ErrorKind::InvalidInput | ErrorKind::InvalidData if error.raw_os_error().is_none() => {
            let reason = format!("{peer} {NOT_A_BODY}");
            return wrong(phase, reason);
        }
        ErrorKind::InvalidInput => format!("this machine's routes drop what is for {peer}"),
        _ => format!("{peer}: {}", quoted(&error.to_string())),
    };
    let cause = match error.kind() {
        ErrorKind::ConnectionRefused => Cause::Refused,
        ErrorKind::TimedOut => Cause::Timeout,
        ErrorKind::UnexpectedEof if phase == Phase::Body => Cause::Corrupt,
        ErrorKind::ConnectionReset
        | ErrorKind::BrokenPipe
        | ErrorKind::ConnectionAborted
        | ErrorKind::UnexpectedEof => Cause::Reset,
        _ if phase == Phase::Connect => Cause::Unreachable,
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown | ErrorKind::HostUnreachable => {
            Cause::Unreachable
        }
        _ => Cause::Reset,
    };
    down(phase, reason).by(cause)
}

pub(super) const NOT_A_BODY: &str = "answers, but its body is not as HTTP has it";

/// The messages of the resolvers of glibc, musl and macOS for EAI_NONAME and EAI_NODATA; std keeps
/// no error code.
const NO_SUCH_HOST: [&str; 4] = [
    "Name or service not known",
    "No address associated with",
    "Name does not resolve",
    "nodename nor servname provided",
];
/// glibc and macOS, then musl: EAI_AGAIN. All servers returned SERVFAIL or REFUSED, or there is no
/// server.
const TRY_AGAIN: [&str; 2] = ["Temporary failure in name resolution", "Try again"];

/// Describes an error of the resolver. Its messages are those of libc and Windows.
pub(super) fn lookup(error: &io::Error, host: &str) -> ProbeFailure {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&NO_SUCH_HOST) || matches!(error.raw_os_error(), Some(11001 | 11004)) {
        return refusal(Phase::Dns, format!("DNS knows no {host}"));
    }
    down(
        Phase::Dns,
        if says(&TRY_AGAIN) || error.raw_os_error() == Some(11002) {
            format!("DNS gives no answer for {host}: its server fails, or there is none")
        } else {
            let text = text.rsplit(": ").next().unwrap_or_default();
            format!("DNS fails for {host}: {}", quoted(text))
        },
    )
}

/// Describes an error of the handshake with `peer`, or an alert after it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
fn tls(error: &rustls::Error, peer: &str) -> ProbeFailure {
    let down = |what: String| down(Phase::Tls, what);
    let refusal = |what: &str| refusal(Phase::Tls, format!("{peer} {what}"));
    match error {
        rustls::Error::InvalidCertificate(error) => certificate(error, peer),
        rustls::Error::InvalidMessage(_) => {
            wrong(Phase::Tls, format!("{peer} answers, but not in TLS"))
        }
        // A middlebox that blocks by name may send the same.
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity,
        ) => down(format!(
            "{peer} and goroam's TLS have no cipher suite, key exchange or signature in common; \
             go may have one: it knows CBC suites and P-521 as well"
        )),
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            refusal("speaks no TLS of version 1.2 or later")
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            refusal("wants a client certificate, which go has none of")
        }
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            down(format!("{peer} does not know that name (TLS)"))
        }
        // A middlebox that blocks by name sends this alert: it may be gone a moment later.
        rustls::Error::AlertReceived(other) => {
            down(format!("{peer} refuses TLS (alert {})", u8::from(*other)))
        }
        other => down(format!(
            "TLS with {peer} fails: {}",
            quoted(&other.to_string())
        )),
    }
}

/// The server answers a TLS handshake in plain HTTP.
pub(super) fn plain_http(peer: &str) -> ProbeFailure {
    let reason = format!("{peer} speaks plain http where https was asked");
    wrong(Phase::Tls, reason)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
fn certificate(error: &CertificateError, peer: &str) -> ProbeFailure {
    let wrong = |reason| wrong(Phase::Tls, reason);
    let portal = |reason| portal(Phase::Tls, reason);
    let says = |what: &str| format!("certificate of {peer} {what}");
    let what = match error {
        CertificateError::ExpiredContext { time, not_after } => {
            return wrong(out_of_date(
                peer,
                "ended",
                not_after.as_secs(),
                time.as_secs(),
            ));
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            return wrong(out_of_date(
                peer,
                "begins",
                not_before.as_secs(),
                time.as_secs(),
            ));
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "names no host (no subject alternative name), and go does not take it"
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().take(3).map(|one| bare_name(one)).collect();
            let names = quoted(&names.join(", "));
            return portal(format!("certificate is for {names}, not {peer}"));
        }
        CertificateError::NotValidForName => return portal(says("is for another name")),
        CertificateError::UnknownIssuer => {
            let reason = says("is not signed by a CA that is trusted here");
            // A network's login page answers for public names.
            return if is_near(peer) {
                wrong(reason)
            } else {
                portal(reason)
            };
        }
        CertificateError::Expired | CertificateError::NotValidYet => {
            "is out of date; is this machine's clock right?"
        }
        CertificateError::BadEncoding => "cannot be read",
        CertificateError::BadSignature => "has a signature that is wrong",
        CertificateError::UnhandledCriticalExtension => UNKNOWN_CONDITION,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "is not for servers"
        }
        CertificateError::Revoked => "is revoked",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed with MD5 or SHA-1, which go does not take"
        }
        CertificateError::Other(other) => match other.0.downcast_ref() {
            Some(CertificateFault::AnotherKey) => {
                return portal(format!(
                    "{peer} answers with {}",
                    CertificateFault::AnotherKey
                ));
            }
            Some(CertificateFault::NegativeSerial) => {
                "has a negative serial number, which go 1.23 and later do not take"
            }
            Some(beyond) => {
                return wrong(format!(
                    "go may take the certificate of {peer}, goroam's TLS does not: {beyond}; \
                     another certificate helps"
                ));
            }
            None => by_webpki(other.0.downcast_ref()),
        },
        _ => "is not as go wants it",
    };
    wrong(says(what))
}

const UNKNOWN_CONDITION: &str = "holds a condition that nothing here knows";

fn by_webpki(error: Option<&webpki::Error>) -> &'static str {
    use webpki::Error;
    match error {
        Some(Error::UnsupportedCriticalExtension) => UNKNOWN_CONDITION,
        Some(Error::UnsupportedCertVersion) => "is of an old version of X.509",
        Some(Error::NameConstraintViolation) => "is for a name that its authority may not sign",
        Some(Error::PathLenConstraintViolated) => {
            "is signed by more authorities than one of them allows"
        }
        Some(Error::EndEntityUsedAsCa) => "is signed by a certificate that is not a CA",
        Some(
            Error::MaximumNameConstraintComparisonsExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumSignatureChecksExceeded,
        ) => "comes with a chain that takes too long to check",
        Some(_) | None => "cannot be read",
    }
}

/// Reports whether `host:port` is on this machine or at a private address.
fn is_near(peer: &str) -> bool {
    let whole = Host::parse(peer);
    let host = whole.or_else(|| Host::parse(peer.rsplit_once(':')?.0));
    host.is_some_and(|host| host.is_near())
}

/// The start of the year in which this version of goroam was written: a clock before it is wrong.
const WRITTEN: u64 = 1_767_225_600;

/// Describes a certificate that does not fit the clock's time. If it is not known which of the two
/// is wrong, names both.
fn out_of_date(peer: &str, what: &str, seconds: u64, now: u64) -> String {
    let (day, today) = (day(seconds), day(now));
    if now < WRITTEN {
        format!(
            "this machine's clock is wrong: it says {today}, and the certificate of {peer} \
             {what} on {day}"
        )
    } else {
        format!("certificate of {peer} {what} on {day}, by a clock that says {today}")
    }
}

fn day(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(
        || "a day that no calendar has".to_owned(),
        |time| time.strftime("%Y-%m-%d").to_string(),
    )
}

/// webpki writes the names of a certificate as `DnsName("somewhere-else.test")` and
/// `IpAddress(10.0.0.1)`.
fn bare_name(name: &str) -> &str {
    let inner = name.split_once('(');
    let inner = inner.and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolvers_answers_are_told_apart() {
        let text = |text: &str| {
            let error = io::Error::other(format!("failed to lookup address information: {text}"));
            lookup(&error, "h.test")
        };
        let unknown = text("Name or service not known");
        assert_eq!(
            (unknown.reason.as_str(), unknown.definite),
            ("DNS knows no h.test", true)
        );
        let again = text("Temporary failure in name resolution");
        assert!(again.reason.contains("gives no answer") && !again.definite);
        let other = text("Non-recoverable failure in name resolution");
        assert_eq!(
            other.reason,
            "DNS fails for h.test: Non-recoverable failure in name resolution"
        );
    }

    #[test]
    fn a_clock_that_is_wrong_is_named() {
        use rustls::pki_types::UnixTime;

        let at =
            |days: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(days * 86_400));
        let early = CertificateError::NotValidYetContext {
            time: at(1),
            not_before: at(20_700),
        };
        let wrong = tls(&rustls::Error::InvalidCertificate(early), "h.test");
        assert_eq!(wrong.verdict, Verdict::Wrong);
        assert_eq!(
            wrong.reason,
            "this machine's clock is wrong: it says 1970-01-02, and the certificate of h.test \
             begins on 2026-09-04"
        );
        let late = CertificateError::ExpiredContext {
            time: at(23_000),
            not_after: at(20_900),
        };
        let either = tls(&rustls::Error::InvalidCertificate(late), "h.test").reason;
        assert!(
            either.ends_with("ended on 2027-03-23, by a clock that says 2032-12-21"),
            "{either}"
        );
    }

    #[test]
    fn only_a_certificate_of_another_server_is_a_portal() {
        let judge = |error| tls(&rustls::Error::InvalidCertificate(error), "h.test");
        assert_eq!(
            judge(CertificateError::UnknownIssuer).verdict,
            Verdict::Portal
        );
        let near = |peer| {
            let error = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
            tls(&error, peer).verdict
        };
        for peer in ["127.0.0.1:1", "[::1]:2", "10.1.2.3", "localhost:443"] {
            assert_eq!(near(peer), Verdict::Wrong, "{peer}");
        }
        for peer in ["proxy.golang.org", "8.8.8.8:443", "[2001:db8::1]:443"] {
            assert_eq!(near(peer), Verdict::Portal, "{peer}");
        }
        for ours in [
            CertificateError::Revoked,
            CertificateError::BadEncoding,
            CertificateError::BadSignature,
            CertificateError::ApplicationVerificationFailure,
            CertificateError::Other(rustls::OtherError(std::sync::Arc::new(
                webpki::Error::NameConstraintViolation,
            ))),
            CertificateError::Other(rustls::OtherError(std::sync::Arc::new(
                webpki::Error::MalformedExtensions,
            ))),
        ] {
            let judged = judge(ours);
            assert_eq!(judged.verdict, Verdict::Wrong);
            assert!(!judged.reason.contains(['(', ':']), "{}", judged.reason);
        }
        let suites = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
        assert!(tls(&suites, "h.test").reason.contains("go may have one"));
        let key = CertificateError::Other(rustls::OtherError(std::sync::Arc::new(
            CertificateFault::AnotherKey,
        )));
        let pin = judge(key);
        assert_eq!(pin.verdict, Verdict::Portal);
        assert_eq!(
            pin.reason,
            "h.test answers with another key than the pinned one"
        );
    }

    #[test]
    fn a_strangers_text_cannot_break_the_line_or_fill_the_screen() {
        assert_eq!(quoted("a\x1b[31m\nb\u{202e}c"), "a[31mbc");
        assert_eq!(quoted(&"x".repeat(10_000)).chars().count(), MAX_QUOTED + 1);
    }

    #[test]
    fn urls_are_shown_without_what_may_be_secret() {
        let url = Url::parse("https://joe:secret@h.test:8443/p?token=1#f").unwrap();
        assert_eq!(shown(&url), "https://h.test:8443/p");
        let script = Url::parse("javascript:alert(1)").unwrap();
        assert_eq!(shown(&script), "a javascript address");
        assert_eq!(authority(&url), "h.test:8443");
    }

    #[test]
    fn only_a_short_web_address_is_a_login_page() {
        let page = |text: &str| portal_url(&Url::parse(text).unwrap());
        assert_eq!(
            page("http://u:p@login.test/x?mac=1").as_deref(),
            Some("http://login.test/x?mac=1")
        );
        assert_eq!(page("javascript:alert(1)"), None);
        assert_eq!(page("file:///etc/passwd"), None);
        let long = "x".repeat(600);
        assert_eq!(page(&format!("http://h.test/{long}")), None);
        for query in [&format!("mac={long}"), "a=1&token=s3cret#x"] {
            let found = page(&format!("http://h.test/in?{query}"));
            assert_eq!(found.as_deref(), Some("http://h.test/in"));
        }
        let odd = page("http://h.test/\u{202e}\u{1b}[2J`id`?$(id)\u{7}").unwrap();
        assert!(odd.is_ascii() && !odd.contains(char::is_control), "{odd}");
    }

    #[test]
    fn times_read_as_a_person_would_say_them() {
        for (ms, words) in [(200, "200 ms"), (3000, "3 s"), (1500, "1.5 s"), (0, "0 ms")] {
            assert_eq!(in_words(Duration::from_millis(ms)), words);
        }
    }
}
