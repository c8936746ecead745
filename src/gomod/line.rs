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
