//! Which variables a shell's start-up files export. Reads them as the shell would, and
//! carries nothing out: what hangs on a condition that cannot be told is a "may".
//!
//! ```text
//! text → posix, fish = tree → evaluate (Files for `source` and `[ -f … ]`) → exports
//! ```

mod builtin;
mod call;
mod cursor;
mod evaluate;
mod expand;
mod export;
mod fish;
mod posix;
mod redirect;
mod start;
mod tree;
mod universal;
mod variable;
mod word;

// Their files are named as Unix names files.
#[cfg(test)]
#[cfg(unix)]
mod odd_tests;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub(super) use evaluate::Startup;
pub(super) use export::Export;
pub(super) use start::starts;
pub(super) use universal::universal;

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
