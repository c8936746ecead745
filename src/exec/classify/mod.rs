//! Judges a run by its output. Exit codes do not help: a dead network, a wrong
//! checksum and a compile error are all 1. Pure: text in, value out.
//!
//! ```text
//! stderr → lines that go itself wrote (`own`) → its statements → request, context, words → Class
//! ```
//!
//! Only go's own statements count (`form`); a test, a linter or a program that prints
//! "connection refused" is `code`.
mod blame;
mod form;
mod json;
mod outcome;
mod own;
mod statement;
mod sums;
mod words;

pub use json::JsonWords;
pub(super) use json::{JsonLines, next_line};
pub use outcome::{
    Blame, BlameReason, Blamed, Class, Classified, CommandOutput, Exit, MismatchHashes,
};
pub use statement::classify;
pub(super) use words::of_cause;
