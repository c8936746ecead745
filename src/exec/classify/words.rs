//! The words of net, net/http, crypto/tls, crypto/x509 and of the systems' errors.

use super::form::unquoted;
use super::outcome::Class;

/// What an error at a request means. `part`: all of it, `error`: the text behind its URL.
pub(super) fn at_request(part: &str, error: &str) -> Class {
    // Before the answer has begun, this is a connection that was closed and no answer that is incomplete:
    // an HTTP proxy that hangs up on CONNECT.
    if error.trim_end() == "unexpected EOF" && part.starts_with("Get ") {
        Class::Reset
    } else {
        of(error)
    }
}

/// The same without its URL.
pub(super) fn of(error: &str) -> Class {
    let first = error.lines().next().unwrap_or_default().trim();
    status(first)
        .or_else(|| phrase(first))
        .or_else(|| known(first))
        // An error at a request that has no name here: something went wrong on the wire.
        .unwrap_or(Class::Reset)
}

/// The same where no URL is named: only what begins like an error of these packages.
pub(super) fn bare(text: &str) -> Option<Class> {
    const BEGIN: [&str; 12] = [
        "dial ",
        "read tcp ",
        "write tcp ",
        "read udp ",
        "proxyconnect ",
        "socks connect ",
        "tls: ",
        "remote error: tls: ",
        "x509: ",
        "net/http: ",
        "http2: ",
        "stream error: ",
    ];
    let first = text.lines().next().unwrap_or_default().trim();
    if first == "EOF" {
        return Some(Class::Reset);
    }
    let broken = ["unexpected EOF", "flate: ", "zip for ", "unzip "];
    if is_of_a_zip(first) || broken.iter().any(|begin| first.starts_with(begin)) {
        return Some(Class::Corrupt);
    }
    BEGIN
        .iter()
        .any(|begin| first.starts_with(begin))
        .then(|| of(first))
}

/// archive/zip's own errors: go prints them without a module (modfetch/fetch.go:Unzip).
pub(super) fn is_of_a_zip(text: &str) -> bool {
    [
        "zip: not a valid zip file",
        "zip: checksum error",
        "zip: unsupported compression algorithm",
    ]
    .iter()
    .any(|error| text.starts_with(error))
}

/// An HTTP status line, as sent: `503 Service Unavailable`.
fn status(text: &str) -> Option<Class> {
    let number = text.split(' ').next()?;
    let fits = number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| by_number(number.parse().unwrap_or_default()))
}

fn by_number(status: u16) -> Class {
    match status {
        404 | 410 => Class::NotFound,
        401 | 403 | 407 => Class::Auth,
        429 | 503 => Class::Busy,
        // RFC 6585, 6: a captive portal's own.
        511 => Class::Portal,
        400..=499 => Class::Client,
        500.. => Class::Server,
        // A redirect that is not followed: it leads away from the file.
        300..=303 | 305..=399 => Class::Portal,
        // No content where content was asked.
        _ => Class::Corrupt,
    }
}

/// What an HTTP proxy answered to CONNECT: the status' text without its number
/// (net/http/transport.go:dialConn).
fn phrase(text: &str) -> Option<Class> {
    // It is the proxy that is busy or broken, and it says nothing of the module proxy.
    Some(match by_phrase(text)? {
        503 => Class::Server,
        // The proxy does not say this of the file, but of the host: it may not be reached so.
        404 => Class::Client,
        status => by_number(status),
    })
}

/// Is it what an HTTP proxy answered to CONNECT?
pub(super) fn is_phrase(text: &str) -> bool {
    by_phrase(text.trim()).is_some()
}

fn by_phrase(text: &str) -> Option<u16> {
    const PHRASES: [(&str, u16); 26] = [
        // To a login page.
        ("Moved Permanently", 511),
        ("Found", 511),
        ("See Other", 511),
        ("Temporary Redirect", 511),
        ("Permanent Redirect", 511),
        ("Bad Request", 400),
        ("Unauthorized", 401),
        ("Payment Required", 402),
        ("Forbidden", 403),
        ("Not Found", 404),
        ("Method Not Allowed", 405),
        ("Proxy Authentication Required", 407),
        ("Request Timeout", 408),
        ("Gone", 404),
        ("Misdirected Request", 421),
        ("Unavailable For Legal Reasons", 451),
        ("Too Many Requests", 429),
        ("Internal Server Error", 500),
        ("Not Implemented", 501),
        ("Bad Gateway", 502),
        ("Service Unavailable", 503),
        ("Gateway Timeout", 504),
        // Squid and HAProxy spell it so.
        ("Gateway Time-out", 504),
        ("Service Temporarily Unavailable", 503),
        ("HTTP Version Not Supported", 505),
        ("Network Authentication Required", 511),
    ];
    let found = PHRASES
        .iter()
        .find(|(phrase, _)| phrase.eq_ignore_ascii_case(text));
    found.map(|(_, status)| *status)
}

fn known(text: &str) -> Option<Class> {
    // What a server has sent: `malformed HTTP response "…"`.
    let text = &*unquoted(text);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if text.starts_with("lookup ") || text.contains(": lookup ") || has(&["no such host"]) {
        return Some(Class::Dns);
    }
    let local = |class: Class| class == Class::Config && text.contains("connect: ");
    WORDS
        .iter()
        .find(|(words, _)| has(words))
        .map(|(_, class)| *class)
        .filter(|class| !local(*class))
        .or_else(|| match text {
            "EOF" => Some(Class::Reset),
            _ if text.ends_with(": EOF") => Some(Class::Reset),
            // What keeps the first packet from leaving: a route of type blackhole or prohibit, a
            // firewall on this machine.
            _ if text.contains("dial ") => Some(Class::Unreachable),
            _ => None,
        })
}

/// In this order: what stands first is the nearer cause.
const WORDS: [(&[&str], Class); 12] = [
    (
        &[
            "i/o timeout",
            "TLS handshake timeout",
            "timed out",
            "deadline exceeded",
            "Client.Timeout",
            "timeout awaiting",
            // Windows, WSAETIMEDOUT
            "did not properly respond after a period of time",
        ],
        Class::Timeout,
    ),
    (
        // A login page for those that have no cookies leads them in a circle.
        &["redirected from secure URL", "stopped after 10 redirects"],
        Class::Portal,
    ),
    // Unix, Windows, Wine.
    (
        &[
            "connection refused",
            "actively refused",
            "Connection refused.",
        ],
        Class::Refused,
    ),
    (
        &[
            "network is unreachable",
            "no route to host",
            "host is down",
            "network is down",
            "unreachable network",
            "unreachable host",
            "host unreachable",
            "network unreachable",
            "requested address",
            // RFC 1928, 6; the others of its words are below.
            "TTL expired",
        ],
        Class::Unreachable,
    ),
    (
        &[
            "connection reset",
            "broken pipe",
            "forcibly closed",
            "connection aborted",
            "connection was aborted",
            "server closed idle connection",
            "client connection lost",
            "closed network connection",
            "GOAWAY",
            "stream error",
        ],
        Class::Reset,
    ),
    (
        &[
            "authentication failed",
            "no acceptable authentication methods",
            "connection not allowed by ruleset",
        ],
        Class::Auth,
    ),
    (&["general SOCKS server failure"], Class::Server),
    (
        &["command not supported", "address type not supported"],
        Class::Client,
    ),
    (
        &[
            "x509: ",
            "tls: ",
            "server gave HTTP response to HTTPS client",
        ],
        Class::Tls,
    ),
    (
        &[
            "no such file or directory",
            "cannot find the file",
            "cannot find the path",
        ],
        Class::NotFound,
    ),
    (
        &[
            "unexpected EOF",
            "malformed",
            "invalid header",
            "bad Content-Length",
            "gzip: ",
            "flate: ",
            "unexpected end of JSON",
            "invalid character",
            "chunk length",
            "chunked encoding",
            "Content-Length",
            "transfer encoding",
        ],
        Class::Corrupt,
    ),
    (
        // A file:// proxy that this user may not read, or that is none; a URL that is none.
        &[
            "permission denied",
            "Access is denied",
            "is a directory",
            "not a directory",
            "no Host in request URL",
            "unsupported protocol scheme",
            "unknown scheme",
            "invalid port",
            "in CGI environment",
            "cmdgonetlimit",
        ],
        Class::Config,
    ),
];
