//! What goes into the head of every request.

use hyper::header::HeaderValue;
use url::Url;

use crate::model::GoRelease;

/// What net/http calls itself, before the version of HTTP.
pub(super) const LIBRARY: &str = "Go-http-client";

/// What go calls itself. A probe says the same: what is let through or blocked by name is let
/// through or blocked for the probe as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agent {
    /// go 1.27 and later (`cmd/go/internal/web/http.go:userAgent`).
    Command,
    /// Those before; and go 1.27 where it asks again after a 4xx over https.
    Library,
}

impl Agent {
    /// The header, for HTTP/2 or 1.1.
    pub(super) fn header(self, two: bool) -> HeaderValue {
        HeaderValue::from_static(match (self, two) {
            (Agent::Command, _) => "GoCommand/1 (+https://go.dev/cmd/go)",
            (Agent::Library, true) => "Go-http-client/2.0",
            (Agent::Library, false) => "Go-http-client/1.1",
        })
    }

    /// What a go of this release calls itself.
    pub(super) fn of(release: GoRelease) -> Agent {
        if release.is_from(1, 27, 0) {
            Agent::Command
        } else {
            Agent::Library
        }
    }
}

/// The host without the brackets of an IPv6 address.
pub(super) fn bare_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}
