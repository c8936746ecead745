//! What errors of the system, of TLS and of HTTP mean, in a user's words.

use std::error::Error;
use std::io;
use std::io::ErrorKind;

use rustls::{AlertDescription, CertificateError};

use super::failure::{Failure, quoted};
use super::tls::{AnotherKey, tls_error};
use crate::model::Phase;

/// An error of a socket to `peer`.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
pub(super) fn socket(error: &io::Error, phase: Phase, peer: &str) -> Failure {
    if let Some(error) = tls_error(error) {
        return tls(error, peer);
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
        ErrorKind::InvalidInput => format!("this machine's routes drop what is for {peer}"),
        _ => format!("{peer}: {}", quoted(&error.to_string())),
    };
    Failure::down(phase, reason)
}

/// An error of the resolver. Its texts are libc's and Windows' own; std keeps no code.
pub(super) fn lookup(error: &io::Error, host: &str) -> Failure {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&NO_SUCH_HOST) || matches!(error.raw_os_error(), Some(11001 | 11004)) {
        return Failure::refusal(Phase::Dns, format!("DNS knows no {host}"));
    }
    if says(&TRY_AGAIN) || error.raw_os_error() == Some(11002) {
        return Failure::down(
            Phase::Dns,
            format!("DNS gives no answer for {host}: its server fails, or there is none"),
        );
    }
    let text = text.rsplit(": ").next().unwrap_or_default();
    Failure::down(
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
pub(super) fn tls(error: &rustls::Error, peer: &str) -> Failure {
    if let rustls::Error::InvalidCertificate(error) = error {
        return certificate(error, peer);
    }
    match error {
        rustls::Error::InvalidMessage(_) => {
            Failure::wrong(Phase::Tls, format!("{peer} answers, but not in TLS"))
        }
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::ProtocolVersion => Failure::refusal(
                Phase::Tls,
                format!("{peer} speaks no TLS of version 1.2 or later"),
            ),
            AlertDescription::CertificateRequired => Failure::refusal(
                Phase::Tls,
                format!("{peer} wants a client certificate, which go has none of"),
            ),
            // A middlebox that blocks by name answers so: it may be gone a moment later.
            other => Failure::down(Phase::Tls, format!("{peer} refuses TLS: {other:?}")),
        },
        other => Failure::down(
            Phase::Tls,
            format!("TLS with {peer} fails: {}", quoted(&other.to_string())),
        ),
    }
}

/// It answers a TLS handshake in plain HTTP.
pub(super) fn plain_http(peer: &str) -> Failure {
    let reason = format!("{peer} speaks plain http where https was asked");
    Failure::wrong(Phase::Tls, reason)
}

fn certificate(error: &CertificateError, peer: &str) -> Failure {
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
        let names = match names.as_slice() {
            [] => "no name at all".to_owned(),
            names => quoted(&names.join(", ")),
        };
        return Failure::portal(
            Phase::Tls,
            format!("certificate is for {names}, not {peer}"),
        );
    }
    if let CertificateError::Other(other) = error
        && other.0.downcast_ref::<AnotherKey>().is_some()
    {
        let reason = format!("{peer} answers with another key than the pinned one");
        return Failure::portal(Phase::Tls, reason);
    }
    let says = |what: &str| format!("certificate of {peer} {what}");
    if matches!(
        error,
        CertificateError::Expired | CertificateError::NotValidYet
    ) {
        return Failure::wrong(
            Phase::Tls,
            says("is out of date; is this machine's clock right?"),
        );
    }
    if matches!(error, CertificateError::Revoked) {
        return Failure::wrong(Phase::Tls, says("is revoked"));
    }
    if matches!(error, CertificateError::NotValidForName) {
        return Failure::portal(Phase::Tls, says("is for another name"));
    }
    if matches!(error, CertificateError::UnknownIssuer) {
        return Failure::portal(Phase::Tls, says("is signed by nobody who is trusted here"));
    }
    Failure::portal(
        Phase::Tls,
        says(&format!("is not trusted: {}", quoted(&error.to_string()))),
    )
}

/// The year in which this goroam was written: a clock before it is wrong.
const WRITTEN: u64 = 1_767_225_600;

/// A certificate and the clock disagree. Where it cannot be told which of them is wrong, both
/// are named.
fn out_of_date(peer: &str, what: &str, seconds: u64, now: u64) -> Failure {
    let (day, today) = (day(seconds), day(now));
    let reason = if now < WRITTEN {
        format!(
            "this machine's clock is wrong: it says {today}, and the certificate of {peer} \
             {what} on {day}"
        )
    } else {
        format!("certificate of {peer} {what} on {day}, by a clock that says {today}")
    };
    Failure::wrong(Phase::Tls, reason)
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

/// webpki writes the names of a certificate as `DnsName("somewhere-else.test")`.
fn bare_name(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

/// An error of hyper, on a connection to `peer`.
pub(super) fn http(error: &hyper::Error, phase: Phase, peer: &str) -> Failure {
    if let Some(error) = inner_io(error) {
        return socket(error, phase, peer);
    }
    if error.is_parse() {
        return Failure::wrong(
            phase,
            format!("{peer} answers, but not in HTTP, or with endless headers"),
        );
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        let when = if phase == Phase::Body {
            "within its"
        } else {
            "without an"
        };
        return Failure::down(phase, format!("{peer} closed the connection {when} answer"));
    }
    Failure::down(phase, format!("{peer}: {}", quoted(&error.to_string())))
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
    fn a_bad_certificate_is_a_portal_and_an_old_one_is_wrong() {
        let judge = |error| tls(&rustls::Error::InvalidCertificate(error), "h.test");
        assert_eq!(
            judge(CertificateError::UnknownIssuer).verdict,
            Verdict::Portal
        );
        assert_eq!(judge(CertificateError::Revoked).verdict, Verdict::Wrong);
        let key = CertificateError::Other(rustls::OtherError(std::sync::Arc::new(AnotherKey)));
        let pin = judge(key);
        assert_eq!(pin.verdict, Verdict::Portal);
        assert_eq!(
            pin.reason,
            "h.test answers with another key than the pinned one"
        );
    }
}
