//! What a module's `list` and `@latest` say. Pure.
//!
//! go asks `@latest` only where `list` holds no version that suits
//! (`modfetch.proxyRepo.Latest`, `modload.queryProxy`), so a pin has to show in both.

use crate::gomod::semver::{compare, is_prerelease, is_pseudo};

/// What `list` holds: releases and prereleases in order (`go help goproxy`). With a pin nothing
/// that go would choose in its place: what is higher is there for who names it, but is not told.
pub fn listed<'v>(versions: &'v [String], pinned: Option<&str>) -> Vec<&'v str> {
    let mut listed: Vec<&str> = versions
        .iter()
        .map(String::as_str)
        .filter(|version| !is_pseudo(version))
        .collect();
    listed.sort_by(|a, b| compare(a, b).then_with(|| a.cmp(b)));
    let Some(pinned) = pinned.filter(|pinned| versions.iter().any(|one| one == pinned)) else {
        return listed;
    };
    listed.retain(|version| compare(version, pinned).is_le());
    if chosen(&listed) != Some(pinned) {
        listed.retain(|version| *version == pinned);
    }
    listed
}

/// What `@latest` says: the pinned version, else the highest release, else the highest
/// prerelease, else the newest version made from a commit.
pub fn latest<'v>(versions: &'v [String], pinned: Option<&str>) -> Option<&'v str> {
    let all: Vec<&str> = versions.iter().map(String::as_str).collect();
    if let Some(pinned) = all.iter().find(|version| Some(**version) == pinned) {
        return Some(pinned);
    }
    chosen(&all).or_else(|| all.into_iter().max_by_key(|version| commit_time(version)))
}

/// What go takes for `latest` out of a list (`modload.queryProxy`): a release before a
/// prerelease, and one that has a go.mod (not `+incompatible`) before one that has none.
fn chosen<'v>(versions: &[&'v str]) -> Option<&'v str> {
    let rank = |version: &str| (!is_prerelease(version), !version.ends_with("+incompatible"));
    versions
        .iter()
        .copied()
        .filter(|version| !is_pseudo(version))
        .max_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| compare(a, b)))
}

/// The fourteen digits of a pseudo-version.
fn commit_time(version: &str) -> &str {
    let core = version.split('+').next().unwrap_or_default();
    let rest = core.rsplit_once('-').map_or("", |(rest, _)| rest);
    rest.get(rest.len().saturating_sub(14)..)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(versions: &[&str]) -> Vec<String> {
        versions
            .iter()
            .map(|version| (*version).to_owned())
            .collect()
    }

    const OLD: &str = "v1.9.9-0.20200102150405-abcdefabcdef";
    const NEW: &str = "v0.0.0-20240102150405-abcdefabcdef";

    #[test]
    fn the_list_is_in_order_and_has_nothing_made_from_a_commit() {
        let versions = all(&["v1.10.0", "v1.2.0", "v1.2.0-rc.1", NEW]);
        assert_eq!(
            listed(&versions, None),
            ["v1.2.0-rc.1", "v1.2.0", "v1.10.0"]
        );
        assert_eq!(listed(&all(&[NEW]), None), [""; 0]);
    }

    #[test]
    fn latest_is_a_release_before_a_prerelease_before_a_commit() {
        for (versions, want) in [
            (all(&["v1.2.0", "v1.10.0", "v2.0.0-rc.1", OLD]), "v1.10.0"),
            (all(&["v1.0.0-rc.1", "v1.0.0-rc.2", OLD]), "v1.0.0-rc.2"),
            (all(&[OLD, NEW]), NEW),
            (all(&["v1.2.0", "v4.0.0+incompatible"]), "v1.2.0"),
            (
                all(&["v3.0.0+incompatible", "v4.0.0+incompatible"]),
                "v4.0.0+incompatible",
            ),
        ] {
            assert_eq!(latest(&versions, None), Some(want));
        }
        assert_eq!(latest(&[], None), None);
    }

    #[test]
    fn a_pin_is_what_go_would_choose_too() {
        let versions = all(&["v1.0.0", "v1.1.0-rc.1", "v1.1.0", "v1.2.0", NEW]);
        for (pin, list) in [
            ("v1.1.0", vec!["v1.0.0", "v1.1.0-rc.1", "v1.1.0"]),
            ("v1.1.0-rc.1", vec!["v1.1.0-rc.1"]),
            (NEW, vec![]),
        ] {
            assert_eq!(latest(&versions, Some(pin)), Some(pin));
            assert_eq!(listed(&versions, Some(pin)), list, "{pin}");
        }
        // A version that is gone pins nothing.
        assert_eq!(latest(&versions, Some("v9.0.0")), Some("v1.2.0"));
        assert_eq!(listed(&versions, Some("v9.0.0")).len(), 4);
    }
}
