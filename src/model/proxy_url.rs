//! One element of GOPROXY, as `modfetch/proxy.go:proxyList` and `newProxyRepo` take it.

use super::go_release::GoRelease;
use super::go_url::{GoUrl, GoUrlError};
use super::hop::HopKind;
use super::mask::mask;

/// Parses an element that is neither empty nor `direct` nor `off`. The message of an error
/// follows go's own words and holds no credentials. Judged as the newest go does.
pub(super) fn parse(text: &str) -> Result<HopKind, String> {
    let mut url = text.to_owned();
    // proxyList: "https:// may be omitted" for what is no single word, no URL and no path.
    if text.contains(['.', ':', '/']) && !text.contains(":/") && !text.starts_with('/') {
        url = format!("https://{text}");
    }
    let shown = mask(&url);
    let parsed = GoUrl::parse(&url, GoRelease::default()).map_err(|error| {
        // What is shown could still break the line.
        if error == GoUrlError::Control {
            error.to_string()
        } else {
            format!("{error} in proxy URL: {shown}")
        }
    })?;
    let has_fragment = url
        .split_once('#')
        .is_some_and(|(_, after)| !after.is_empty());
    let in_url = |why: &str| Err(format!("{why} in proxy URL: {shown}"));
    match parsed.scheme.as_str() {
        "http" | "https" => {
            if parsed.hostname().is_empty() {
                return in_url("no host");
            }
            // A number that is no port fails when it is dialled.
            if !parsed.port().is_empty() && parsed.port().parse::<u16>().is_err() {
                return in_url("invalid port after host");
            }
            // web/http.go: every request would be refused before it is sent.
            if parsed.scheme == "http" && parsed.user.is_some() {
                return Err(format!(
                    "refusing to pass credentials to insecure URL: {shown}"
                ));
            }
            Ok(HopKind::Proxy(url))
        }
        "file" if parsed.is_path_only() && !has_fragment => Ok(HopKind::File(url)),
        "file" => Err(format!(
            "invalid file:// proxy URL with non-path elements: {shown}"
        )),
        "" => Err(format!("invalid proxy URL missing scheme: {shown}")),
        _ => Err(format!(
            "invalid proxy URL scheme (must be https, http, file): {shown}"
        )),
    }
}
