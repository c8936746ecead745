//! Where in the text the parts of a policy stand: what the checks of the whole point at.

use std::collections::BTreeMap;
use std::ops::Range;

/// The places of a policy's parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// The name of each target.
    pub targets: BTreeMap<String, Range<usize>>,
    /// Each profile, in the order of the policy's.
    pub profiles: Vec<ProfilePlace>,
}

/// The places of a profile's parts.
#[derive(Debug, Clone, Default)]
pub(super) struct ProfilePlace {
    /// Its name, or its header.
    pub name: Range<usize>,
    /// Its condition.
    pub when: Option<Range<usize>>,
    /// Was the condition understood, and every target in it?
    pub when_understood: bool,
    /// `accept_unauthenticated`.
    pub accept: Option<Range<usize>>,
    /// The value of each variable.
    pub env: BTreeMap<String, Range<usize>>,
}

/// The place of a part of a string: `at` is a byte offset and a length within `value`, `span`
/// the place of the whole with its quotes. The whole where escapes make the two differ.
pub(super) fn part(
    text: &str,
    value: &str,
    span: &Range<usize>,
    at: (usize, usize),
) -> Range<usize> {
    for quote in [1, 3] {
        let start = span.start.saturating_add(quote);
        let end = start.saturating_add(value.len());
        if text.get(start..end) == Some(value) && end.saturating_add(quote) == span.end {
            let from = start.saturating_add(at.0);
            return from..from.saturating_add(at.1).min(end);
        }
    }
    span.clone()
}
