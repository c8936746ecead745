//! Versions of go itself (`internal/gover`): `1.16`, `1.21rc1`, `1.21.0`.

use std::cmp::Ordering;

/// A version taken apart; numbers stay text, of any length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Parts<'a> {
    major: &'a str,
    minor: &'a str,
    patch: &'a str,
    kind: &'a str,
    pre: &'a str,
}

/// Compares as go does (`gover.Compare`): `1.21 < 1.21rc1 < 1.21.0`; a malformed version is less than
/// every other. No `go` in front.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (
        parts(one).unwrap_or_default(),
        parts(other).unwrap_or_default(),
    );
    number(one.major, other.major)
        .then_with(|| number(one.minor, other.minor))
        .then_with(|| number(one.patch, other.patch))
        .then_with(|| one.kind.cmp(other.kind))
        .then_with(|| number(one.pre, other.pre))
}

/// Is `version` this one or a later one?
pub fn at_least(version: &str, least: &str) -> bool {
    compare(version, least).is_ge()
}

/// Is it a version of go that can be compared?
pub fn is_valid(version: &str) -> bool {
    parts(version).is_some()
}

/// The version in a toolchain's name (`gover.FromToolchain`): `go1.24.1-corp` is `1.24.1`.
pub fn of_toolchain(name: &str) -> Option<&str> {
    let rest = name
        .strip_prefix("go")
        .filter(|_| !name.contains(['/', '\\']))?;
    let version = rest.split([' ', '\t', '-']).next().unwrap_or_default();
    is_valid(version).then_some(version)
}

/// The toolchain that go fetches for a `go` line (`toolchain.Select`): since 1.21, `1.24` names a
/// language, whose first release is `go1.24.0`.
pub fn toolchain_for(line: &str) -> String {
    let is_language =
        parts(line).is_some_and(|it| [it.patch, it.kind] == ["", ""]) && at_least(line, "1.21");
    format!("go{line}{}", if is_language { ".0" } else { "" })
}

/// May it stand in a `go` line (`modfile.GoVersionRE`)?
pub(super) fn is_directive(version: &str) -> bool {
    let mut rest = version;
    for place in 0..3 {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(end);
        let zero = digits.starts_with('0') && (digits.len() > 1 || place == 0);
        if digits.is_empty() || zero {
            return false;
        }
        rest = behind;
        match rest.strip_prefix('.') {
            Some(behind) if place < 2 => rest = behind,
            Some(_) => return false,
            None if place == 0 => return false,
            None => break,
        }
    }
    let letters = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
    rest.is_empty()
        || letters.len() < rest.len()
            && !letters.is_empty()
            && letters.bytes().all(|b| b.is_ascii_digit())
}

/// `gover.Parse`.
fn parts(text: &str) -> Option<Parts<'_>> {
    let mut out = Parts::default();
    let mut rest = text;
    out.major = cut(&mut rest)?;
    if rest.is_empty() {
        (out.minor, out.patch) = ("0", "0");
        return Some(out);
    }
    rest = rest.strip_prefix('.')?;
    out.minor = cut(&mut rest)?;
    if rest.is_empty() {
        // Before 1.21 the first release was called 1.N; since then 1.N is the language.
        if number(out.minor, "21").is_lt() {
            out.patch = "0";
        }
        return Some(out);
    }
    if let Some(behind) = rest.strip_prefix('.') {
        rest = behind;
        out.patch = cut(&mut rest)?;
        return rest.is_empty().then_some(out);
    }
    let end = rest
        .find(|c: char| !c.is_ascii_lowercase())
        .unwrap_or(rest.len());
    (out.kind, rest) = rest.split_at(end);
    if out.kind.is_empty() {
        return None;
    }
    if !rest.is_empty() {
        out.pre = cut(&mut rest)?;
    }
    rest.is_empty().then_some(out)
}

/// A decimal number without needless zeros.
fn cut<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, behind) = rest.split_at(end);
    if digits.is_empty() || digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    *rest = behind;
    Some(digits)
}

fn number(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_go_s_order() {
        // internal/gover/gover_test.go: compareTests, in part.
        for (one, other, order) in [
            ("", "", Ordering::Equal),
            ("x", "1.0", Ordering::Less),
            ("1", "1.1", Ordering::Less),
            ("1.16", "1.17", Ordering::Less),
            ("1.5", "1.10", Ordering::Less),
            ("1.19", "1.19.0", Ordering::Equal),
            ("1.20rc1", "1.20", Ordering::Less),
            ("1.21", "1.21rc1", Ordering::Less),
            ("1.21rc1", "1.21.0", Ordering::Less),
            ("1.21beta2", "1.21rc1", Ordering::Less),
            ("1.21rc2", "1.21rc10", Ordering::Less),
            (
                "1.99999999999999999998",
                "1.99999999999999999999",
                Ordering::Less,
            ),
            ("1.21.1", "1.21.1", Ordering::Equal),
        ] {
            assert_eq!(compare(one, other), order, "{one} {other}");
            assert_eq!(compare(other, one), order.reverse(), "{other} {one}");
        }
        assert!(at_least("1.17", "1.17") && !at_least("1.16", "1.17"));
    }

    #[test]
    fn a_go_line_names_the_toolchain_that_go_fetches() {
        for (line, want) in [
            ("1.24.3", "go1.24.3"),
            ("1.24", "go1.24.0"),
            ("1.21", "go1.21.0"),
            ("1.20", "go1.20"),
            ("1.25rc1", "go1.25rc1"),
        ] {
            assert_eq!(toolchain_for(line), want);
        }
    }

    #[test]
    fn a_toolchain_s_name_holds_its_version() {
        for (name, version) in [
            ("go1.24.1", Some("1.24.1")),
            ("go1.24.1-corp", Some("1.24.1")),
            ("go1.21rc1", Some("1.21rc1")),
            ("default", None),
            ("local", None),
            ("go1.2/x", None),
        ] {
            assert_eq!(of_toolchain(name), version, "{name}");
        }
    }

    #[test]
    fn a_go_line_takes_what_go_takes() {
        for (version, fits) in [
            ("1.21", true),
            ("1.0", true),
            ("1.21.0", true),
            ("1.21rc1", true),
            ("1.21.0rc1", true),
            ("1", false),
            ("0.1", false),
            ("1.021", false),
            ("1.21.3.4", false),
            ("1.21rc", false),
            ("v1.21", false),
            ("1.21-x", false),
            ("", false),
        ] {
            assert_eq!(is_directive(version), fits, "{version}");
        }
    }
}
