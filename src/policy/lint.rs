//! Findings about values that parse, but do not do what they look like.

use super::finding::Finding;
use super::places::Places;
use super::profile::Policy;

/// Looks the whole policy over.
pub(super) fn lint(policy: &Policy, places: &Places, text: &str) -> Vec<Finding> {
    let _ = (policy, places, text);
    Vec::new()
}
