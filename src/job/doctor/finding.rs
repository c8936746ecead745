//! What the doctor found.

use serde::Serialize;

/// How bad it is; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What goroam sets does not count.
    Error,
    /// It may not count, or not for long.
    Warning,
    /// Good to know.
    Note,
}

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A word for scripts: `shadowed-by-shell`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where: a file with its line, a process, a registry value.
    pub place: Option<String>,
    /// What is so, in one sentence.
    pub says: String,
    /// What to do about it.
    pub mend: String,
}
