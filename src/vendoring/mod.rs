//! Checks vendor/ against the verified modules, keeps it in git, and rolls it back.
//!
//! ```text
//! check:    gather (I/O) → Facts → judge (pure) → Report
//! snapshot: check, compare with HEAD and the index → an annotated tag
//! rollback: write a snapshot out beside vendor/ → check it → swap by renames, with a journal
//! ```
//!
//! May import: everything below.

mod check;
mod consistency;
mod copied;
mod error;
mod facts;
mod git;
mod go_file;
mod journal;
mod judge;
mod present;
mod project;
mod repo;
mod report;
mod rollback;
mod snapshot;
mod swap;

pub use check::{Shelves, check};
pub use error::Error;
pub use facts::ProjectKind;
pub use project::VendorProject;
pub use repo::Repo;
pub use report::{VendorCode, VendorFinding, VendorReport, Weight};
pub use rollback::{Recovered, RolledBack, recover, rollback};
pub use snapshot::{KeptSnapshot, NewSnapshot, SnapshotList, SnapshotRequest, list, snapshot};
