//! The findings of a check of the policy: one value for each error and warning, with the place in
//! the text. The command line renders them.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::model::mask;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy is not used.
    Error,
    /// The policy is used, but probably does not do what the user meant.
    Warning,
    /// Worth knowing; no change is necessary.
    Note,
}

/// A place in the text, and a remark about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Byte range in the policy's text.
    pub span: Range<usize>,
    /// The remark; may be empty.
    pub text: String,
}

/// One error, warning or note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyFinding {
    /// A stable, kebab-case name: `unknown-key`, `loosens-unproven`, `leak-pipe`, ….
    pub code: &'static str,
    /// The severity.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The place that is wrong; `None` if the fault is that something is missing.
    pub primary: Option<Label>,
    /// Other places that are involved.
    pub related: Vec<Label>,
    /// How to fix it.
    pub help: Option<String>,
}

impl PolicyFinding {
    /// Reports whether it refuses the policy.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Creates an error without a place, or with a place that is added later.
    pub fn fault(code: &'static str, message: impl Into<String>) -> PolicyFinding {
        PolicyFinding {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// Creates an error at a place.
    pub fn error(
        code: &'static str,
        message: impl Into<String>,
        span: Range<usize>,
    ) -> PolicyFinding {
        PolicyFinding::fault(code, message).at((span.start, span.len()))
    }

    /// Creates a warning at a place.
    pub fn warning(
        code: &'static str,
        message: impl Into<String>,
        span: Range<usize>,
    ) -> PolicyFinding {
        PolicyFinding::error(code, message, span).mild()
    }

    /// Creates a note at a place.
    pub fn note(
        code: &'static str,
        message: impl Into<String>,
        span: Range<usize>,
    ) -> PolicyFinding {
        let severity = Severity::Note;
        PolicyFinding {
            severity,
            ..PolicyFinding::error(code, message, span)
        }
    }

    /// Creates the warning that other users can replace the file at its location.
    pub fn replaceable(why: &str) -> PolicyFinding {
        let message = format!("no agent would follow this file here: {why}");
        PolicyFinding::note("replaceable", message, 0..0)
    }

    /// Hides the credentials of every URL in its text: a user may have written a URL instead of a
    /// name.
    pub(crate) fn without_credentials(mut self) -> PolicyFinding {
        self.message = mask(&self.message);
        self.help = self.help.as_deref().map(mask);
        for label in self.primary.iter_mut().chain(&mut self.related) {
            label.text = mask(&label.text);
        }
        self
    }

    /// Sets its place: byte offset and length.
    #[must_use]
    pub(super) fn at(mut self, (start, length): (usize, usize)) -> PolicyFinding {
        self.primary = Some(Label {
            span: start..start + length,
            text: String::new(),
        });
        self
    }

    /// Turns it into a warning: the value is allowed, but does not do what it seems to do.
    #[must_use]
    pub(super) fn mild(mut self) -> PolicyFinding {
        self.severity = Severity::Warning;
        self
    }

    /// Sets the remark that is shown at the place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> PolicyFinding {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Adds another place that is involved.
    #[must_use]
    pub fn related(mut self, span: Range<usize>, text: impl Into<String>) -> PolicyFinding {
        self.related.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Sets the advice on how to fix it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> PolicyFinding {
        self.help = Some(text.into());
        self
    }
}

/// The places of a policy's parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The value of each key of `[agent]`, `[mirror]`, `[probe]` and `[relay]`: `agent.recheck`.
    pub settings: BTreeMap<String, Range<usize>>,
    /// The name of each target.
    pub targets: BTreeMap<String, Range<usize>>,
    /// Each profile, in the order of the policy.
    pub profiles: Vec<ProfilePlace>,
    /// Each project, in the order of the policy; its name is where it holds.
    pub projects: Vec<ProfilePlace>,
}

/// The places of a profile's parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfilePlace {
    /// Its name, or its header.
    pub name: Range<usize>,
    /// Its condition.
    pub when: Option<Range<usize>>,
    /// Whether the condition, and every target in it, was understood.
    pub when_understood: bool,
    /// `accept_unauthenticated`.
    pub accept: Option<Range<usize>>,
    /// The value of each variable.
    pub env: BTreeMap<String, Range<usize>>,
}

/// Returns the place of a part of a string: `at` is a byte offset and a length within `value`,
/// `span` the place of the whole string with its quotes. If escapes make the two differ, it returns
/// `span`.
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

/// Returns text of others as messages show it: bounded, without credentials (a user may have
/// written a URL instead of a name), and without characters that could control a terminal.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let masked = mask(text);
    let mut shown = String::new();
    for c in masked.chars().take(MOST) {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if masked.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// Returns the same in backquotes.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}

/// Longer words are not compared: the cost of the distance is the product of the lengths.
const LONGEST: usize = 64;

/// Returns the known word that is nearest to `word`, if it is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let folded = word.to_lowercase().replace('-', "_");
    let best = known
        .filter(|known| known.len() <= LONGEST)
        .map(|known| {
            let other = known.to_lowercase().replace('-', "_");
            (strsim::damerau_levenshtein(&folded, &other), known)
        })
        .min_by_key(|(distance, _)| *distance)?;
    let length = word.chars().count();
    (best.0 <= (length / 3).clamp(1, 3)).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_mended_and_a_stranger_is_not() {
        let known = ["goproxy", "sumdb", "first_byte", "all", "any"];
        for (word, want) in [
            ("gopoxy", Some("goproxy")),
            ("GoProxy", Some("goproxy")),
            ("first-byte", Some("first_byte")),
            ("sumbd", Some("sumdb")),
            ("al", Some("all")),
            ("wifi", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), want, "{word}");
        }
        assert_eq!(nearest(&"goproxy".repeat(100), known.into_iter()), None);
    }
}
