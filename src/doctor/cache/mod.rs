//! Finds broken entries in the module cache, and removes them.
//!
//! After a captive portal a login page may be stored as a module's go.mod, after a crash a file
//! may hold zeros. go then fails on every network until the user deletes the right file, or the
//! whole cache (golang/go#43313).
//!
//! ```text
//! the tree of a mirror → judge: what the files hold against the records → Broken
//!   → mend: take go's lock, check again, rename, delete
//! ```
//!
//! Everything that is reported is proven bad: go cannot parse it, or its hash contradicts the
//! checksum database or go.sum. A good entry is never removed: a file is renamed first, and
//! renamed back if it is not the one that was judged.

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
pub(super) use mend::mend_one;
pub use place::CacheError;
pub use report::{Broken, CacheReport, Outcome, Piece};
