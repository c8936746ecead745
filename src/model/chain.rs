//! The grammar of GOPROXY, as `cmd/go/internal/modfetch/proxy.go:proxyList` reads it, and the tier
//! that a value gives.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use url::Url;

use super::go_release::GoRelease;
use super::go_url::{self, GoUrl};
use super::mask::mask;

/// A GOPROXY value, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The hops that go uses: nothing after `direct` or `off`.
    pub hops: Vec<Hop>,
    /// The text after `direct` or `off`, which go never reads: offset and length.
    pub ignored: Option<(usize, usize)>,
}

/// Why go refuses the value on every request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ChainError {
    /// What is wrong, in go's own words where go has a message for it.
    pub message: String,
    /// The offending part: byte offset and length within the value.
    pub at: (usize, usize),
}

impl Chain {
    /// Parses a value of GOPROXY.
    ///
    /// # Errors
    /// If go would fail every request with this value (one bad hop before `direct` or `off` is
    /// enough).
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
                continue; // an empty element is dropped together with its separator
            }
            let kind = match text {
                "direct" => HopKind::Direct,
                "off" => HopKind::Off,
                _ => parse_proxy_url(text).map_err(|message| ChainError { message, at })?,
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

/// The separator after a hop: it decides when go moves on to the next hop.
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
    /// An http or https proxy: its URL as written, prefixed with `https://` where go does so.
    Proxy(String),
    /// A local tree: the URL as written.
    File(String),
    /// Version control.
    Direct,
    /// Nothing more is tried after it.
    Off,
}

/// One element of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Where it leads.
    pub kind: HopKind,
    /// The separator after it; `None` at the end of the list.
    pub then: Option<Separator>,
    /// Byte offset and length within the value, for messages.
    pub at: (usize, usize),
}

/// Where modules come from, best first. The derived order is the order of degradation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// A module proxy on the network.
    Proxy,
    /// Version control, without a proxy.
    Direct,
    /// A local `file://` tree: a mirror or the module cache.
    Mirror,
    /// The project's own vendor directory: only a step of `goroam exec`, never part of a chain.
    Vendor,
    /// What was downloaded before: only what `goroam exec` reports, never part of a chain.
    Cache,
    /// Nothing: `GOPROXY=off`. Only what is vendored or cached builds.
    Off,
}

impl Tier {
    /// Returns the tier of a chain: the tier of its first hop.
    pub fn of(chain: &Chain) -> Tier {
        match chain.hops.first().map(|hop| &hop.kind) {
            Some(HopKind::Proxy(_)) => Tier::Proxy,
            Some(HopKind::File(_)) => Tier::Mirror,
            Some(HopKind::Direct) => Tier::Direct,
            Some(HopKind::Off) | None => Tier::Off,
        }
    }

    /// Describes where modules come from (the first hop that counts), with credentials removed.
    pub fn in_words(chain: &Chain, mirror: Option<&Path>) -> String {
        let Some(hop) = chain.hops.first() else {
            return "nowhere".to_owned();
        };
        let url = match &hop.kind {
            HopKind::Proxy(url) => {
                let host = Url::parse(url).ok();
                let host = host.as_ref().and_then(|url| url.host_str());
                return format!("module proxy {}", host.unwrap_or("(no host)"));
            }
            HopKind::Direct => return "version control".to_owned(),
            HopKind::Off => return "nowhere: anything not yet downloaded fails at once".to_owned(),
            HopKind::File(url) => url,
        };
        let is_mirror = mirror.is_some_and(|path| go_url::of_folder(path) == *url);
        let place = url.strip_prefix("file://").unwrap_or(url);
        if is_mirror {
            return match mirror {
                Some(path) => format!("the mirror {}", path.display()),
                None => "the mirror".to_owned(),
            };
        }
        if place.ends_with("/cache/download") {
            return "the module cache".to_owned();
        }
        format!("the folder {place}")
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Parses an element that is neither empty nor `direct` nor `off`, as the newest go does. An error
/// message follows go's own words and holds no credentials.
pub(super) fn parse_proxy_url(text: &str) -> Result<HopKind, String> {
    let mut url = text.to_owned();
    // proxyList: "https:// may be omitted". This holds for text that is not a single word, not a
    // URL and not a path.
    if text.contains(['.', ':', '/']) && !text.contains(":/") && !text.starts_with('/') {
        url = format!("https://{text}");
    }
    let shown = mask(&url);
    let parsed = GoUrl::parse(&url, GoRelease::default()).map_err(|error| {
        // A control character in the displayed URL could break the line.
        match url.contains(|c: char| c.is_ascii_control()) {
            true => error.to_string(),
            false => format!("{error} in proxy URL: {shown}"),
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
            // A number that is not a valid port fails when go dials it.
            if !parsed.port().is_empty() && parsed.port().parse::<u16>().is_err() {
                return in_url("invalid port after host");
            }
            // web/http.go: go refuses every such request before it sends it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(value: &str) -> Vec<(String, Option<Separator>)> {
        let chain = Chain::parse(value).unwrap();
        chain
            .hops
            .iter()
            .map(|hop| {
                let text = match &hop.kind {
                    HopKind::Proxy(url) | HopKind::File(url) => url.clone(),
                    HopKind::Direct => "direct".to_owned(),
                    HopKind::Off => "off".to_owned(),
                };
                (text, hop.then)
            })
            .collect()
    }

    #[test]
    fn it_is_said_in_words_and_without_passwords() {
        for (goproxy, words) in [
            (
                "https://me:secret@goproxy.corp.example/x,direct",
                "module proxy goproxy.corp.example",
            ),
            (
                "file:///home/me/m,file:///home/me/go/pkg/mod/cache/download,off",
                "the mirror /home/me/m",
            ),
            (
                "file:///home/me/go/pkg/mod/cache/download,off",
                "the module cache",
            ),
            ("file:///srv/modules,off", "the folder /srv/modules"),
            ("direct", "version control"),
            ("off", "nowhere: anything not yet downloaded fails at once"),
        ] {
            let chain = Chain::parse(goproxy).unwrap();
            assert_eq!(Tier::in_words(&chain, Some(Path::new("/home/me/m"))), words);
        }
    }

    #[test]
    fn an_empty_element_takes_its_separator_with_it() {
        let want = [
            ("https://a.b".to_owned(), Some(Separator::Pipe)),
            ("https://c.d".to_owned(), None),
        ];
        assert_eq!(kinds("https://a.b|,https://c.d"), want);
        assert_eq!(kinds("a.b |  , c.d,,"), want);
    }

    #[test]
    fn nothing_after_direct_or_off_is_read() {
        for value in ["direct,https://%zz", "off|https://x", "direct|foo"] {
            let chain = Chain::parse(value).unwrap();
            assert_eq!(chain.hops.len(), 1, "{value}");
            let (at, len) = chain.ignored.unwrap();
            assert_eq!(
                &value[at..at + len],
                &value[value.find([',', '|']).unwrap() + 1..]
            );
        }
        assert_eq!(Chain::parse("direct,").unwrap().ignored, None);
    }

    #[test]
    fn errors_point_at_the_bad_element() {
        let value = "https://good.example, https://%zz ,direct";
        let error = Chain::parse(value).unwrap_err();
        let (at, len) = error.at;
        assert_eq!(&value[at..at + len], "https://%zz");
    }

    #[test]
    fn errors_hold_no_credentials() {
        for value in [
            "http://joe:s3cret@host.example",
            "https://joe:s3cret@",
            "https://joe:s3cret@ho st",
            "ftp://joe:s3cret@host",
            "joe:s3cret@host.example:x",
            "https://joe:s3cret%zz@host",
            "https://joe:s3cret@host:x/y",
        ] {
            let error = Chain::parse(value).unwrap_err();
            assert!(!error.message.contains("s3cret"), "{}", error.message);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_printed_reads_back(value in "\\PC{0,60}") {
            round_trip(&value);
        }

        #[test]
        fn lists_read_back(value in "((https?://|file://|)(a\\.b|\\[::1\\]|/x|u:p@h|direct|off|)(:80|%2C|/y| )?[,|]?){0,6}") {
            round_trip(&value);
        }
    }

    fn round_trip(value: &str) {
        let Ok(chain) = Chain::parse(value) else {
            return;
        };
        for hop in &chain.hops {
            assert!(value.get(hop.at.0..hop.at.0 + hop.at.1).is_some());
        }
        let again = Chain::parse(&chain.to_string()).unwrap();
        let shape = |chain: &Chain| -> Vec<_> {
            chain
                .hops
                .iter()
                .map(|hop| (hop.kind.clone(), hop.then))
                .collect()
        };
        assert_eq!(shape(&chain), shape(&again));
    }
}
