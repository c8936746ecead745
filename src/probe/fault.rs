//! What errors of the system, of TLS and of HTTP mean, in a user's words.

use std::error::Error;
use std::io;
use std::io::ErrorKind;

use rustls::{AlertDescription, CertificateError};

use super::certificate::{self, Beyond};
use super::failure::{ProbeFailure, quoted};
use super::head::RefusedHead;
use super::tls::tls_error;
use super::verifier::AnotherKey;
use super::wire::TooMuch;
use crate::model::{Host, Phase};

/// An error of a socket to `peer`.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
pub(super) fn socket(error: &io::Error, phase: Phase, peer: &str) -> ProbeFailure {
    if let Some(error) = tls_error(error) {
        return tls(error, peer);
    }
    if error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()) {
        return endless(phase, peer);
    }
    if let Some(refused) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<RefusedHead>())
    {
        return ProbeFailure::wrong(phase, format!("{peer} {refused}"));
    }
    let reason = match error.kind() {
        ErrorKind::ConnectionRefused => format!("connection refused by {peer}"),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            format!("{peer} reset the connection")
        }
        ErrorKind::ConnectionAborted => format!("the connection to {peer} was aborted"),
        ErrorKind::UnexpectedEof if phase == Phase::Tls => {
            format!("{peer} closed the connection instead of a TLS handshake")
        }
        ErrorKind::UnexpectedEof => format!("{peer} closed the connection without an answer"),
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            format!("the network of {peer} is unreachable from here")
        }
        ErrorKind::HostUnreachable => format!("no route to {peer}"),
        ErrorKind::TimedOut => format!("no answer from {peer}"),
        // What Linux says for `ip route add prohibit` and `blackhole`.
        ErrorKind::PermissionDenied => format!("this machine may not talk to {peer}"),
        // hyper's of a body whose chunks are none.
        ErrorKind::InvalidInput | ErrorKind::InvalidData if error.raw_os_error().is_none() => {
            let reason = format!("{peer} answers, but its body is not as HTTP has it");
            return ProbeFailure::wrong(phase, reason);
        }
        ErrorKind::InvalidInput => format!("this machine's routes drop what is for {peer}"),
        _ => format!("{peer}: {}", quoted(&error.to_string())),
    };
    ProbeFailure::down(phase, reason)
}

/// An error of the resolver. Its texts are libc's and Windows' own; std keeps no code.
pub(super) fn lookup(error: &io::Error, host: &str) -> ProbeFailure {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&NO_SUCH_HOST) || matches!(error.raw_os_error(), Some(11001 | 11004)) {
        return ProbeFailure::refusal(Phase::Dns, format!("DNS knows no {host}"));
    }
    if says(&TRY_AGAIN) || error.raw_os_error() == Some(11002) {
        return ProbeFailure::down(
            Phase::Dns,
            format!("DNS gives no answer for {host}: its server fails, or there is none"),
        );
    }
    let text = text.rsplit(": ").next().unwrap_or_default();
    ProbeFailure::down(
        Phase::Dns,
        format!("DNS fails for {host}: {}", quoted(text)),
    )
}

/// glibc, musl, macOS: EAI_NONAME and EAI_NODATA.
const NO_SUCH_HOST: [&str; 4] = [
    "Name or service not known",
    "No address associated with",
    "Name does not resolve",
    "nodename nor servname provided",
];
/// glibc and macOS, musl: EAI_AGAIN. SERVFAIL, REFUSED by all servers, or no server.
const TRY_AGAIN: [&str; 2] = ["Temporary failure in name resolution", "Try again"];

/// An error of the handshake with `peer`, or an alert after it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
pub(super) fn tls(error: &rustls::Error, peer: &str) -> ProbeFailure {
    if let rustls::Error::InvalidCertificate(error) = error {
        return certificate(error, peer);
    }
    match error {
        rustls::Error::InvalidMessage(_) => {
            ProbeFailure::wrong(Phase::Tls, format!("{peer} answers, but not in TLS"))
        }
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::ProtocolVersion => ProbeFailure::refusal(
                Phase::Tls,
                format!("{peer} speaks no TLS of version 1.2 or later"),
            ),
            AlertDescription::CertificateRequired => ProbeFailure::refusal(
                Phase::Tls,
                format!("{peer} wants a client certificate, which go has none of"),
            ),
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                nothing_in_common(peer)
            }
            AlertDescription::UnrecognisedName => {
                ProbeFailure::down(Phase::Tls, format!("{peer} does not know that name (TLS)"))
            }
            // A middlebox that blocks by name answers so: it may be gone a moment later.
            other => {
                let number = u8::from(*other);
                ProbeFailure::down(Phase::Tls, format!("{peer} refuses TLS (alert {number})"))
            }
        },
        rustls::Error::PeerIncompatible(_) => nothing_in_common(peer),
        other => ProbeFailure::down(
            Phase::Tls,
            format!("TLS with {peer} fails: {}", quoted(&other.to_string())),
        ),
    }
}

/// It answers a TLS handshake in plain HTTP.
pub(super) fn plain_http(peer: &str) -> ProbeFailure {
    let reason = format!("{peer} speaks plain http where https was asked");
    ProbeFailure::wrong(Phase::Tls, reason)
}

/// A middlebox that blocks by name may say the same.
fn nothing_in_common(peer: &str) -> ProbeFailure {
    ProbeFailure::down(
        Phase::Tls,
        format!(
            "{peer} and goroam's TLS have no cipher suite, key exchange or signature in common; \
             go may have one: it knows CBC suites and P-521 as well"
        ),
    )
}

fn certificate(error: &CertificateError, peer: &str) -> ProbeFailure {
    if let CertificateError::ExpiredContext { time, not_after } = error {
        return out_of_date(peer, "ended", not_after.as_secs(), time.as_secs());
    }
    if let CertificateError::NotValidYetContext { time, not_before } = error {
        return out_of_date(peer, "begins", not_before.as_secs(), time.as_secs());
    }
    if let CertificateError::NotValidForNameContext { presented, .. } = error {
        let names: Vec<&str> = presented
            .iter()
            .take(3)
            .map(|name| bare_name(name))
            .collect();
        if names.is_empty() {
            let reason = format!(
                "certificate of {peer} names no host (no subject alternative name), and go does \
                 not take it"
            );
            return ProbeFailure::wrong(Phase::Tls, reason);
        }
        let names = quoted(&names.join(", "));
        return ProbeFailure::portal(
            Phase::Tls,
            format!("certificate is for {names}, not {peer}"),
        );
    }
    if let CertificateError::Other(other) = error
        && other.0.downcast_ref::<AnotherKey>().is_some()
    {
        let reason = format!("{peer} answers with another key than the pinned one");
        return ProbeFailure::portal(Phase::Tls, reason);
    }
    if let CertificateError::Other(other) = error
        && let Some(beyond) = other.0.downcast_ref::<Beyond>()
    {
        let reason = format!(
            "go may take the certificate of {peer}, goroam's TLS does not: {beyond}; another \
             certificate helps"
        );
        return ProbeFailure::wrong(Phase::Tls, reason);
    }
    let says = |what: &str| format!("certificate of {peer} {what}");
    if matches!(
        error,
        CertificateError::Expired | CertificateError::NotValidYet
    ) {
        return ProbeFailure::wrong(
            Phase::Tls,
            says("is out of date; is this machine's clock right?"),
        );
    }
    if matches!(error, CertificateError::NotValidForName) {
        return ProbeFailure::portal(Phase::Tls, says("is for another name"));
    }
    if matches!(error, CertificateError::UnknownIssuer) {
        let reason = says("is not signed by a CA that is trusted here");
        // A network's login page stands in for names of the world.
        return if is_near(peer) {
            ProbeFailure::wrong(Phase::Tls, reason)
        } else {
            ProbeFailure::portal(Phase::Tls, reason)
        };
    }
    ProbeFailure::wrong(Phase::Tls, says(certificate::refusal(error)))
}

/// Is `host:port` on this machine or at a private address?
fn is_near(peer: &str) -> bool {
    let whole = Host::parse(peer);
    let host = whole.or_else(|| Host::parse(peer.rsplit_once(':')?.0));
    host.is_some_and(|host| host.is_near())
}

/// The year in which this goroam was written: a clock before it is wrong.
const WRITTEN: u64 = 1_767_225_600;

/// A certificate and the clock disagree. Where it is not known which of them is wrong, both
/// are named.
fn out_of_date(peer: &str, what: &str, seconds: u64, now: u64) -> ProbeFailure {
    let (day, today) = (day(seconds), day(now));
    let reason = if now < WRITTEN {
        format!(
            "this machine's clock is wrong: it says {today}, and the certificate of {peer} \
             {what} on {day}"
        )
    } else {
        format!("certificate of {peer} {what} on {day}, by a clock that says {today}")
    };
    ProbeFailure::wrong(Phase::Tls, reason)
}

fn day(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(
            || "a day that no calendar has".to_owned(),
            |time| time.strftime("%Y-%m-%d").to_string(),
        )
}

/// webpki writes the names of a certificate as `DnsName("somewhere-else.test")` and
/// `IpAddress(10.0.0.1)`.
fn bare_name(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

/// An error of hyper, on a connection to `peer`.
pub(super) fn http(error: &hyper::Error, phase: Phase, peer: &str) -> ProbeFailure {
    if let Some(error) = inner_io(error) {
        return socket(error, phase, peer);
    }
    if error.is_parse() {
        return ProbeFailure::wrong(phase, format!("{peer} answers, but not in HTTP"));
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        let when = if phase == Phase::Body {
            "within its"
        } else {
            "without an"
        };
        return ProbeFailure::down(phase, format!("{peer} closed the connection {when} answer"));
    }
    // Of HTTP/2: what it is lies beneath.
    let text = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    ProbeFailure::down(phase, format!("{peer}: {}", quoted(&text)))
}

/// Bytes without end.
pub(super) fn endless(phase: Phase, peer: &str) -> ProbeFailure {
    ProbeFailure::wrong(phase, format!("{peer} sends bytes without end"))
}

/// The system's error inside of another one.
pub(super) fn inner_io<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;

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
        let key = CertificateError::Other(rustls::OtherError(std::sync::Arc::new(AnotherKey)));
        let pin = judge(key);
        assert_eq!(pin.verdict, Verdict::Portal);
        assert_eq!(
            pin.reason,
            "h.test answers with another key than the pinned one"
        );
    }
}
