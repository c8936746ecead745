//! Checks vendor/ against the verified modules, keeps it in git, and rolls it back.
//!
//! ```text
//! check:    gather (I/O) → VendorFacts → judge (pure) → VendorReport
//! snapshot: check, compare with HEAD and the index → an annotated tag
//! rollback: write a snapshot out beside vendor/ → check it → swap by renames, with a journal
//! ```
//!
//! May import: everything below.

mod check;
mod copied;
mod error;
mod gather;
mod git;
mod go_file;
mod journal;
mod project;
mod repo;
mod report;
mod rollback;
mod snapshot;

pub use check::check;
pub use error::Error;
pub use gather::Shelves;
pub use project::VendorProject;
pub use repo::Repo;
pub use report::{ProjectKind, VendorCode, VendorFinding, VendorReport, Weight};
pub use rollback::{Recovered, RolledBack, recover, rollback};
pub use snapshot::{KeptSnapshot, NewSnapshot, SnapshotList, SnapshotRequest, list, snapshot};
