//! Where in a file something stands.

/// A value and the line that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// What is written.
    pub value: T,
    /// Its line's number, from 1.
    pub line: usize,
}

/// What go refuses a file for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Fault {
    /// The line's number, from 1.
    pub line: usize,
    /// Why, in go's words.
    pub message: String,
}

impl Fault {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Fault {
        Fault {
            line,
            message: message.into(),
        }
    }
}

/// What git leaves of a conflict.
pub fn is_conflict_marker(line: &str) -> bool {
    let marks = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];
    marks.iter().any(|mark| line.starts_with(mark))
}

/// What any go refuses a go.mod or go.work for, in the order of the lines: its faults, and git's
/// marks among the directives that are not known. Others of these may be a newer go's.
pub fn refusals(faults: &[Fault], unknown: &[At<String>]) -> Vec<Fault> {
    let marks = unknown
        .iter()
        .filter(|verb| is_conflict_marker(&verb.value));
    let marks = marks.map(|verb| {
        let message = format!("unknown directive: {}", verb.value);
        Fault::new(verb.line, message)
    });
    let mut all: Vec<Fault> = faults.iter().cloned().chain(marks).collect();
    all.sort_by_key(|fault| fault.line);
    all
}
