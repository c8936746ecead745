//! What cannot work whatever the network does, and the answers that go names without a URL.

use super::super::class::Class;

/// What a part of one of go's statements says, by how it begins.
pub(super) fn of(text: &str, proxies: &[String]) -> Option<Class> {
    if let Some(rest) = text.strip_prefix("invalid response from proxy \"") {
        return Some(answered(rest));
    }
    if text.starts_with("module lookup disabled by GOPROXY=off") {
        return Some(behind_others(proxies));
    }
    BEGIN
        .iter()
        .find(|(begin, _)| text.starts_with(begin))
        .map(|(_, class)| *class)
}

/// The base that `invalid response from proxy "P"` names.
pub(super) fn base_of(text: &str) -> Option<String> {
    let rest = text.strip_prefix("invalid response from proxy \"")?;
    rest.split_once('"').map(|(base, _)| base.to_owned())
}

/// encoding/json about an `.info` that is none.
fn answered(rest: &str) -> Class {
    if rest.contains("invalid character '<' looking for beginning of value") {
        Class::Portal
    } else {
        Class::Corrupt
    }
}

/// `off` is reached when all before it said that there is no such thing
/// (modfetch/proxy.go:TryProxies); alone it is a setting.
fn behind_others(proxies: &[String]) -> Class {
    match proxies {
        [_, .., last] if last == "off" => Class::NotFound,
        _ => Class::Config,
    }
}

const BEGIN: [(&str, Class); 4] = [
    ("invalid proxy URL", Class::Config),
    ("invalid file:// proxy URL", Class::Config),
    ("GOPROXY list is not the empty string", Class::Config),
    ("proxy returned info for version ", Class::Corrupt),
];
