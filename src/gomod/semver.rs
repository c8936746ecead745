//! One version of one module, and the order of versions (`golang.org/x/mod/semver`).

use std::cmp::Ordering;
use std::fmt;

/// `PATH@VERSION`, both unescaped. The order is by path, then by version as go orders them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModuleVersion {
    /// The module's path.
    pub path: String,
    /// Its version, canonical (`v1.2.3`, a pseudo-version, `+incompatible`).
    pub version: String,
}

impl ModuleVersion {
    /// One version of one module.
    pub fn new(path: impl Into<String>, version: impl Into<String>) -> ModuleVersion {
        ModuleVersion {
            path: path.into(),
            version: version.into(),
        }
    }
}

impl fmt::Display for ModuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.path, self.version)
    }
}

impl PartialOrd for ModuleVersion {
    fn partial_cmp(&self, other: &ModuleVersion) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ModuleVersion {
    fn cmp(&self, other: &ModuleVersion) -> Ordering {
        let by_version = || compare(&self.version, &other.version);
        self.path
            .cmp(&other.path)
            .then_with(by_version)
            // Two spellings that go takes for equal (`v1.0.0+a`, `v1.0.0+b`) are two all the same.
            .then_with(|| self.version.cmp(&other.version))
    }
}

/// A version taken apart: three numbers and what follows `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts<'a> {
    numbers: [&'a str; 3],
    prerelease: &'a str,
}

/// Compares as `semver.Compare` does: an invalid version is less than every valid one, build
/// metadata (`+incompatible`) does not count.
pub fn compare(one: &str, other: &str) -> Ordering {
    match (parts(one), parts(other)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(one), Some(other)) => {
            let numbers = one.numbers.iter().zip(&other.numbers);
            numbers
                .map(|(a, b)| number(a, b))
                .find(|order| order.is_ne())
                .unwrap_or_else(|| prerelease(one.prerelease, other.prerelease))
        }
    }
}

/// Is it a full version as a go.mod or a proxy has it (`vMAJOR.MINOR.PATCH…`)?
pub fn is_canonical(version: &str) -> bool {
    version.matches('.').count() >= 2 && parts(version).is_some()
}

/// The form in which go keeps a version (`module.CanonicalVersion`): `v1.2` is `v1.2.0`, and of
/// build metadata only `+incompatible` stays. `None` if it is not a version.
pub fn canonical(version: &str) -> Option<String> {
    let Parts {
        numbers: [major, minor, patch],
        prerelease,
    } = parts(version)?;
    let dash = if prerelease.is_empty() { "" } else { "-" };
    let build = if version.ends_with("+incompatible") {
        "+incompatible"
    } else {
        ""
    };
    Some(format!("v{major}.{minor}.{patch}{dash}{prerelease}{build}"))
}

/// Does it have a `-` part? `@latest` takes a prerelease only if there is no release.
pub fn is_prerelease(version: &str) -> bool {
    parts(version).is_some_and(|parts| !parts.prerelease.is_empty())
}

/// Is it made from a commit (`v0.0.0-20200102150405-abcdefabcdef`)? Such versions are not in a
/// proxy's `list` (`golang.org/x/mod/module.IsPseudoVersion`).
pub fn is_pseudo(version: &str) -> bool {
    let core = version.split('+').next().unwrap_or_default();
    let Some((rest, revision)) = core.rsplit_once('-') else {
        return false;
    };
    let Some(tail) = rest.get(rest.len().saturating_sub(14)..) else {
        return false;
    };
    let before = rest
        .get(..rest.len().saturating_sub(14))
        .unwrap_or_default();
    let time = tail.len() == 14 && tail.bytes().all(|b| b.is_ascii_digit());
    // vX.0.0-TIME-REV, vX.Y.Z-0.TIME-REV or vX.Y.Z-pre.0.TIME-REV.
    let joined = before.ends_with(".0.") || before.ends_with("-0.") || before.ends_with(".0.0-");
    time && joined
        && !revision.is_empty()
        && revision.bytes().all(|b| b.is_ascii_alphanumeric())
        && is_canonical(version)
}

/// The major version as a number (`v2.1.0`: 2).
pub fn major(version: &str) -> Option<u64> {
    parts(version)?.numbers[0].parse().ok()
}

fn parts(version: &str) -> Option<Parts<'_>> {
    let rest = version.strip_prefix('v')?;
    let (rest, build) = rest
        .split_once('+')
        .map_or((rest, None), |(rest, build)| (rest, Some(build)));
    if build.is_some_and(|build| !identifiers(build, false)) {
        return None;
    }
    let (core, prerelease) = rest
        .split_once('-')
        .map_or((rest, None), |(core, pre)| (core, Some(pre)));
    if prerelease.is_some_and(|pre| !identifiers(pre, true)) {
        return None;
    }
    let mut numbers = ["0"; 3];
    let mut count = 0;
    for (place, text) in core.split('.').enumerate() {
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
        if !plain || text.len() > 1 && text.starts_with('0') {
            return None;
        }
        *numbers.get_mut(place)? = text;
        count += 1;
    }
    // "v1" and "v1.2" are shorthands, which have neither prerelease nor build.
    if count < 3 && (prerelease.is_some() || build.is_some()) {
        return None;
    }
    Some(Parts {
        numbers,
        prerelease: prerelease.unwrap_or_default(),
    })
}

fn identifiers(text: &str, no_leading_zero: bool) -> bool {
    text.split('.').all(|one| {
        let known = one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let zero = no_leading_zero && one.len() > 1 && one.starts_with('0') && numeric(one);
        !one.is_empty() && known && !zero
    })
}

fn numeric(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// Decimal numbers of any length.
fn number(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn prerelease(one: &str, other: &str) -> Ordering {
    match (one.is_empty(), other.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (one.split('.'), other.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (numeric(a), numeric(b)) {
                (true, true) => number(a, b),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_go_s_order() {
        // golang.org/x/mod/semver's own table, in part.
        let ordered = [
            "bad",
            "v0.0.0-20200102150405-abcdefabcdef",
            "v0.1.0",
            "v1.0.0-alpha",
            "v1.0.0-alpha.1",
            "v1.0.0-alpha.beta",
            "v1.0.0-beta",
            "v1.0.0-beta.2",
            "v1.0.0-beta.11",
            "v1.0.0-rc.1",
            "v1.0.0",
            "v1.2.0",
            "v1.10.0",
            "v2.0.0+incompatible",
            "v99999999999999999999.0.0",
        ];
        for pair in ordered.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare("v1.0.0+a", "v1.0.0+b"), Ordering::Equal);
        assert_eq!(compare("v1", "v1.0.0"), Ordering::Equal);
    }

    #[test]
    fn what_is_canonical_pseudo_or_a_prerelease_is_seen() {
        for (version, canonical, pseudo, pre) in [
            ("v1.2.3", true, false, false),
            ("v1.2.3-rc.1", true, false, true),
            ("v2.0.0+incompatible", true, false, false),
            ("v0.0.0-20200102150405-abcdefabcdef", true, true, true),
            ("v1.2.4-0.20200102150405-abcdefabcdef", true, true, true),
            (
                "v1.2.3-pre.0.20200102150405-abcdefabcdef+incompatible",
                true,
                true,
                true,
            ),
            ("v1.2.3-20200102150405-abcdefabcdef", true, false, true),
            ("v1.2", false, false, false),
            ("v01.2.3", false, false, false),
            ("1.2.3", false, false, false),
            ("v1.2.3-", false, false, false),
            ("v1.2.3-01", false, false, false),
            ("ü", false, false, false),
        ] {
            assert_eq!(
                (
                    is_canonical(version),
                    is_pseudo(version),
                    is_prerelease(version)
                ),
                (canonical, pseudo, pre),
                "{version}"
            );
        }
        assert_eq!(major("v12.0.0"), Some(12));
    }
}
