//! One version of one module.

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
    fn partial_cmp(&self, other: &ModuleVersion) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ModuleVersion {
    fn cmp(&self, other: &ModuleVersion) -> std::cmp::Ordering {
        let by_version = || super::semver::compare(&self.version, &other.version);
        self.path
            .cmp(&other.path)
            .then_with(by_version)
            // Two spellings that go takes for equal (`v1.0.0+a`, `v1.0.0+b`) are two all the same.
            .then_with(|| self.version.cmp(&other.version))
    }
}
