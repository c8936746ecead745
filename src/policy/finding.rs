//! What a check of the policy found: one value for each error and warning, with the place in
//! the text. Rendering is the command line's business.

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
pub struct Finding {
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

impl Finding {
    /// An error at a place.
    pub fn error(code: &'static str, message: impl Into<String>, span: Range<usize>) -> Finding {
        Finding::new(code, Severity::Error, message.into(), span)
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, message: impl Into<String>, span: Range<usize>) -> Finding {
        Finding::new(code, Severity::Warning, message.into(), span)
    }

    /// A note at a place.
    pub fn note(code: &'static str, message: impl Into<String>, span: Range<usize>) -> Finding {
        Finding::new(code, Severity::Note, message.into(), span)
    }

    /// Where the file lies, others may put another one in its place.
    pub fn replaceable(why: &str) -> Finding {
        let message = format!("no agent would follow this file here: {why}");
        Finding::note("replaceable", message, 0..0)
    }

    /// Hides the credentials of every URL in its words: a URL may stand where a name belongs.
    pub(crate) fn without_credentials(mut self) -> Finding {
        self.message = mask(&self.message);
        self.help = self.help.as_deref().map(mask);
        for label in self.primary.iter_mut().chain(&mut self.related) {
            label.text = mask(&label.text);
        }
        self
    }

    fn new(code: &'static str, severity: Severity, message: String, span: Range<usize>) -> Finding {
        let primary = Some(Label {
            span,
            text: String::new(),
        });
        Finding {
            code,
            severity,
            message,
            primary,
            related: Vec::new(),
            help: None,
        }
    }

    /// What is to be said right at the place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Finding {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Another place that belongs to it.
    #[must_use]
    pub fn related(mut self, span: Range<usize>, text: impl Into<String>) -> Finding {
        self.related.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// How to mend it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Finding {
        self.help = Some(text.into());
        self
    }
}
