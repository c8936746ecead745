//! Which variables a shell's start-up files export. Reads them line by line, and carries
//! nothing out: what hangs on a condition that cannot be told is a "may".
//!
//! ```text
//! text → cursor = words → command → blocks (is it carried out?) → startup → variables
//! ```

mod blocks;
mod command;
mod condition;
mod cursor;
mod start;
mod startup;
mod universal;
mod variables;
mod word;

// Their files are named as Unix names files.
#[cfg(test)]
#[cfg(unix)]
mod odd_tests;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub(super) use start::starts;
pub(super) use startup::Startup;
pub(super) use universal::universal;
pub(super) use variables::Export;

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
