//! Versions of go itself (`internal/gover`): `1.16`, `1.21rc1`, `1.21.0`.

use std::cmp::Ordering;

use super::semver::{ModuleVersion, Number, decimal};

/// A parsed version, in the order of versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Parts<'a> {
    major: Number<'a>,
    minor: Number<'a>,
    patch: Number<'a>,
    kind: &'a str,
    pre: Number<'a>,
}

/// Compares as go does (`gover.Compare`): `1.21 < 1.21rc1 < 1.21.0`; a malformed version is less
/// than every other. The versions have no `go` prefix.
pub fn compare(one: &str, other: &str) -> Ordering {
    let parts = |version| parts(version).unwrap_or_default();
    parts(one).cmp(&parts(other))
}

/// Reports whether `version` is `least` or a later one.
pub fn at_least(version: &str, least: &str) -> bool {
    compare(version, least).is_ge()
}

/// Reports whether it is a version of go that can be compared.
pub fn is_valid(version: &str) -> bool {
    parts(version).is_some()
}

/// Returns the version in a toolchain's name (`gover.FromToolchain`): `go1.24.1-corp` is `1.24.1`.
pub fn of_toolchain(name: &str) -> Option<&str> {
    let rest = name
        .strip_prefix("go")
        .filter(|_| !name.contains(['/', '\\']))?;
    let version = rest.split([' ', '\t', '-']).next().unwrap_or_default();
    is_valid(version).then_some(version)
}

/// Returns the toolchain that go fetches for a `go` line (`toolchain.Select`): since 1.21, `1.24`
/// names a language version, whose first release is `go1.24.0`.
pub fn toolchain_for(line: &str) -> String {
    let is_language =
        parts(line).is_some_and(|it| [it.patch.1, it.kind] == ["", ""]) && at_least(line, "1.21");
    format!("go{line}{}", if is_language { ".0" } else { "" })
}

/// The module that contains toolchains (`cmd/go/internal/modfetch/toolchain.go`).
pub const TOOLCHAIN: &str = "golang.org/toolchain";

/// Returns the module version of a toolchain: `go1.24.0` for `linux-amd64`.
pub fn toolchain_module(name: &str, system: &str) -> ModuleVersion {
    ModuleVersion::new(TOOLCHAIN, format!("v0.0.1-{name}.{system}"))
}

/// Reports whether it may be in a `go` line (`modfile.GoVersionRE`).
pub(super) fn is_directive(version: &str) -> bool {
    language(version).is_some_and(|rest| {
        let rest = match rest.strip_prefix('.').map(decimal) {
            Some(None) => return false,
            Some(Some((_, rest))) => rest,
            None => rest,
        };
        let number = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let is_pre = number.len() < rest.len() && !number.is_empty();
        rest.is_empty() || is_pre && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Reports whether go accepts it in the `go` line of a dependency. There, go accepts any text that
/// begins with a version (`modfile.laxGoVersionRE`): `v1.15`, `1.15.x`.
pub(super) fn is_lax_directive(version: &str) -> bool {
    let rest = language(version.strip_prefix('v').unwrap_or(version));
    is_directive(version) || rest.is_some_and(|rest| !rest.is_empty())
}

/// Returns the text after `1.21`.
fn language(version: &str) -> Option<&str> {
    let (_, rest) = decimal(version).filter(|((_, major), _)| *major != "0")?;
    Some(decimal(rest.strip_prefix('.')?)?.1)
}

/// `gover.Parse`.
fn parts(text: &str) -> Option<Parts<'_>> {
    let mut out = Parts::default();
    let mut rest = text;
    (out.major, rest) = decimal(rest)?;
    if rest.is_empty() {
        (out.minor, out.patch) = ((1, "0"), (1, "0"));
        return Some(out);
    }
    (out.minor, rest) = decimal(rest.strip_prefix('.')?)?;
    if rest.is_empty() {
        // Before 1.21 the first release was named 1.N; since then 1.N is the language version.
        if out.minor < (2, "21") {
            out.patch = (1, "0");
        }
        return Some(out);
    }
    if let Some(behind) = rest.strip_prefix('.') {
        (out.patch, rest) = decimal(behind)?;
        return rest.is_empty().then_some(out);
    }
    let behind = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
    out.kind = &rest[..rest.len() - behind.len()];
    if out.kind.is_empty() || behind.is_empty() {
        return (!out.kind.is_empty()).then_some(out);
    }
    (out.pre, rest) = decimal(behind)?;
    rest.is_empty().then_some(out)
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
