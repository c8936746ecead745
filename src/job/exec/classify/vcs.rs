//! What git, ssh and curl say when go fetches direct.

use super::super::class::Class;

/// What a line of a version control's complaint within one of go's statements says.
pub(super) fn of(_part: &str) -> Option<Class> {
    None
}
