//! vendor/ as a step of its own: is it what the verified modules hold, and the way back to one
//! that was.
//!
//! ```text
//! check:    gather (I/O) → Facts → judge (pure) → Report
//! snapshot: check, compare with HEAD and the index → an annotated tag
//! rollback: write a snapshot out beside vendor/ → check it → swap by renames, with a journal
//! ```
//!
//! May import: everything below.

mod check;
mod commit;
mod consistency;
mod constraint;
mod copied;
mod embed;
mod error;
mod facts;
mod filters;
mod finding;
mod gather;
mod git;
mod journal;
mod judge;
mod list;
mod listing;
mod present;
mod project;
mod repo;
mod rollback;
mod shelves;
mod snapshot;
mod stage;
mod swap;

pub use check::{Report, check};
pub use error::Error;
pub use facts::Kind;
pub use finding::{Code, Finding, Weight};
pub use list::{Kept, Listed, list};
pub use project::Project;
pub use repo::Repo;
pub use rollback::{Recovered, RolledBack, recover, rollback};
pub use shelves::Shelves;
pub use snapshot::{Made, Wanted, snapshot};
