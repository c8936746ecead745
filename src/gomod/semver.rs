//! One version of one module, and the order of versions (`golang.org/x/mod/semver`).

use std::cmp::Ordering;
use std::fmt;

use super::sum::{EscapeError, escape_path, escape_version};

/// `PATH@VERSION`, both unescaped. Sorted by path, then by version as go orders them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModuleVersion {
    /// The module's path.
    pub path: String,
    /// Its version, canonical (`v1.2.3`, a pseudo-version, `+incompatible`).
    pub version: String,
}

impl ModuleVersion {
    /// Creates one version of one module.
    pub fn new(path: impl Into<String>, version: impl Into<String>) -> ModuleVersion {
        ModuleVersion {
            path: path.into(),
            version: version.into(),
        }
    }

    /// Returns the escaped form for a file system or a URL:
    /// `github.com/!burnt!sushi/toml@v1.0.0-!r!c1`.
    ///
    /// # Errors
    /// If go could not request this path or version.
    pub fn escaped(&self) -> Result<ModuleVersion, EscapeError> {
        Ok(ModuleVersion {
            path: escape_path(&self.path)?,
            version: escape_version(&self.version)?,
        })
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
            // Two spellings that compare as equal in go (`v1.0.0+a`, `v1.0.0+b`) are still
            // different versions.
            .then_with(|| self.version.cmp(&other.version))
    }
}

/// A decimal number of any length: comparing the pairs compares the values.
pub(super) type Number<'a> = (usize, &'a str);

/// A parsed version, in the order of versions: an invalid version is less than every valid one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Parts<'a> {
    numbers: [Number<'a>; 3],
    is_release: bool,
    /// The parts after `-`, separated by dots: whether it is a word, the length of a number, the
    /// text.
    prerelease: Vec<(bool, usize, &'a str)>,
}

/// Compares as `semver.Compare` does: an invalid version is less than every valid one, build
/// metadata (`+incompatible`) does not count.
pub fn compare(one: &str, other: &str) -> Ordering {
    parts(one).cmp(&parts(other))
}

/// Reports whether it is a full version as a go.mod or a proxy has it (`vMAJOR.MINOR.PATCH…`).
pub fn is_canonical(version: &str) -> bool {
    version.matches('.').count() >= 2 && parts(version).is_some()
}

/// Returns the form in which go keeps a version (`module.CanonicalVersion`): `v1.2` becomes
/// `v1.2.0`, and of build metadata only `+incompatible` stays. `None` if it is not a version.
pub fn canonical(version: &str) -> Option<String> {
    let [(_, major), (_, minor), (_, patch)] = parts(version)?.numbers;
    let (core, build) = version.split_once('+').unwrap_or((version, ""));
    let prerelease = core.find('-').map_or("", |dash| &core[dash..]);
    let build = if build == "incompatible" {
        "+incompatible"
    } else {
        ""
    };
    Some(format!("v{major}.{minor}.{patch}{prerelease}{build}"))
}

/// Reports whether it has a `-` part. `@latest` selects a prerelease only if there is no release.
pub fn is_prerelease(version: &str) -> bool {
    parts(version).is_some_and(|parts| !parts.is_release)
}

/// Reports whether it is made from a commit (`v0.0.0-20200102150405-abcdefabcdef`). Such versions
/// are not in a proxy's `list` (`golang.org/x/mod/module.IsPseudoVersion`).
pub fn is_pseudo(version: &str) -> bool {
    let core = version.split('+').next().unwrap_or_default();
    let Some((rest, revision)) = core.rsplit_once('-') else {
        return false;
    };
    let Some((before, time)) = rest.split_at_checked(rest.len().saturating_sub(14)) else {
        return false;
    };
    let time = time.len() == 14 && time.bytes().all(|b| b.is_ascii_digit());
    // vX.0.0-TIME-REV, vX.Y.Z-0.TIME-REV or vX.Y.Z-pre.0.TIME-REV.
    let joined = before.ends_with(".0.") || before.ends_with("-0.") || before.ends_with(".0.0-");
    time && joined
        && !revision.is_empty()
        && revision.bytes().all(|b| b.is_ascii_alphanumeric())
        && is_canonical(version)
}

/// Returns the major version as a number (`v2.1.0`: 2).
pub fn major(version: &str) -> Option<u64> {
    parts(version)?.numbers[0].1.parse().ok()
}

fn parts(version: &str) -> Option<Parts<'_>> {
    let (rest, build) = cut(version.strip_prefix('v')?, '+');
    let (core, prerelease) = cut(rest, '-');
    identifiers(build)?;
    let prerelease_parts = identifiers(prerelease)?;
    // A number of a prerelease has no leading zero.
    let is_plain = |(is_word, length, text): &(bool, usize, &str)| {
        *is_word || *length == 1 || !text.starts_with('0')
    };
    let mut numbers = [(1, "0"); 3];
    let mut count = 0;
    for (place, text) in core.split('.').enumerate() {
        let (number, rest) = decimal(text)?;
        *numbers.get_mut(place)? = number;
        count += 1;
        if !rest.is_empty() {
            return None;
        }
    }
    // "v1" and "v1.2" are short forms, which have neither prerelease nor build.
    let is_short = count < 3 && (prerelease.is_some() || build.is_some());
    (!is_short && prerelease_parts.iter().all(is_plain)).then_some(Parts {
        numbers,
        is_release: prerelease.is_none(),
        prerelease: prerelease_parts,
    })
}

/// Returns the parts between the dots: whether it is a word, the length of a number, and the text.
fn identifiers(text: Option<&str>) -> Option<Vec<(bool, usize, &str)>> {
    let mut all = Vec::new();
    for one in text.into_iter().flat_map(|text| text.split('.')) {
        let known = one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_word = !one.bytes().all(|b| b.is_ascii_digit());
        if !known || one.is_empty() {
            return None;
        }
        all.push((is_word, if is_word { 0 } else { one.len() }, one));
    }
    Some(all)
}

/// Returns the text before and after the mark.
fn cut(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    }
}

/// Splits off a decimal number without leading zeros.
pub(super) fn decimal(text: &str) -> Option<(Number<'_>, &str)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &text[..text.len() - rest.len()];
    let is_plain = digits == "0" || !digits.is_empty() && !digits.starts_with('0');
    is_plain.then_some(((digits.len(), digits), rest))
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
