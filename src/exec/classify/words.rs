//! go's messages: those of net, net/http, crypto/tls, crypto/x509 and of the systems' errors;
//! settings that cannot work on any network; the answers that go reports without a URL; and the
//! output of version control.

use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::StrDeserializer;

use super::form::{any, outside_quotes};
use super::outcome::Class;
use crate::model::Cause;

/// Returns the class of a text from a table: one row a line, `CLASS: WORDS|WORDS`, `#` before a
/// comment. The first row that fits decides.
pub(super) fn class_of(table: &str, fits: impl Fn(&str) -> bool) -> Option<Class> {
    rows(table).find_map(|(class, words)| class.filter(|_| any(words, &fits)))
}

fn rows(table: &str) -> impl Iterator<Item = (Option<Class>, &str)> {
    table.lines().filter_map(|row| {
        let (class, words) = row.trim_start().split_once(": ")?;
        let class: StrDeserializer<'_, serde::de::value::Error> = class.into_deserializer();
        (!row.trim_start().starts_with('#')).then(|| (Class::deserialize(class).ok(), words))
    })
}

/// Classifies an error of a request. `part`: all of it, `error`: the text after its URL.
pub(super) fn at_request(part: &str, error: &str) -> Class {
    // Before the answer has begun, this is a closed connection, not an incomplete answer: an HTTP
    // proxy that hangs up on CONNECT.
    if error.trim_end() == "unexpected EOF" && part.starts_with("Get ") {
        Class::Reset
    } else {
        of(error)
    }
}

/// Classifies the error without its URL.
fn of(error: &str) -> Class {
    let first = error.lines().next().unwrap_or_default().trim();
    status(first)
        .or_else(|| phrase(first))
        .or_else(|| known(first))
        // An error of a request that has no name here: something went wrong on the network.
        .unwrap_or(Class::Reset)
}

/// Classifies an error without a URL: only text that begins like an error of these packages.
pub(super) fn bare(text: &str) -> Option<Class> {
    const BROKEN: &str = "unexpected EOF|flate: |zip for |unzip ";
    const BEGIN: &str = "dial |read tcp |write tcp |read udp |proxyconnect |socks connect |tls: |\
        remote error: tls: |x509: |net/http: |http2: |stream error: ";
    let first = text.lines().next().unwrap_or_default().trim();
    if first == "EOF" {
        Some(Class::Reset)
    } else if is_of_a_zip(first) || any(BROKEN, |begin| first.starts_with(begin)) {
        Some(Class::Corrupt)
    } else {
        any(BEGIN, |begin| first.starts_with(begin)).then(|| of(first))
    }
}

/// archive/zip's own errors: go prints them without a module (modfetch/fetch.go:Unzip).
pub(super) fn is_of_a_zip(text: &str) -> bool {
    let errors = "not a valid zip file|checksum error|unsupported compression algorithm";
    let error = text.strip_prefix("zip: ");
    error.is_some_and(|error| any(errors, |begin| error.starts_with(begin)))
}

/// An HTTP status line, as sent: `503 Service Unavailable`.
fn status(text: &str) -> Option<Class> {
    let number = text.split(' ').next()?;
    let fits = number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit());
    number.parse().ok().filter(|_| fits).map(of_status)
}

fn of_status(status: u16) -> Class {
    match status {
        404 | 410 => Class::NotFound,
        401 | 403 | 407 => Class::Auth,
        429 | 503 => Class::Busy,
        // RFC 6585, 6: the status of captive portals.
        511 => Class::Portal,
        400..=499 => Class::Client,
        500.. => Class::Server,
        // A redirect that is not followed: it leads away from the file.
        300..=303 | 305..=399 => Class::Portal,
        // The answer has no content although content was requested.
        _ => Class::Corrupt,
    }
}

/// The class of what the relay found out.
pub(in crate::exec) fn of_cause(cause: Cause) -> Class {
    match cause {
        Cause::Dns => Class::Dns,
        Cause::Unreachable => Class::Unreachable,
        Cause::Refused => Class::Refused,
        Cause::Timeout => Class::Timeout,
        Cause::Stalled => Class::Stalled,
        Cause::Reset => Class::Reset,
        Cause::Tls => Class::Tls,
        Cause::Portal => Class::Portal,
        Cause::Corrupt => Class::Corrupt,
        Cause::Config => Class::Config,
        Cause::Status(status) => of_status(status),
    }
}

/// Classifies what an HTTP proxy answered to CONNECT: the status text without its number
/// (net/http/transport.go:dialConn).
pub(super) fn phrase(text: &str) -> Option<Class> {
    let is = |phrase: &str| phrase.eq_ignore_ascii_case(text.trim());
    class_of(PHRASES, is)
}

const PHRASES: &str = "
    # To a login page.
    portal: Moved Permanently|Found|See Other|Temporary Redirect|Permanent Redirect
    portal: Network Authentication Required
    auth: Unauthorized|Forbidden|Proxy Authentication Required
    # The proxy does not say `Not Found` of the file, but of the host: it may not be reached so.
    client: Bad Request|Payment Required|Not Found|Gone|Method Not Allowed|Request Timeout
    client: Misdirected Request|Unavailable For Legal Reasons
    busy: Too Many Requests
    # It is the proxy that is busy or broken, and it says nothing of the module proxy. Squid and
    # HAProxy have words of their own.
    server: Internal Server Error|Not Implemented|Bad Gateway|Service Unavailable|Gateway Timeout
    server: Gateway Time-out|Service Temporarily Unavailable|HTTP Version Not Supported
";

fn known(text: &str) -> Option<Class> {
    // The quoted text is what a server has sent: `malformed HTTP response "…"`.
    let text: String = outside_quotes(text).map(|(_, c)| c).collect();
    let has = |word: &str| text.contains(word);
    if text.starts_with("lookup ") || any(": lookup |no such host", has) {
        return Some(Class::Dns);
    }
    let local = |class: Class| class == Class::Config && has("connect: ");
    if let Some(class) = class_of(WORDS, has).filter(|class| !local(*class)) {
        return Some(class);
    }
    if text == "EOF" || text.ends_with(": EOF") {
        return Some(Class::Reset);
    }
    // Something keeps the first packet from leaving: a route of type blackhole or prohibit, a
    // firewall on this machine.
    has("dial ").then_some(Class::Unreachable)
}

/// The order matters: an earlier row is the more direct cause.
const WORDS: &str = "
    # The last is Windows' WSAETIMEDOUT.
    timeout: i/o timeout|TLS handshake timeout|timed out|deadline exceeded|Client.Timeout
    timeout: timeout awaiting|did not properly respond after a period of time
    # A login page for those that have no cookies leads them in a circle.
    portal: redirected from secure URL|stopped after 10 redirects
    # Unix, Windows, Wine.
    refused: connection refused|actively refused|Connection refused.
    # The last is of RFC 1928, 6; the others of its words are below.
    unreachable: network is unreachable|no route to host|host is down|network is down
    unreachable: unreachable network|unreachable host|host unreachable|network unreachable
    unreachable: requested address|TTL expired
    reset: connection reset|broken pipe|forcibly closed|connection aborted|connection was aborted
    reset: server closed idle connection|client connection lost|closed network connection|GOAWAY
    reset: stream error
    auth: authentication failed|no acceptable authentication methods
    auth: connection not allowed by ruleset
    server: general SOCKS server failure
    client: command not supported|address type not supported
    tls: x509: |tls: |server gave HTTP response to HTTPS client
    not-found: no such file or directory|cannot find the file|cannot find the path
    corrupt: gzip: |flate: |unexpected EOF|malformed|invalid header|bad Content-Length
    corrupt: unexpected end of JSON|invalid character|chunk length|chunked encoding|Content-Length
    corrupt: transfer encoding
    # A file:// proxy that this user may not read, or that is none; a URL that is none.
    config: permission denied|Access is denied|is a directory|not a directory
    config: no Host in request URL|unsupported protocol scheme|unknown scheme|invalid port
    config: in CGI environment|cmdgonetlimit
";

/// The beginning of go's message that no module was found for an import
/// (modload/import.go:ImportMissingError). If nothing follows the package, every source that was
/// asked has answered that it has none.
pub(super) const SEARCHED: &str = "cannot find module providing package ";

/// Classifies a part of one of go's statements by its beginning.
pub(super) fn setting(text: &str, proxies: &[String]) -> Option<Class> {
    if text.starts_with("invalid response from proxy \"") {
        // encoding/json's error about invalid JSON in an `.info`: every HTML page begins with `<`.
        let is_page = text.contains("invalid character '<' looking for beginning of value");
        return Some(if is_page {
            Class::Portal
        } else {
            Class::Corrupt
        });
    }
    if text.starts_with("module lookup disabled by GOPROXY=off") {
        // `off` is reached if all elements before it answered that the module does not exist
        // (modfetch/proxy.go:TryProxies); alone it is a setting.
        return Some(match proxies {
            [_, .., last] if last == "off" => Class::NotFound,
            _ => Class::Config,
        });
    }
    if let Some(package) = text.strip_prefix(SEARCHED) {
        let package = package.lines().next().unwrap_or_default();
        return (!package.contains([' ', ':'])).then_some(Class::NotFound);
    }
    // net/url's `parse "U": ERR`: the invalid URL is in GOPROXY or GOSUMDB.
    let unparsed = text.strip_prefix("parse \"");
    if let Some((_, error)) = unparsed.and_then(|rest| rest.split_once("\": ")) {
        return (!error.is_empty()).then_some(Class::Config);
    }
    // The content is not a go.mod (modload/modfile.go:rawGoModSummary). Errors in a real go.mod
    // follow on further lines.
    if text.strip_prefix("parsing go.mod: ").is_some_and(|rest| {
        rest.starts_with("missing module line") || rest.contains("unexpected input character")
    }) {
        return Some(Class::Corrupt);
    }
    // A file proxy below something that is not a directory.
    let is_no_folder = text.starts_with("open ")
        && text.ends_with(": not a directory")
        && any("/@v/|/@latest", |mark| text.contains(mark));
    let absent = "executable file not found in $PATH|not found in %PATH%";
    if is_no_folder || any(absent, |end| text.ends_with(end)) {
        return Some(Class::Config);
    }
    class_of(SETTINGS, |begin| text.starts_with(begin))
}

/// Reports whether the text is one of go's sentences, and of no other program.
pub(super) fn is_setting(text: &str) -> bool {
    setting(text, &[]).is_some()
}

/// Returns the base URL that `invalid response from proxy "P"` names.
pub(super) fn base_of(text: &str) -> Option<String> {
    let rest = text.strip_prefix("invalid response from proxy \"")?;
    rest.split_once('"').map(|(base, _)| base.to_owned())
}

/// Sorted by file of cmd/go/internal, unless golang.org/x/mod or net is named.
const SETTINGS: &str = "
    # modfetch/proxy.go
    config: invalid proxy URL|invalid file:// proxy URL|GOPROXY list is not the empty string
    corrupt: proxy returned info for version |downloaded zip file too large
    # modfetch/repo.go, codehost; vcs/vcs.go; toolchain/select.go
    not-found: unknown revision |no matching versions for query |no go-import meta tag
    not-found: no releases found for go|toolchain not available
    # vcs/vcs.go: no scheme answered; go does not say why.
    unreachable: no secure protocol found|no protocol found
    # modfetch/repo.go; vcs/vcs.go
    config: GOVCS disallows using |empty VCS |disabled by GOPRIVATE/GONOPROXY
    config: path does not match GOPRIVATE/GONOPROXY|empty entry in GOVCS|malformed entry in GOVCS
    config: empty pattern in GOVCS|unreachable pattern in GOVCS
    # modfetch/cache.go: no place to put anything
    config: module cache not found|GOMODCACHE entry is relative|GOPATH entry is relative
    config: could not create module cache|build cache is required
    # modfetch/sumdb.go, x/mod/sumdb/note
    config: missing GOSUMDB|invalid GOSUMDB|invalid sumdb name
    config: checksum database disabled by GOSUMDB=off|malformed verifier id
    config: could not locate sumdb file
    # web/http.go
    config: insecure URL: |unsupported scheme: |file URL |refusing to pass credentials to insecure URL
    config: network disabled by cmdgonetlimit|non-file URL
    # net/http/transport.go, x/net/http/httpproxy
    config: invalid proxy address |refusing to use HTTP_PROXY value in CGI
    # auth/auth.go, base/goflags.go, toolchain/select.go
    config: invalid GOTOOLCHAIN |GOAUTH|unknown GOAUTH|parsing $GOFLAGS
";

// Messages of git, ssh and libcurl when go fetches direct. go prints them after `git …: exit status
// 128:`, indented (modfetch/codehost/codehost.go:RunError).

/// Returns where a version control system's output begins in one of go's statements: after its exit
/// status.
pub(super) fn vcs_output(body: &str) -> Option<usize> {
    let ran = body.find(": exit status ")?;
    let end = body.get(ran..)?.find(":\n\t")?;
    let status = body.get(ran..ran + end)?;
    (!status.contains('\n')).then_some(ran + end + 1)
}

/// Returns what a version control system reports, and for which URL.
pub(super) fn in_vcs_output(output: &str) -> Option<(Class, Option<String>)> {
    for line in output.lines().map(str::trim_start) {
        let server = of_the_server(line);
        let found = match server {
            // Nothing else that a server writes is believed, and no URL in it is requested.
            Some(said) => of_words(said)
                .filter(|class| matches!(class, Class::NotFound | Class::Auth))
                .map(|class| (class, None)),
            None => of_vcs(line),
        };
        // These are git's last words; a server may have written what follows.
        let last = line.starts_with(ERR);
        if found.is_some() || last {
            return found.or(Some((Class::Server, None)));
        }
    }
    None
}

/// Classifies one line of a version control system, if it is one, and returns its URL.
pub(super) fn of_vcs(part: &str) -> Option<(Class, Option<String>)> {
    let line = part.lines().next().unwrap_or_default();
    let theirs = any(VCS_BEGIN, |begin| line.starts_with(begin));
    if !theirs || of_the_server(line).is_some() {
        return None;
    }
    Some((of_words(line)?, url(line)))
}

/// The words that git puts before the message of a server that refuses (gitprotocol-pack, `ERR`).
const ERR: &str = "fatal: remote error: ";

/// Returns the server's message (git's sideband, and its ERR).
fn of_the_server(line: &str) -> Option<&str> {
    line.strip_prefix("remote: ")
        .or_else(|| line.strip_prefix(ERR))
}

fn of_words(line: &str) -> Option<Class> {
    class_of(VCS_WORDS, |word| line.contains(word))
}

/// Reports whether go ran a version control system here: `git init --bare in DIR: …`
pub(super) fn is_vcs_run(body: &str) -> bool {
    let ran = |tool: &str| body.starts_with(tool) || body.contains(&format!(": {tool}"));
    any("git |hg |svn |fossil |bzr ", ran) && body.contains(" in ")
}

/// Returns the URL that git names, in quotes or not.
fn url(line: &str) -> Option<String> {
    let at = line.find("https://").or_else(|| line.find("http://"))?;
    let url = line.get(at..)?;
    let end = url.find(['\'', '"', ' ']).unwrap_or(url.len());
    url.get(..end)
        .map(|url| url.trim_end_matches(':').to_owned())
}

/// The beginnings of their error messages.
const VCS_BEGIN: &str = "fatal: |error: |remote: |ssh: |Host key verification failed|\
    kex_exchange_identification: |Connection closed by |Connection reset by |abort: |git@";

/// The more direct cause comes first.
const VCS_WORDS: &str = "
    dns: Could not resolve|Name or service not known|Temporary failure in name resolution
    dns: nodename nor servname|Couldn't resolve
    refused: Connection refused|actively refused
    unreachable: Network is unreachable|No route to host|Host is down
    timeout: timed out|Timeout was reached|Operation too slow
    tls: CERTIFICATE_VERIFY_FAILED|certificate problem|certificate verification failed
    tls: certificate verify failed|server verification failed|SSL: no alternative certificate
    tls: does not match target host name|Host key verification failed|schannel|SSL certificate
    reset: Connection reset|Empty reply from server|Connection closed by|connection was closed
    reset: the remote end hung up|early EOF|unexpected disconnect|SSL_ERROR_SYSCALL
    reset: unexpected eof while reading|Recv failure|Send failure|terminated properly
    reset: non-properly terminated|RPC failed
    # A login page for those that have no cookies leads them in a circle, or away.
    portal: redirects followed|unable to update url base from redirection
    # 200, and nothing of git's.
    corrupt: not valid: is this a git repository?
    reset: GnuTLS recv error|GnuTLS send error
    tls: gnutls_handshake|SSL routines|SSL connect error|TLS connect error
    auth: could not read Username|could not read Password|Authentication failed|Permission denied
    auth: returned error: 401|returned error: 403|returned error: 407|HTTP code 407|response 407
    auth: authorization failed
    busy: returned error: 429|returned error: 503
    server: returned error: 5|HTTP code 5|response 5
    # GitHub and others say so of a private repository, too.
    not-found: Repository not found|repository not found|' not found|returned error: 404
    not-found: returned error: 410|could not find remote ref|couldn't find remote ref
    not-found: unknown revision|does not appear to be a git repository
    client: returned error: 4|HTTP code 4|response 4
    refused: Failed to connect|Couldn't connect|Could not connect
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_the_tables_names_a_class_and_no_word_is_empty() {
        for table in [
            PHRASES,
            WORDS,
            SETTINGS,
            VCS_WORDS,
            super::super::sums::BEGIN,
        ] {
            let rows: Vec<_> = rows(table).collect();
            let lines = table.lines().map(str::trim);
            let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            assert_eq!(rows.len(), lines.count());
            for (class, words) in rows {
                assert!(
                    class.is_some() && words.split('|').all(|word| !word.is_empty()),
                    "{words}"
                );
            }
        }
    }
}
