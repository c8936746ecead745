//! What one of go's statements says.

use super::super::class::Class;

/// One statement of go's that says what failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) class: Class,
    /// The whole statement, its first line with its prefix.
    pub(super) text: String,
    pub(super) url: Option<String>,
    pub(super) module: Option<String>,
    pub(super) version: Option<String>,
}
