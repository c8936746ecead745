//! The poison guard: what lies broken in the module cache, and how it is taken out.
//!
//! After a captive portal a login page may be kept as a module's go.mod, after a crash a file
//! may hold zeros; go then fails on every network until somebody deletes the right file, or all
//! of them (golang/go#43313).
//!
//! ```text
//! walk (I/O) → look at each version: form and records → Broken → mend: the lock go uses,
//! a second look, aside, gone
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
mod stamp;
mod sumdb;
mod sumfile;
mod tree;
mod walk;

pub use examine::{CacheWish, examine_cache};
pub use mend::mend_cache;
pub use place::CacheError;
pub use report::{Broken, CacheReport, Outcome};
pub use stamp::Piece;

/// The folder of the module cache that is a proxy as it stands, by go's rules; `None`: it cannot
/// be told.
pub(super) fn download_folder(env: &crate::environment::Environment) -> Option<std::path::PathBuf> {
    place::Place::find(env).ok().map(|place| place.download)
}
