//! What a check of the policy found: one value for each error and warning, with the place in
//! the text. Rendering is the command line's business.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::model::mask;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy is not used.
    Error,
    /// The policy is used, but probably does not do what was meant.
    Warning,
    /// Worth knowing; nothing has to change.
    Note,
}

/// A place in the text, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Byte range in the policy's text.
    pub span: Range<usize>,
    /// What is to be said there; may be empty.
    pub text: String,
}

/// One error, warning or note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyFinding {
    /// A stable, kebab-case name: `unknown-key`, `loosens-unproven`, `leak-pipe`, ….
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The place that is wrong; `None` where the fault is that something is missing.
    pub primary: Option<Label>,
    /// Other places that belong to it.
    pub related: Vec<Label>,
    /// How to mend it.
    pub help: Option<String>,
}

impl PolicyFinding {
    /// An error without a place, or with one that is named later.
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

    /// An error at a place.
    pub fn error(
        code: &'static str,
        message: impl Into<String>,
        span: Range<usize>,
    ) -> PolicyFinding {
        PolicyFinding::fault(code, message).at((span.start, span.len()))
    }

    /// A warning at a place.
    pub fn warning(
        code: &'static str,
        message: impl Into<String>,
        span: Range<usize>,
    ) -> PolicyFinding {
        PolicyFinding::error(code, message, span).mild()
    }

    /// A note at a place.
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

    /// Where the file lies, others may put another one in its place.
    pub fn replaceable(why: &str) -> PolicyFinding {
        let message = format!("no agent would follow this file here: {why}");
        PolicyFinding::note("replaceable", message, 0..0)
    }

    /// Hides the credentials of every URL in its words: a URL may stand where a name belongs.
    pub(crate) fn without_credentials(mut self) -> PolicyFinding {
        self.message = mask(&self.message);
        self.help = self.help.as_deref().map(mask);
        for label in self.primary.iter_mut().chain(&mut self.related) {
            label.text = mask(&label.text);
        }
        self
    }

    /// Its place: byte offset and length.
    #[must_use]
    pub(super) fn at(mut self, (start, length): (usize, usize)) -> PolicyFinding {
        self.primary = Some(Label {
            span: start..start + length,
            text: String::new(),
        });
        self
    }

    /// A warning: it is allowed, but does not do what it looks like.
    #[must_use]
    pub(super) fn mild(mut self) -> PolicyFinding {
        self.severity = Severity::Warning;
        self
    }

    /// What is to be said right at the place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> PolicyFinding {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Another place that belongs to it.
    #[must_use]
    pub fn related(mut self, span: Range<usize>, text: impl Into<String>) -> PolicyFinding {
        self.related.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// How to mend it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> PolicyFinding {
        self.help = Some(text.into());
        self
    }
}

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

/// Text of others as messages show it: bounded, without credentials (a URL may stand where a name
/// belongs), and without what could steer a terminal.
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

/// The same in backquotes.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}

/// Longer words are not compared: the distance costs the product of the lengths.
const LONGEST: usize = 64;

/// The known word that is nearest to `word`, if one is near enough to be meant.
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
