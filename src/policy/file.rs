//! From TOML text to a checked [`Policy`], with every fault found in one run.

use std::path::Path;

use super::finding::Finding;
use super::profile::Policy;

/// Where the text stands: what relative paths and `~` in it mean.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The folder of the policy file.
    pub folder: &'a Path,
    /// The user's home.
    pub home: Option<&'a Path>,
}

/// What came of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The policy, when no finding is an error.
    pub policy: Option<Policy>,
    /// Errors and warnings, in the order of the text.
    pub findings: Vec<Finding>,
}

/// Reads a policy.
pub fn parse(text: &str, place: Place<'_>) -> Parsed {
    let _ = (text, place);
    Parsed {
        policy: None,
        findings: Vec::new(),
    }
}
/// stub
pub fn nearest<'a>(_: &str, _: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    None
}
