//! Data that outlives the process: the baseline, the memory, the journal. Every file is private to
//! the user and replaced atomically or appended line by line, so that a kill at any byte loses at
//! most the line being written.
//!
//! May import: model, policy.

pub mod counts;
pub mod entry;
pub mod file;
pub mod journal;
pub mod memory;

pub use counts::Counts;
pub use entry::Entry;
pub use journal::{Anchor, Journal, JournalError, Mark};
pub use memory::{Baseline, Health, Memory};
