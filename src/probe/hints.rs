//! What the head of an answer says of who wrote it.

use hyper::header::{HeaderMap, SERVER, WWW_AUTHENTICATE};

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
/// A name longer than this is no name.
const MOST_NAME: usize = 40;

impl Hints {
    pub(super) fn of(headers: &HeaderMap) -> Hints {
        let text = |value: &hyper::header::HeaderValue| value.to_str().ok().map(str::to_owned);
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
