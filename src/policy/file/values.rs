//! Values that stand in strings: durations, paths, URLs, hashes, module versions.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::PolicyLocation;
use super::reader::{Node, Reader, Text, quoted};
use crate::model::mask::has_credentials;
use crate::model::{Chain, HopKind, Pin, lookalike};
use crate::policy::expand::expand;
use crate::policy::finding::{PolicyFinding, nearest};
use crate::policy::grammar::MOST_MARKS;

/// A span of time in words, `10m` or `1h30m`, within bounds.
pub(super) fn duration(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    key: &str,
    example: &str,
    (least, most): (Duration, Duration),
) -> Option<Duration> {
    let text = reader.string(node, key, &format!("{key} = \"{example}\""))?;
    let finding = match humantime::parse_duration(text.value) {
        Ok(value) if value < least || value > most => {
            let message = format!(
                "`{key}` must be between {} and {}",
                in_days(least),
                in_days(most)
            );
            let finding = PolicyFinding::error("out-of-range", message, text.span);
            reader.report(finding.help(format!("for example: {key} = \"{example}\"")));
            return None;
        }
        Ok(value) => return Some(value),
        Err(_) => PolicyFinding::error(
            "bad-duration",
            format!("{} is not a duration", quoted(text.value)),
            text.span,
        ),
    };
    reader.report(finding.help(match near_duration(text.value) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("for example: {key} = \"{example}\""),
    }));
    None
}

/// A span of time as one would write it; `humantime` makes months and hours of 31 days.
fn in_days(span: Duration) -> String {
    let (seconds, day) = (span.as_secs(), 86_400);
    if seconds >= day && seconds.is_multiple_of(day) {
        format!("{}d", seconds / day)
    } else {
        humantime::format_duration(span).to_string()
    }
}

/// A number and a misspelt unit, with the unit that was meant; `None` for anything else, also
/// for what is well spelt.
fn near_duration(text: &str) -> Option<String> {
    const UNITS: [&str; 8] = [
        "ms", "seconds", "second", "minutes", "minute", "hours", "hour", "days",
    ];
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let number = text.strip_suffix(unit)?;
    let near = nearest(unit, UNITS.into_iter())?;
    let meant = format!("{number}{near}");
    (meant != text && humantime::parse_duration(&meant).is_ok()).then_some(meant)
}

/// A path: `~` and `${HOME}` are the user's home, and a relative one starts at the policy's folder.
pub(super) fn expand_path(
    reader: &mut Reader<'_>,
    text: &Text<'_>,
    place: PolicyLocation<'_>,
) -> Option<PathBuf> {
    let bad = |message: String, help: &str| {
        PolicyFinding::error("bad-path", message, text.span.clone()).help(help)
    };
    let no_home = || {
        bad(
            "the user's home is not known here, so the path has no meaning".to_owned(),
            "write the whole path",
        )
    };
    if text.value.is_empty() || text.value.contains('\0') {
        reader.report(bad(
            "this is not a path".to_owned(),
            "write the path of a file or a folder",
        ));
        return None;
    }
    if text.value.contains("://") {
        reader.report(bad(
            "this is a URL, not a path".to_owned(),
            "write the folder itself, as in \"~/go-mirror\"",
        ));
        return None;
    }
    let home = place.home.and_then(|home| home.to_str());
    let expanded = expand(text.value, &|name| match name {
        "HOME" => home.map(str::to_owned),
        _ => None,
    });
    let expanded = match expanded {
        Ok(expanded) => expanded,
        Err(_) if text.value.contains("${HOME}") && home.is_none() => {
            reader.report(no_home());
            return None;
        }
        Err(why) => {
            reader.report(bad(
                why,
                "only `~` and `${HOME}` stand for something in a path",
            ));
            return None;
        }
    };
    let under_home = if expanded == "~" {
        Some("")
    } else {
        expanded.strip_prefix("~/")
    };
    if let Some(rest) = under_home {
        let Some(home) = place.home else {
            reader.report(no_home());
            return None;
        };
        return Some(if rest.is_empty() {
            home.to_owned()
        } else {
            home.join(rest)
        });
    }
    if expanded.starts_with('~') {
        reader.report(bad(
            format!("{} names another user's home", quoted(text.value)),
            "only `~/` stands for something: the home of the user who runs goroam",
        ));
        return None;
    }
    Some(place.folder.join(expanded))
}

/// The base URL of a module proxy, trailing slashes dropped as go drops them.
pub(super) fn proxy_url(reader: &mut Reader<'_>, text: &Text<'_>, key: &str) -> Option<String> {
    let bad = |message: String, help: String| {
        PolicyFinding::error("bad-url", message, text.span.clone()).help(help)
    };
    credentials(reader, text);
    look_alikes(reader, text, key);
    let value = text.value;
    if value.contains([',', '|']) {
        reader.report(bad(
            format!("`{key}` takes one proxy, not a list"),
            "a list belongs in a profile's GOPROXY; a target is one thing to ask".to_owned(),
        ));
        return None;
    }
    if value != value.trim() || !value.contains("://") {
        let help = "write the whole URL, with https:// before the host".to_owned();
        reader.report(bad(format!("`{key}` must be a URL"), help));
        return None;
    }
    match Chain::parse(value).map(|chain| chain.hops.into_iter().next().map(|hop| hop.kind)) {
        Ok(Some(HopKind::Proxy(url))) => {
            if url::Url::parse(&url).is_ok_and(|url| url.has_host()) {
                return Some(url.trim_end_matches('/').to_owned());
            }
            reader.report(bad(
                format!("`{key}` is not a usable URL"),
                HTTPS.to_owned(),
            ));
        }
        Ok(Some(HopKind::File(_))) => reader.report(bad(
            format!("`{key}` is asked over http or https"),
            "a folder on this machine is a target of another kind: mirror = \"/path\"".to_owned(),
        )),
        Ok(_) => reader.report(bad(format!("`{key}` must be a URL"), HTTPS.to_owned())),
        Err(error) => reader.report(bad(error.message, HTTPS.to_owned())),
    }
    None
}

const HTTPS: &str = "for example: \"https://goproxy.corp.example\"";

/// The URL of an `https` target.
pub(super) fn web_url(reader: &mut Reader<'_>, text: &Text<'_>) -> Option<String> {
    credentials(reader, text);
    look_alikes(reader, text, "https");
    let url = url::Url::parse(text.value).ok();
    let usable = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if usable.is_none() || text.value.contains(char::is_whitespace) {
        reader.report(
            PolicyFinding::error(
                "bad-url",
                "`https` must be an http or https URL",
                text.span.clone(),
            )
            .help("for example: https = \"https://github.com\""),
        );
        return None;
    }
    Some(text.value.to_owned())
}

/// Warns of characters that look like those of ASCII: no host and no path has them.
pub(super) fn look_alikes(reader: &mut Reader<'_>, text: &Text<'_>, key: &str) {
    for mark in lookalike::in_list(text.value).into_iter().take(MOST_MARKS) {
        let span = reader.part(text, mark.place());
        reader.report(
            PolicyFinding::warning("look-alike", format!("`{key}`: {mark}"), span)
                .help(mark.help()),
        );
    }
}

/// Warns of credentials: a policy is shared and shown, and go reads them from netrc.
pub(super) fn credentials(reader: &mut Reader<'_>, text: &Text<'_>) {
    if has_credentials(text.value) {
        reader.report(
            PolicyFinding::warning(
                "credentials-in-policy",
                "this value holds credentials, and policies are shared, shown and backed up",
                text.span.clone(),
            )
            .help("put them into ~/.netrc: go and goroam's probes both read it"),
        );
    }
}

/// `sha256/BASE64` of 32 bytes.
pub(super) fn pin(reader: &mut Reader<'_>, text: &Text<'_>) -> Option<Pin> {
    let bytes = text.value.strip_prefix("sha256/").and_then(thirty_two);
    if bytes.is_none() {
        reader.report(
            PolicyFinding::error(
                "bad-pin",
                format!("{} is not a pin", quoted(text.value)),
                text.span.clone(),
            )
            .label("sha256/, then 44 characters of base64")
            .help("`openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`"),
        );
    }
    bytes.map(Pin)
}

/// `h1:` and base64 of 32 bytes, as in go.sum.
pub(super) fn sum(reader: &mut Reader<'_>, text: &Text<'_>) -> Option<String> {
    if text
        .value
        .strip_prefix("h1:")
        .and_then(thirty_two)
        .is_some()
    {
        return Some(text.value.to_owned());
    }
    reader.report(
        PolicyFinding::error(
            "bad-sum",
            format!("{} is not a go.sum hash", quoted(text.value)),
            text.span.clone(),
        )
        .label("h1:, then 44 characters of base64")
        .help("copy it from the module's `/go.mod` line in a go.sum"),
    );
    None
}

fn thirty_two(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// `path@version`, by the rules of `golang.org/x/mod/module.Check`.
pub(super) fn module(reader: &mut Reader<'_>, text: &Text<'_>) -> Option<(String, String)> {
    let parts = text.value.split_once('@');
    if let Some((path, version)) = parts
        && is_module_path(path)
        && is_version(version)
    {
        return Some((path.to_owned(), version.to_owned()));
    }
    let finding = PolicyFinding::error(
        "bad-module",
        format!("{} is not a module with a version", quoted(text.value)),
        text.span.clone(),
    );
    reader.report(match parts {
        Some((_, "latest" | "upgrade" | "patch")) => {
            finding.help("name a version that stays: a query has another answer tomorrow")
        }
        _ => finding.help("for example: module = \"git.corp.example/team/hello@v1.0.0\""),
    });
    None
}

fn is_module_path(path: &str) -> bool {
    let element = |element: &str| {
        !element.is_empty()
            && !element.starts_with('.')
            && !element.ends_with('.')
            && element
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    let first = path.split('/').next().unwrap_or_default();
    path.len() <= 400
        && first.contains('.')
        && !first.starts_with('-')
        && path.split('/').all(element)
}

/// A canonical semantic version: `v1.2.3`, `v1.2.3-pre.1`, `v2.0.0+incompatible`.
fn is_version(version: &str) -> bool {
    let Some(rest) = version.strip_prefix('v').filter(|_| version.len() <= 200) else {
        return false;
    };
    let (rest, build) = rest
        .split_once('+')
        .map_or((rest, None), |(a, b)| (a, Some(b)));
    let (core, pre) = rest
        .split_once('-')
        .map_or((rest, None), |(a, b)| (a, Some(b)));
    let identifiers = |text: &str| {
        text.split('.').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
    };
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|n| {
            !n.is_empty()
                && n.bytes().all(|b| b.is_ascii_digit())
                && (*n == "0" || !n.starts_with('0'))
        })
        && pre.is_none_or(identifiers)
        && build.is_none_or(identifiers)
}
