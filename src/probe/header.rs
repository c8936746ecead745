//! What goes into the head of every request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use url::Url;

/// go's own name first, so that what is blocked by name is blocked for the probe as well.
pub(super) const AGENT: &str = concat!("Go-http-client/1.1 goroam/", env!("CARGO_PKG_VERSION"));

/// Basic credentials. There is no way to print them.
pub(super) struct Authorization(HeaderValue);

impl Authorization {
    pub(super) fn basic(user: &[u8], password: &[u8]) -> Option<Authorization> {
        let pair = [user, b":", password].concat();
        let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(Authorization(value))
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// The host without the brackets of an IPv6 address.
pub(super) fn bare_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}
