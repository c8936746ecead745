//! What goroam itself does about a finding.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

/// Something that goroam does about a finding, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What kind it is.
    pub kind: FixKind,
    /// The variables, or the module's version.
    pub names: Vec<String>,
    /// `~/.bashrc:12`, `the systemd user manager`, a file in the module cache.
    pub place: String,
    /// Lines that go (`- `) and come (`+ `), commands that are run (`$ `); credentials are hidden.
    pub changes: Vec<String>,
    /// The outcome.
    pub outcome: FixOutcome,
    /// Why it is not done.
    pub because: Option<String>,
    #[serde(skip)]
    pub(super) target: Target,
}

/// What kind of fix it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixKind {
    /// Comments a line of a start-up file out.
    CommentOut,
    /// Removes a variable from the environment that systemd or launchd passes on.
    UnsetInManager,
    /// Removes a broken entry from the module cache.
    RemoveFromCache,
}

/// What became of a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FixOutcome {
    /// It can be done.
    Planned,
    /// It was done.
    Done,
    /// It is left to the user.
    Kept,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Line {
        path: PathBuf,
        line: usize,
        text: String,
        /// The shells that read the file.
        shells: BTreeSet<&'static str>,
    },
    Variable(String),
    /// An entry of the report, by its position.
    Cache(usize),
}

impl Fix {
    pub(super) fn new(kind: FixKind, names: Vec<String>, place: String, target: Target) -> Fix {
        Fix {
            kind,
            names,
            place,
            changes: Vec::new(),
            outcome: FixOutcome::Planned,
            because: None,
            target,
        }
    }

    pub(super) fn keep(&mut self, why: impl Into<String>) {
        self.outcome = FixOutcome::Kept;
        self.because = Some(why.into());
    }
}
