//! One element of GOPROXY, as `modfetch/proxy.go:proxyList` and `newProxyRepo` take it, and as
//! much of `net/url.Parse` as decides whether go would fail every request with it.

use std::net::Ipv6Addr;

use super::hop::HopKind;
use super::mask::mask;

/// Parses an element that is neither empty nor `direct` nor `off`. The message of an error
/// follows go's own words and holds no credentials.
pub(super) fn parse(text: &str) -> Result<HopKind, String> {
    let mut url = text.to_owned();
    // proxyList: "https:// may be omitted" for what is no single word, no URL and no path.
    if text.contains(['.', ':', '/']) && !text.contains(":/") && !text.starts_with('/') {
        url = format!("https://{text}");
    }
    let shown = mask(&url);
    if url.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Err("invalid control character in URL".to_owned());
    }
    let (before_fragment, fragment) = match url.split_once('#') {
        Some((before, fragment)) => (before, fragment),
        None => (url.as_str(), ""),
    };
    let Some((scheme, rest)) = split_scheme(before_fragment) else {
        return Err(format!("invalid proxy URL missing scheme: {shown}"));
    };
    let (rest, has_query) = match rest.split_once('?') {
        Some((rest, _)) => (rest, true),
        None => (rest, false),
    };
    check_escapes(fragment)?;
    let in_url = |why: String| format!("{why} in proxy URL: {shown}");
    match scheme.to_ascii_lowercase().as_str() {
        scheme @ ("http" | "https") => {
            let Some(rest) = rest.strip_prefix("//") else {
                return Err(in_url("no host".to_owned()));
            };
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = match authority.rsplit_once('@') {
                Some((userinfo, host)) => {
                    check_userinfo(userinfo).map_err(in_url)?;
                    // web/http.go: every request would be refused before it is sent.
                    if scheme == "http" {
                        return Err(format!(
                            "refusing to pass credentials to insecure URL: {shown}"
                        ));
                    }
                    host
                }
                None => authority,
            };
            check_host(host).map_err(in_url)?;
            check_escapes(path)?;
            Ok(HopKind::Proxy(url))
        }
        "file" => {
            let path = rest.strip_prefix("//").filter(|path| {
                (path.is_empty() || path.starts_with('/')) && !has_query && fragment.is_empty()
            });
            match path {
                Some(path) => {
                    check_escapes(path)?;
                    Ok(HopKind::File(url))
                }
                None => Err(format!(
                    "invalid file:// proxy URL with non-path elements: {shown}"
                )),
            }
        }
        _ => Err(format!(
            "invalid proxy URL scheme (must be https, http, file): {shown}"
        )),
    }
}

/// `net/url.getScheme`: `None` where there is none, or none that is well-formed.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    well_formed.then_some((scheme, rest))
}

/// `net/url.validUserinfo`.
fn check_userinfo(userinfo: &str) -> Result<(), String> {
    let valid = userinfo
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b));
    if !valid {
        return Err("invalid userinfo".to_owned());
    }
    // The escape is part of a password: it is not shown.
    check_escapes(userinfo).map_err(|_| "invalid escape in userinfo".to_owned())
}

/// `net/url.parseHost`, and that there is a host at all.
fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("no host".to_owned());
    }
    let port = match host.rfind('[') {
        Some(0) => {
            let Some((address, port)) = host[1..].rsplit_once(']') else {
                return Err("missing ']' in host".to_owned());
            };
            let address = address.split_once("%25").map_or(address, |(ip, _)| ip);
            if address.parse::<Ipv6Addr>().is_err() {
                return Err("invalid IP-literal".to_owned());
            }
            port
        }
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {
            check_host_bytes(host)?;
            host.find(':').map_or("", |i| &host[i..])
        }
    };
    let digits = match port.strip_prefix(':') {
        Some(digits) => digits,
        None if port.is_empty() => return Ok(()),
        None => return Err(format!("invalid port {port:?} after host")),
    };
    // `host:` is accepted; a number that is no port fails when it is dialled.
    if !digits.is_empty() && digits.parse::<u16>().is_err() || digits.starts_with('+') {
        return Err(format!("invalid port {port:?} after host"));
    }
    Ok(())
}

/// `net/url.unescape` in its host mode.
fn check_host_bytes(host: &str) -> Result<(), String> {
    for (i, b) in host.bytes().enumerate() {
        let valid = b >= 0x80
            || b.is_ascii_alphanumeric()
            || b"-_.~!$&'()*+,;=:[]<>\"".contains(&b)
            // Only what is not ASCII may be escaped in a host.
            || b == b'%' && is_escape(host.as_bytes(), i) && host.as_bytes()[i + 1] >= b'8';
        if !valid {
            return Err(format!(
                "invalid character {:?} in host name",
                char::from(b)
            ));
        }
    }
    Ok(())
}

fn is_escape(bytes: &[u8], at: usize) -> bool {
    bytes
        .get(at + 1..at + 3)
        .is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
}

/// `net/url` refuses a `%` that two hexadecimal digits do not follow.
fn check_escapes(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        if *byte == b'%' && !is_escape(bytes, i) {
            let shown = String::from_utf8_lossy(&bytes[i..bytes.len().min(i + 3)]);
            return Err(format!("invalid URL escape {shown:?}"));
        }
    }
    Ok(())
}
