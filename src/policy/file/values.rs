//! Values that are written as strings: durations, paths, URLs, hashes, module versions.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::reader::{Section, Text};
use crate::gomod::semver::is_canonical;
use crate::gomod::sum::escape_path;
use crate::model::mask::has_credentials;
use crate::model::{Chain, HopKind, Pin, lookalike};
use crate::policy::expand::expand;
use crate::policy::finding::{PolicyFinding, nearest, quoted};
use crate::policy::grammar::MOST_MARKS;

/// Parses a span of time in words, `10m` or `1h30m`, within bounds.
pub(super) fn duration<'a>(
    table: &Section<'a>,
    key: &'a str,
    example: &str,
    (least, most): (Duration, Duration),
) -> Option<Duration> {
    let value = table.get(key, format!("{key} = \"{example}\""))?;
    let text = value.string()?;
    match humantime::parse_duration(text.value) {
        Ok(span) if span < least || span > most => {
            let (least, most) = (in_days(least), in_days(most));
            let message = format!("`{key}` must be between {least} and {most}");
            value.refuse("out-of-range", message)
        }
        Ok(span) => Some(span),
        Err(_) => {
            let message = format!("{} is not a duration", quoted(text.value));
            match near_duration(text.value) {
                Some(near) => {
                    text.refuse("bad-duration", message, format!("did you mean \"{near}\"?"))
                }
                None => value.refuse("bad-duration", message),
            }
        }
    }
}

/// Formats a span of time as a person would write it; `humantime` makes months and hours of 31
/// days.
fn in_days(span: Duration) -> String {
    let (seconds, day) = (span.as_secs(), 86_400);
    if seconds >= day && seconds.is_multiple_of(day) {
        format!("{}d", seconds / day)
    } else {
        humantime::format_duration(span).to_string()
    }
}

/// Returns a number with a misspelt unit, with the unit that was meant; `None` for anything else,
/// including a correctly spelt unit.
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

/// Expands a path: `~` and `${HOME}` are the user's home directory, and a relative path starts at
/// the policy's directory.
pub(super) fn expand_path(text: &Text<'_>) -> Option<PathBuf> {
    const NO_HOME: &str = "the user's home is not known here, so the path has no meaning";
    let user_home = text.reader.home;
    let bad = |message: &str, help: &str| text.refuse("bad-path", message, help);
    if text.value.is_empty() || text.value.contains('\0') {
        return bad("this is not a path", "write the path of a file or a folder");
    }
    if text.value.contains("://") {
        return bad(
            "this is a URL, not a path",
            "write the folder itself, as in \"~/go-mirror\"",
        );
    }
    let home = user_home.and_then(|home| home.to_str());
    let lookup = |name: &str| home.filter(|_| name == "HOME").map(str::to_owned);
    let expanded = match expand(text.value, &lookup) {
        Ok(expanded) => expanded,
        Err(_) if text.value.contains("${HOME}") && home.is_none() => {
            return bad(NO_HOME, "write the whole path");
        }
        Err(why) => return bad(&why, "only `~` and `${HOME}` stand for something in a path"),
    };
    match expanded.strip_prefix('~') {
        None => Some(text.reader.folder(text.span.start).join(expanded)),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => match user_home {
            Some(home) => Some(match rest.trim_start_matches('/') {
                "" => home.to_owned(),
                rest => home.join(rest),
            }),
            None => bad(NO_HOME, "write the whole path"),
        },
        Some(_) => bad(
            &format!("{} names another user's home", quoted(text.value)),
            "only `~/` is replaced, by the home directory of the user who runs goroam",
        ),
    }
}

/// Parses the base URL of a module proxy; trailing slashes are dropped as go drops them.
pub(super) fn proxy_url(text: &Text<'_>, key: &str) -> Option<String> {
    const HTTPS: &str = "for example: \"https://goproxy.corp.example\"";
    let bad = |message: String, help: &str| text.refuse("bad-url", message, help);
    credentials(text);
    look_alikes(text, key);
    let value = text.value;
    if value.contains([',', '|']) {
        return bad(
            format!("`{key}` takes one proxy, not a list"),
            "a list belongs in a profile's GOPROXY; a target is one thing to ask",
        );
    }
    if value != value.trim() || !value.contains("://") {
        return bad(
            format!("`{key}` must be a URL"),
            "write the whole URL, with https:// before the host",
        );
    }
    match Chain::parse(value).map(|chain| chain.hops.into_iter().next().map(|hop| hop.kind)) {
        Ok(Some(HopKind::Proxy(url))) if url::Url::parse(&url).is_ok_and(|url| url.has_host()) => {
            Some(url.trim_end_matches('/').to_owned())
        }
        Ok(Some(HopKind::Proxy(_))) => bad(format!("`{key}` is not a usable URL"), HTTPS),
        Ok(Some(HopKind::File(_))) => bad(
            format!("`{key}` is asked over http or https"),
            "a folder on this machine is a target of another kind: mirror = \"/path\"",
        ),
        Ok(_) => bad(format!("`{key}` must be a URL"), HTTPS),
        Err(error) => bad(error.message, HTTPS),
    }
}

/// Parses the URL of an `https` target.
pub(super) fn web_url(text: &Text<'_>) -> Option<String> {
    credentials(text);
    look_alikes(text, "https");
    let is_web = |url: url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    if url::Url::parse(text.value).is_ok_and(is_web) && !text.value.contains(char::is_whitespace) {
        return Some(text.value.to_owned());
    }
    let help = "for example: https = \"https://github.com\"";
    text.refuse("bad-url", "`https` must be an http or https URL", help)
}

/// Warns of characters that look like ASCII characters: hosts and paths never contain them.
pub(super) fn look_alikes(text: &Text<'_>, key: &str) {
    for mark in lookalike::in_list(text.value).into_iter().take(MOST_MARKS) {
        let (message, span) = (format!("`{key}`: {mark}"), text.part(mark.place()));
        let finding = PolicyFinding::warning("look-alike", message, span);
        text.reader.report(finding.help(mark.help()));
    }
}

/// Warns of credentials: a policy is shared and shown to others, and go reads credentials from
/// netrc.
pub(super) fn credentials(text: &Text<'_>) {
    if has_credentials(text.value) {
        let message = "this value holds credentials, and policies are shared, shown and backed up";
        text.reader.report(
            PolicyFinding::warning("credentials-in-policy", message, text.span.clone())
                .help("put them into ~/.netrc: go and goroam's probes both read it"),
        );
    }
}

/// Parses `sha256/BASE64` of 32 bytes.
pub(super) fn pin(text: &Text<'_>) -> Option<Pin> {
    let bytes = text.value.strip_prefix("sha256/").and_then(thirty_two);
    bytes.map(Pin).or_else(|| {
        let finding = text.error("bad-pin", format!("{} is not a pin", quoted(text.value)));
        text.reader.refuse(
            finding
                .label("sha256/, then 44 characters of base64")
                .help("`openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`"),
        )
    })
}

/// Parses `h1:` and base64 of 32 bytes, as in this line of a go.sum.
pub(super) fn go_sum(text: &Text<'_>, line: &str) -> Option<String> {
    if text
        .value
        .strip_prefix("h1:")
        .and_then(thirty_two)
        .is_some()
    {
        return Some(text.value.to_owned());
    }
    let message = format!("{} is not a go.sum hash", quoted(text.value));
    text.reader.refuse(
        text.error("bad-sum", message)
            .label("h1:, then 44 characters of base64")
            .help(format!("copy it from the module's {line} in a go.sum")),
    )
}

fn thirty_two(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn is_module_path(path: &str) -> bool {
    let host = path.split('/').next().unwrap_or_default();
    host.contains('.') && escape_path(path).is_ok()
}

/// Parses the path of a module, by the same rules.
pub(super) fn module_path(text: &Text<'_>) -> Option<String> {
    if is_module_path(text.value) {
        return Some(text.value.to_owned());
    }
    let message = format!("{} is not the path of a module", quoted(text.value));
    text.refuse(
        "bad-module",
        message,
        "for example: \"git.corp.example/team/hello\"",
    )
}

/// Parses `path@version`, by the rules of `golang.org/x/mod/module.Check`.
pub(super) fn module(text: &Text<'_>) -> Option<(String, String)> {
    let parts = text.value.split_once('@');
    if let Some((path, version)) = parts
        && text.value.len() <= 600
        && is_module_path(path)
        && is_canonical(version)
    {
        return Some((path.to_owned(), version.to_owned()));
    }
    let message = format!("{} is not a module with a version", quoted(text.value));
    let help = match parts {
        Some((_, "latest" | "upgrade" | "patch")) => {
            "name a version that stays: a query has another answer tomorrow"
        }
        _ => "for example: module = \"git.corp.example/team/hello@v1.0.0\"",
    };
    text.refuse("bad-module", message, help)
}
