//! What a fleet's policy says of itself.

use jiff::Timestamp;

/// `[policy]`: what a policy says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyHeader {
    /// The name of the policy. It never changes.
    pub id: Option<String>,
    /// It only grows.
    pub version: Option<u64>,
    /// When it was signed.
    pub issued: Option<Timestamp>,
    /// Until when it is kept up to date; after that, each machine warns.
    pub expires: Option<Timestamp>,
    /// The oldest goroam that understands it.
    pub min_goroam: Option<Release>,
    /// The numbers of keys that no longer count.
    pub retire_keys: Vec<String>,
    /// Which machines apply it.
    pub rollout: Option<Rollout>,
}

/// `[policy.rollout]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The share of the machines.
    pub percent: u32,
    /// Decides which machines: another text, other machines.
    pub salt: String,
    /// What the other machines apply.
    pub previous: Option<PreviousVersion>,
}

/// The version before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousVersion {
    /// Its version.
    pub version: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
}

/// A version of goroam: up to three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release([u32; 3]);

impl Release {
    /// Reads `0.9` or `1.2.3`; what follows a `-` or `+` does not count.
    pub fn parse(text: &str) -> Option<Release> {
        let mut parts = [0; 3];
        let numbers = text.split(['-', '+']).next()?.split('.');
        for (i, number) in numbers.enumerate() {
            *parts.get_mut(i)? = number.parse().ok()?;
        }
        Some(Release(parts))
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn releases_are_compared_as_numbers() {
        let release = |text| Release::parse(text).unwrap();
        assert!(release("0.10") > release("0.9.9"));
        assert_eq!(release("1.2.0"), release("1.2-rc1"));
        for wrong in ["", "1.", "a", "1.2.3.4", "-1"] {
            assert_eq!(Release::parse(wrong), None, "{wrong}");
        }
    }
}
