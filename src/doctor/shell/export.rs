//! A variable that a start-up file leaves behind.

use std::path::PathBuf;

/// A variable that a shell exports, and the line that sets it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Export {
    pub(crate) name: String,
    /// `None`: known only when it runs.
    pub(crate) value: Option<String>,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    /// No condition that could not be told.
    pub(crate) certain: bool,
}
