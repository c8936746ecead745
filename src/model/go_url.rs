//! Parses URLs as Go's `net/url` does, which differs from browsers (WHATWG) and from the crate
//! `url`: it refuses control characters and incomplete escapes, keeps `..` and short IPv4 forms,
//! and reads `http:/x` as a URL without a host.

use std::fmt;
use std::net::Ipv6Addr;

use super::go_release::{Brackets, Colons, GoRelease};

/// A URL parsed by Go's rules. Debug shows neither its user nor its password.
#[derive(Clone, PartialEq, Eq)]
pub struct GoUrl {
    /// In lower case; empty if there is none.
    pub scheme: String,
    /// The text after the scheme, if it does not begin with a `/`.
    pub opaque: String,
    /// The text before the `@`, unescaped.
    pub user: Option<GoUser>,
    /// `host`, or `host:port`, unescaped. An IPv6 address has its brackets.
    pub host: Vec<u8>,
    /// Unescaped.
    pub path: Vec<u8>,
    /// The path as it was written, if escaping `path` would give a different text; else empty.
    raw_path: String,
    /// Without the `?`, as it was written.
    pub query: String,
    /// Whether the URL ends with a `?` that nothing follows.
    force_query: bool,
    /// Whether there is a path without `//` before it.
    omits_host: bool,
}

/// A user, and a password if there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct GoUser {
    /// The name.
    pub name: Vec<u8>,
    /// The password; `None`: there is no `:`.
    pub password: Option<Vec<u8>>,
}

/// Why `net/url` refuses a text. It uses go's words only where they quote nothing that may be a
/// secret: a password with a `/`, `#` or `%` in it makes the parser read part of it as a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GoUrlError(String);

fn refused<T>(why: &str) -> Result<T, GoUrlError> {
    Err(GoUrlError(why.to_owned()))
}

/// The part of a URL that a text is unescaped or escaped for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    User,
    Host,
    Zone,
    Fragment,
}

impl GoUrl {
    /// `url.Parse`.
    ///
    /// # Errors
    /// If this release of Go refuses the text.
    pub fn parse(text: &str, release: GoRelease) -> Result<GoUrl, GoUrlError> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        let url = parse(url, false, release)?;
        unescape(fragment, Part::Fragment)?;
        Ok(url)
    }

    /// `url.ParseRequestURI`: the URL as an HTTP request has it, without a fragment.
    ///
    /// # Errors
    /// If this release of Go refuses the text.
    pub fn parse_request(text: &str, release: GoRelease) -> Result<GoUrl, GoUrlError> {
        parse(text, true, release)
    }

    /// `URL.Hostname`: the host without port and brackets.
    pub fn hostname(&self) -> &[u8] {
        let host = self.split_port().0;
        let inner = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]"));
        inner.unwrap_or(host)
    }

    /// `URL.Port`: the digits, possibly none.
    pub fn port(&self) -> &str {
        let port = self.split_port().1;
        std::str::from_utf8(port).unwrap_or_default()
    }

    fn split_port(&self) -> (&[u8], &[u8]) {
        let colon = self.host.iter().rposition(|byte| *byte == b':');
        let parts = colon.and_then(|at| self.host.split_at_checked(at));
        match parts {
            Some((host, port)) if is_optional_port(port) => (host, &port[1..]),
            Some(_) | None => (&self.host, b""),
        }
    }

    /// Reports whether the URL has only a scheme and a path, with `//` between them.
    pub fn is_path_only(&self) -> bool {
        let beside = [&self.opaque, &self.query];
        !self.omits_host
            && !self.force_query
            && self.user.is_none()
            && self.host.is_empty()
            && beside.iter().all(|part| part.is_empty())
    }

    /// `URL.String`.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if self.opaque.is_empty() {
            let has_host = !self.host.is_empty() || self.user.is_some();
            if has_host || !(self.scheme.is_empty() || self.omits_host || self.path.is_empty()) {
                out.push_str("//");
            }
            if let Some(user) = &self.user {
                escape(&user.name, Part::User, &mut out);
                if let Some(password) = &user.password {
                    out.push(':');
                    escape(password, Part::User, &mut out);
                }
                out.push('@');
            }
            escape(&self.host, Part::Host, &mut out);
            let path = self.escaped_path();
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            let first = path.split('/').next().unwrap_or_default();
            if out.is_empty() && first.contains(':') {
                out.push_str("./");
            }
            out.push_str(&path);
        } else {
            out.push_str(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        out
    }

    /// `URL.EscapedPath`.
    pub fn escaped_path(&self) -> String {
        let is_encoded =
            |byte: u8| b"!$&'()*+,;=:@[]%".contains(&byte) || !is_escaped(byte, Part::Path);
        if !self.raw_path.is_empty() && self.raw_path.bytes().all(is_encoded) {
            return self.raw_path.clone();
        }
        if self.path == b"*" {
            return "*".to_owned();
        }
        let mut out = String::new();
        escape(&self.path, Part::Path, &mut out);
        out
    }
}

impl fmt::Debug for GoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoUrl")
            .field("scheme", &self.scheme)
            .field("host", &String::from_utf8_lossy(&self.host))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GoUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoUser(…)")
    }
}

fn parse(text: &str, via_request: bool, release: GoRelease) -> Result<GoUrl, GoUrlError> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return refused("invalid control character in URL");
    }
    if text.is_empty() && via_request {
        return refused("empty url");
    }
    let mut url = GoUrl {
        scheme: String::new(),
        opaque: String::new(),
        user: None,
        host: Vec::new(),
        path: Vec::new(),
        raw_path: String::new(),
        query: String::new(),
        force_query: false,
        omits_host: false,
    };
    if text == "*" {
        url.path = b"*".to_vec();
        return Ok(url);
    }
    let (scheme, mut rest) = split_scheme(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    if let Some((before, query)) = rest.split_once('?') {
        url.force_query = query.is_empty();
        query.clone_into(&mut url.query);
        rest = before;
    }
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            rest.clone_into(&mut url.opaque);
            return Ok(url);
        }
        if via_request {
            return refused("invalid URI for request");
        }
        if rest
            .split('/')
            .next()
            .is_some_and(|first| first.contains(':'))
        {
            return refused("first path segment in URL cannot contain colon");
        }
    }
    let may_have_host = !url.scheme.is_empty() || (!via_request && !rest.starts_with("///"));
    match rest.strip_prefix("//").filter(|_| may_have_host) {
        Some(after) => {
            let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
            (url.user, url.host) = parse_authority(&url.scheme, authority, release)?;
            rest = path;
        }
        None => url.omits_host = !url.scheme.is_empty(),
    }
    url.path = unescape(rest, Part::Path)?;
    let mut escaped = String::new();
    escape(&url.path, Part::Path, &mut escaped);
    if escaped != rest {
        rest.clone_into(&mut url.raw_path);
    }
    Ok(url)
}

/// `getScheme`.
fn split_scheme(text: &str) -> Result<(&str, &str), GoUrlError> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return refused("missing protocol scheme"),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => return Ok(("", text)),
        }
    }
    Ok(("", text))
}

fn parse_authority(
    scheme: &str,
    authority: &str,
    release: GoRelease,
) -> Result<(Option<GoUser>, Vec<u8>), GoUrlError> {
    let Some((userinfo, host)) = authority.rsplit_once('@') else {
        return Ok((None, parse_host(scheme, authority, release)?));
    };
    let host = parse_host(scheme, host, release)?;
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    if !userinfo.bytes().all(is_valid) {
        return refused("invalid userinfo: a character of it must be escaped with %");
    }
    let (name, password) = match userinfo.split_once(':') {
        Some((name, password)) => (name, Some(unescape(password, Part::User)?)),
        None => (userinfo, None),
    };
    let name = unescape(name, Part::User)?;
    Ok((Some(GoUser { name, password }), host))
}

fn parse_host(scheme: &str, host: &str, release: GoRelease) -> Result<Vec<u8>, GoUrlError> {
    let brackets = release.brackets();
    let open = match (brackets, host.rfind('[')) {
        (Brackets::Unchecked, _) => host.starts_with('[').then_some(0),
        (Brackets::First, Some(at)) if at > 0 => return refused("invalid IP-literal"),
        (Brackets::Checked | Brackets::First, at) => at,
    };
    let Some(open) = open else {
        if let Some(first) = host.find(':') {
            let last = host.rfind(':').unwrap_or(first);
            let takes_first = match release.colons() {
                Colons::Any => false,
                Colons::One => !matches!(scheme, "postgres" | "postgresql"),
                Colons::OneInHttp => matches!(scheme, "http" | "https"),
            };
            let at = if takes_first { first } else { last };
            if !is_optional_port(&host.as_bytes()[at..]) {
                return refused("invalid port after host");
            }
        }
        return unescape(host, Part::Host);
    };
    let unclosed = || GoUrlError("missing ']' in host".to_owned());
    let close = host.rfind(']').ok_or_else(unclosed)?;
    let port = &host[close + 1..];
    if !is_optional_port(port.as_bytes()) {
        return refused("invalid port after host");
    }
    let inside = host.get(open + 1..close).ok_or_else(unclosed)?;
    let (address, zone) = inside.split_at(inside.find("%25").unwrap_or(inside.len()));
    let mut name = unescape(address, Part::Host)?;
    name.extend(unescape(zone, Part::Zone)?);
    if brackets != Brackets::Unchecked && !is_ipv6(&name) {
        return refused("invalid IP-literal");
    }
    let port = unescape(port, Part::Host)?;
    Ok([b"[".as_slice(), &name, b"]", &port].concat())
}

/// `netip.ParseAddr`, for IPv6 only, with an optional zone.
fn is_ipv6(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        // A zone may hold any byte.
        let end = text.iter().position(|byte| *byte == b'%');
        return end.is_some_and(|end| is_ipv6(&text[..end]));
    };
    match text.split_once('%') {
        Some((_, "")) => false,
        Some((address, _)) => address.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<Ipv6Addr>().is_ok(),
    }
}

/// `validOptionalPort`: nothing, or `:` and digits, possibly none.
fn is_optional_port(port: &[u8]) -> bool {
    match port.split_first() {
        Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
        None => true,
    }
}

const BAD_ESCAPE: &str = "invalid URL escape: a % that is meant as such is written %25";

/// `unescape`.
fn unescape(text: &str, part: Part) -> Result<Vec<u8>, GoUrlError> {
    let in_host = matches!(part, Part::Host | Part::Zone);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        match rest {
            [] => return Ok(out),
            [b'%', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default();
                let byte = u8::try_from(digit(*high) << 4 | digit(*low)).unwrap_or_default();
                let is_odd = match part {
                    // In a host, only bytes outside ASCII may be escaped.
                    Part::Host => byte < 0x80 && byte != b'%',
                    // Windows has spaces in zones.
                    Part::Zone => !matches!(byte, b'%' | b' ') && is_escaped(byte, Part::Host),
                    Part::Path | Part::User | Part::Fragment => false,
                };
                if is_odd {
                    return refused(BAD_ESCAPE);
                }
                out.push(byte);
                rest = tail;
            }
            [b'%', ..] => return refused(BAD_ESCAPE),
            [byte, tail @ ..] => {
                if in_host && *byte < 0x80 && is_escaped(*byte, part) {
                    let c = char::from(*byte);
                    return refused(&format!("invalid character {c:?} in host name"));
                }
                out.push(*byte);
                rest = tail;
            }
        }
    }
}

fn escape(bytes: &[u8], part: Part, out: &mut String) {
    for byte in bytes {
        match is_escaped(*byte, part) {
            true => out.push_str(&format!("%{byte:02X}")),
            false => out.push(char::from(*byte)),
        }
    }
}

/// `shouldEscape`.
fn is_escaped(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    let bare: &[u8] = match part {
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"",
        Part::Path => b"$&+,/:;=@",
        Part::User => b"$&+,;=",
        Part::Fragment => b"$&+,/:;=?@!()*",
    };
    !bare.contains(&byte)
}

/// Returns a path as the text after `file://` (`cmd/go/internal/web/url.go:urlFromFilePath`). On
/// Windows the server of a share becomes the URL's host.
pub fn path(path: &str) -> String {
    let share = path.strip_prefix(r"\\?\UNC\").or_else(|| {
        path.strip_prefix(r"\\")
            .filter(|rest| !rest.starts_with(['?', '.']))
    });
    // After `\\?\` Windows accepts a long path unchanged; go adds that prefix itself where needed.
    let path = share.unwrap_or_else(|| path.strip_prefix(r"\\?\").unwrap_or(path));
    let drive = path.as_bytes().get(1) == Some(&b':');
    let mut url = String::with_capacity(path.len() + 1);
    if drive {
        url.push('/');
    }
    for c in path.chars() {
        match c {
            '\\' if drive || share.is_some() => url.push('/'),
            '%' | ',' | '|' | '?' | '#' => url.push_str(&format!("%{:02X}", u32::from(c))),
            _ => url.push(c),
        }
    }
    url
}

/// Returns a directory as an element of GOPROXY. A `$` is encoded too, so that the result never
/// contains `${NAME}`.
pub fn of_folder(folder: &std::path::Path) -> String {
    let path = path(&folder.to_string_lossy()).replace('$', "%24");
    format!("file://{}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::of_folder;

    #[test]
    fn a_folder_is_one_element_whatever_its_name() {
        for (folder, url) in [
            ("/home/me/mirror/", "file:///home/me/mirror"),
            ("/a,b/${HOME}|c", "file:///a%2Cb/%24{HOME}%7Cc"),
            (r"C:\Users\me", "file:///C:/Users/me"),
            (r"\\?\C:\a folder", "file:///C:/a folder"),
            (r"\\server\share\m", "file://server/share/m"),
            (r"\\?\UNC\server\share\m", "file://server/share/m"),
        ] {
            assert_eq!(of_folder(Path::new(folder)), url);
        }
    }
}
