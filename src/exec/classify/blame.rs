//! Finds what failed and why, if go's message says more than the class.

use super::outcome::{Blame, BlameReason, Blamed, Class, GoStatement};
use super::{form, words};

/// Returns what failed according to a statement, and why.
pub(super) fn blame(finding: &GoStatement) -> Blame {
    let (own, said) = split(&finding.text);
    Blame {
        who: who(own, finding),
        why: why(own, finding.class),
        said: said
            .map(str::trim)
            .filter(|said| !said.is_empty())
            .map(shortened),
    }
}

/// Splits a text into go's own words and what it quotes of the server's answer.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once("\n\tserver response:") {
        Some((own, said)) => (own, Some(said)),
        None => (text, None),
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    let words: Vec<&str> = text.split_whitespace().collect();
    form::shown(&words.join(" ").chars().take(MOST).collect::<String>())
}

fn who(own: &str, finding: &GoStatement) -> Option<Blamed> {
    let error = error(own);
    if let Some(error) = error {
        if let Some(behind) = error.strip_prefix("proxyconnect tcp: ") {
            return Some(Blamed::HttpProxy(address(behind)));
        }
        if let Some(behind) = error.strip_prefix("socks connect tcp ") {
            let address = behind
                .split_once("->")
                .map(|(address, _)| address.to_owned());
            return Some(Blamed::HttpProxy(address));
        }
        if error.starts_with("407 ") || words::phrase(error).is_some() {
            return Some(Blamed::HttpProxy(None));
        }
    }
    if let Some(who) = database(own, finding) {
        return Some(who);
    }
    let git = own.contains(": exit status ");
    let host = finding
        .module
        .as_deref()
        .and_then(|module| module.split('/').next());
    match (git, &finding.url, host) {
        (true, None, Some(host)) => Some(Blamed::Host(host.to_owned())),
        _ => None,
    }
}

/// Returns what follows the request's URL on its line.
fn error(own: &str) -> Option<&str> {
    let line = own.lines().find(|line| line.contains("://"))?;
    let behind = match line.split_once("Get \"") {
        Some((_, asked)) => asked.split_once("\": ")?.1,
        None => line.split_once("reading ")?.1.split_once(": ")?.1,
    };
    Some(behind.trim_end())
}

/// `dial tcp 127.0.0.1:7890: …`, `dial tcp: lookup HOST: …`.
fn address(error: &str) -> Option<String> {
    let rest = error.strip_prefix("dial tcp")?;
    let name = match rest.strip_prefix(": lookup ") {
        Some(rest) => rest.split([' ', ':']).next()?,
        None => rest.strip_prefix(' ')?.split_once(": ")?.0,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

/// Returns the database that go was asking, directly or through a proxy.
fn database(own: &str, finding: &GoStatement) -> Option<Blamed> {
    let verifying = own.contains("verifying module: ") || own.contains("verifying go.mod: ");
    let Some(url) = finding.url.as_deref() else {
        let asks = verifying && finding.class != Class::Mismatch;
        return asks.then_some(Blamed::Database(None));
    };
    if let Some((_, path)) = url.split_once("/sumdb/") {
        return Some(Blamed::Database(path.split('/').next().map(str::to_owned)));
    }
    let (_, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let asks = path.starts_with("lookup/") || path.starts_with("tile/");
    (verifying || asks).then(|| Blamed::Database(Some(host.to_owned())))
}

fn why(own: &str, class: Class) -> Option<BlameReason> {
    let has = |words: &str| form::any(words, |word| own.contains(word));
    if class == Class::Auth {
        let forbidden = has(": 403 |: Forbidden|returned error: 403");
        return forbidden.then_some(BlameReason::Forbidden);
    }
    if class != Class::Tls {
        return None;
    }
    // "certificate has expired or is not yet valid: current time T is before U"
    let reason = if has("Host key verification failed") {
        BlameReason::HostKey
    } else if has(PLAIN_HTTP) {
        BlameReason::PlainHttp
    } else if has(" is before ") {
        BlameReason::NotYet(times(own, " is before "))
    } else if has(" is after |expired") {
        BlameReason::Expired(times(own, " is after "))
    } else if has("not yet valid") {
        BlameReason::NotYet(None)
    } else if has(OTHER_NAME) {
        BlameReason::OtherName
    } else if has(UNKNOWN_CA) {
        BlameReason::UnknownCa
    } else {
        return None;
    };
    Some(reason)
}

const PLAIN_HTTP: &str = "server gave HTTP response to HTTPS client|\
    first record does not look like a TLS handshake";
const OTHER_NAME: &str = "certificate is valid for |certificate is not valid for any";
const UNKNOWN_CA: &str = "unknown authority|not trusted|local issuer certificate|self-signed|\
    self signed|CERTIFICATE_VERIFY_FAILED|server verification failed";

fn times(own: &str, between: &str) -> Option<(String, String)> {
    let (before, behind) = own.split_once(between)?;
    let (_, now) = before.rsplit_once("current time ")?;
    let limit = behind.split_whitespace().next()?;
    Some((now.to_owned(), limit.to_owned()))
}
