//! Which variables a shell's start-up files export. Reads them line by line, and carries
//! nothing out: what hangs on a condition that cannot be told is a "may".
//!
//! ```text
//! text → cursor = words → command → blocks (is it carried out?) → startup → variables
//! ```

mod blocks;
mod cursor;
mod start;
mod startup;
mod word;

// Their files are named as Unix names files.
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub(super) use start::{starts, universal};
pub(super) use startup::Startup;
pub(super) use word::Export;

/// Whose files they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// dash, and whatever a desktop's login runs.
    Sh,
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}
