//! go's words: those of net, net/http, crypto/tls, crypto/x509 and of the systems' errors; what
//! cannot work whatever the network does; and the answers that go names without a URL.

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

/// How go begins to say that no module was found for an import (modload/import.go:ImportMissingError).
/// With nothing behind the package, all places that were asked have answered that they have none.
pub(super) const SEARCHED: &str = "cannot find module providing package ";

/// What a part of one of go's statements says, by how it begins.
pub(super) fn setting(text: &str, proxies: &[String]) -> Option<Class> {
    if let Some(rest) = text.strip_prefix("invalid response from proxy \"") {
        return Some(answered(rest));
    }
    if text.starts_with("module lookup disabled by GOPROXY=off") {
        return Some(behind_others(proxies));
    }
    if let Some(package) = text.strip_prefix(SEARCHED) {
        let package = package.lines().next().unwrap_or_default();
        return (!package.contains([' ', ':'])).then_some(Class::NotFound);
    }
    if let Some((_, error)) = parse_error(text) {
        // A URL that is none is GOPROXY's or GOSUMDB's.
        return (!error.is_empty()).then_some(Class::Config);
    }
    if not_go_mod(text) {
        return Some(Class::Corrupt);
    }
    if is_no_folder(text) {
        return Some(Class::Config);
    }
    if text.ends_with("executable file not found in $PATH") || text.ends_with("not found in %PATH%")
    {
        return Some(Class::Config);
    }
    SETTINGS
        .iter()
        .find(|(begin, _)| text.starts_with(begin))
        .map(|(_, class)| *class)
}

/// Is it one of go's sentences, and no other program's?
pub(super) fn is_setting(text: &str) -> bool {
    setting(text, &[]).is_some()
}

/// The base that `invalid response from proxy "P"` names.
pub(super) fn base_of(text: &str) -> Option<String> {
    let rest = text.strip_prefix("invalid response from proxy \"")?;
    rest.split_once('"').map(|(base, _)| base.to_owned())
}

/// net/url's `parse "U": ERR`.
fn parse_error(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("parse \"")?.split_once("\": ")
}

/// What came as a go.mod is none (modload/modfile.go:rawGoModSummary). What is wrong with a
/// go.mod that is one follows on further lines.
fn not_go_mod(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("parsing go.mod: ") else {
        return false;
    };
    rest.starts_with("missing module line") || rest.contains("unexpected input character")
}

/// A file proxy below something that is not a directory.
fn is_no_folder(text: &str) -> bool {
    text.strip_prefix("open ").is_some_and(|rest| {
        rest.ends_with(": not a directory") && (rest.contains("/@v/") || rest.contains("/@latest"))
    })
}

/// encoding/json about an `.info` that is none: `<` is how every HTML page begins.
fn answered(rest: &str) -> Class {
    if rest.contains("invalid character '<' looking for beginning of value") {
        Class::Portal
    } else {
        Class::Corrupt
    }
}

/// `off` is reached when all before it said that there is no such thing
/// (modfetch/proxy.go:TryProxies); alone it is a setting.
fn behind_others(proxies: &[String]) -> Class {
    match proxies {
        [_, .., last] if last == "off" => Class::NotFound,
        _ => Class::Config,
    }
}

/// By file of cmd/go/internal, where nothing else is said of golang.org/x/mod or net.
const SETTINGS: [(&str, Class); 43] = [
    // modfetch/proxy.go
    ("invalid proxy URL", Class::Config),
    ("invalid file:// proxy URL", Class::Config),
    ("GOPROXY list is not the empty string", Class::Config),
    ("proxy returned info for version ", Class::Corrupt),
    ("downloaded zip file too large", Class::Corrupt),
    // modfetch/repo.go, codehost
    ("disabled by GOPRIVATE/GONOPROXY", Class::Config),
    ("path does not match GOPRIVATE/GONOPROXY", Class::Config),
    ("unknown revision ", Class::NotFound),
    ("no matching versions for query ", Class::NotFound),
    // modfetch/cache.go: no place to put anything
    ("module cache not found", Class::Config),
    ("GOMODCACHE entry is relative", Class::Config),
    ("GOPATH entry is relative", Class::Config),
    ("could not create module cache", Class::Config),
    ("build cache is required", Class::Config),
    // modfetch/sumdb.go, x/mod/sumdb/note
    ("missing GOSUMDB", Class::Config),
    ("invalid GOSUMDB", Class::Config),
    ("invalid sumdb name", Class::Config),
    ("checksum database disabled by GOSUMDB=off", Class::Config),
    ("malformed verifier id", Class::Config),
    ("could not locate sumdb file", Class::Config),
    // web/http.go
    ("insecure URL: ", Class::Config),
    ("unsupported scheme: ", Class::Config),
    (
        "refusing to pass credentials to insecure URL",
        Class::Config,
    ),
    ("network disabled by cmdgonetlimit", Class::Config),
    ("file URL ", Class::Config),
    ("non-file URL", Class::Config),
    // net/http/transport.go, x/net/http/httpproxy
    ("refusing to use HTTP_PROXY value in CGI", Class::Config),
    ("invalid proxy address ", Class::Config),
    // vcs/vcs.go
    ("GOVCS disallows using ", Class::Config),
    ("empty entry in GOVCS", Class::Config),
    ("malformed entry in GOVCS", Class::Config),
    ("empty VCS ", Class::Config),
    ("empty pattern in GOVCS", Class::Config),
    ("unreachable pattern in GOVCS", Class::Config),
    // No scheme answered; go does not say why.
    ("no secure protocol found", Class::Unreachable),
    ("no protocol found", Class::Unreachable),
    ("no go-import meta tag", Class::NotFound),
    // auth/auth.go
    ("GOAUTH", Class::Config),
    ("unknown GOAUTH", Class::Config),
    // base/goflags.go
    ("parsing $GOFLAGS", Class::Config),
    // toolchain/select.go
    ("invalid GOTOOLCHAIN ", Class::Config),
    ("no releases found for go", Class::NotFound),
    ("toolchain not available", Class::NotFound),
];
