//! The poison guard: what lies broken in the module cache, and how it is removed.
//!
//! After a captive portal a login page may be kept as a module's go.mod, after a crash a file
//! may hold zeros; go then fails on every network until somebody deletes the right file, or all
//! of them (golang/go#43313).
//!
//! ```text
//! the tree of a mirror → judge: what the files hold against the records → Broken
//!   → mend: the lock that go uses, a second look, aside, gone
//! ```
//!
//! What is named is proven bad: it has no form that go could read, or its hash is not what the
//! checksum database or go.sum says. A good entry is never removed: a file is moved aside
//! first and put back where it is another one than was judged.

mod examine;
mod judge;
mod lock;
mod mend;
mod place;
mod records;
mod report;
mod sumdb;

pub use examine::{CacheWish, examine_cache};
pub use mend::mend_cache;
pub use place::CacheError;
pub use report::{Broken, CacheReport, Outcome, Piece};
