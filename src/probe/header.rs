//! What goes into the head of every request.

use url::Url;

/// go's own name first, so that what is blocked by name is blocked for the probe as well.
pub(super) const AGENT: &str = concat!("Go-http-client/1.1 goroam/", env!("CARGO_PKG_VERSION"));

/// The host without the brackets of an IPv6 address.
pub(super) fn bare_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}
