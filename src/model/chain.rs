//! GOPROXY's grammar, as `cmd/go/internal/modfetch/proxy.go:proxyList` reads it.

use std::fmt;

/// What stands behind a hop: when does go move on to the next one?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `,`: after 404 and 410 only.
    Comma,
    /// `|`: after any error.
    Pipe,
}

/// Where one hop leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HopKind {
    /// An http or https proxy: its URL as written, `https://` put before it where go does.
    Proxy(String),
    /// A local tree: the URL as written.
    File(String),
    /// Version control.
    Direct,
    /// Nothing more is tried.
    Off,
}

/// One element of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Where it leads.
    pub kind: HopKind,
    /// What follows it; `None` at the end of the list.
    pub then: Option<Separator>,
    /// Byte offset and length within the value, for messages.
    pub at: (usize, usize),
}

/// A GOPROXY value, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The hops that go would walk: nothing after `direct` or `off`.
    pub hops: Vec<Hop>,
    /// What stands after `direct` or `off` and is never looked at: offset and length.
    pub ignored: Option<(usize, usize)>,
}

/// Why go would refuse the value, on every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainError {
    /// What is wrong, in go's own words where it has some.
    pub message: String,
    /// The offending part: byte offset and length within the value.
    pub at: (usize, usize),
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ChainError {}

impl Chain {
    /// Parses a value of GOPROXY.
    ///
    /// # Errors
    /// When go would fail every request with it (one bad hop before `direct` or `off` is enough).
    pub fn parse(value: &str) -> Result<Chain, ChainError> {
        let mut hops = Vec::new();
        let mut start = 0;
        while start < value.len() {
            let rest = &value[start..];
            let (end, then) = match rest.find([',', '|']) {
                Some(i) if rest.as_bytes()[i] == b'|' => (start + i, Some(Separator::Pipe)),
                Some(i) => (start + i, Some(Separator::Comma)),
                None => (value.len(), None),
            };
            let text = value[start..end].trim();
            let offset = start + (value[start..end].len() - value[start..end].trim_start().len());
            let at = (offset, text.len());
            start = end + usize::from(then.is_some());
            if text.is_empty() {
                continue; // an empty element vanishes together with its separator
            }
            let kind = match text {
                "direct" => HopKind::Direct,
                "off" => HopKind::Off,
                _ => parse_url(text).map_err(|message| ChainError { message, at })?,
            };
            let ends = matches!(kind, HopKind::Direct | HopKind::Off);
            hops.push(Hop {
                kind,
                then: if ends { None } else { then },
                at,
            });
            if ends {
                let ignored = (start < value.len()
                    && value[start..]
                        .split([',', '|'])
                        .any(|part| !part.trim().is_empty()))
                .then(|| (start, value.len() - start));
                return Ok(Chain { hops, ignored });
            }
        }
        if hops.is_empty() {
            return Err(ChainError {
                message: "GOPROXY list is not the empty string, but contains no entries".to_owned(),
                at: (0, value.len()),
            });
        }
        if let Some(last) = hops.last_mut() {
            last.then = None;
        }
        Ok(Chain {
            hops,
            ignored: None,
        })
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for hop in &self.hops {
            f.write_str(match &hop.kind {
                HopKind::Proxy(url) | HopKind::File(url) => url,
                HopKind::Direct => "direct",
                HopKind::Off => "off",
            })?;
            f.write_str(match hop.then {
                Some(Separator::Comma) => ",",
                Some(Separator::Pipe) => "|",
                None => "",
            })?;
        }
        Ok(())
    }
}

/// One element as `proxyList` and `newProxyRepo` take it. Offsets in messages are the caller's.
fn parse_url(text: &str) -> Result<HopKind, String> {
    let mut url = text.to_owned();
    // proxyList: "https:// may be omitted": a host with a dot, colon or slash and no scheme.
    let absolute = text.starts_with('/');
    if text.contains(['.', ':', '/']) && !text.contains(":/") && !absolute {
        url = format!("https://{text}");
    }
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(format!("invalid proxy URL missing scheme: {text}"));
    };
    if scheme.is_empty() || !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(format!("invalid proxy URL missing scheme: {text}"));
    }
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" => {
            let Some(rest) = rest.strip_prefix("//") else {
                return Err(format!("no host in proxy URL: {text}"));
            };
            check_escapes(rest)?;
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = authority.rsplit('@').next().unwrap_or_default();
            check_host(host).map_err(|why| format!("{why} in proxy URL: {text}"))?;
            Ok(HopKind::Proxy(url))
        }
        "file" => {
            check_escapes(rest)?;
            match rest.strip_prefix("//") {
                Some(path) if path.starts_with('/') && !path.contains(['?', '#']) => {
                    Ok(HopKind::File(url))
                }
                _ => Err(format!(
                    "invalid file:// proxy URL with non-path elements: {text}"
                )),
            }
        }
        _ => Err(format!(
            "invalid proxy URL scheme (must be https, http, file): {text}"
        )),
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(v6) => match v6.split_once(']') {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            None => return Err("missing ']'"),
        },
        None => match host.rsplit_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    if name.is_empty() {
        return Err("no host");
    }
    if port.is_some_and(|port| !port.bytes().all(|b| b.is_ascii_digit())) {
        return Err("invalid port");
    }
    if name.bytes().any(|b| b == b' ' || b < 0x20 || b == 0x7f) {
        return Err("invalid character");
    }
    Ok(())
}

/// `net/url` refuses a `%` that two hexadecimal digits do not follow, and control characters.
fn check_escapes(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        if *byte == b'%' {
            let pair = bytes.get(i + 1..i + 3).unwrap_or(&bytes[i + 1..]);
            if pair.len() < 2 || !pair.iter().all(u8::is_ascii_hexdigit) {
                let shown = String::from_utf8_lossy(&bytes[i..bytes.len().min(i + 3)]);
                return Err(format!("invalid URL escape {shown:?}"));
            }
        }
        if *byte < 0x20 || *byte == 0x7f {
            return Err("invalid control character in URL".to_owned());
        }
    }
    Ok(())
}
