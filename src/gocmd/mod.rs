//! The hands: the only room that runs the go command or touches the go env file.
//!
//! ```text
//! find → GoCommand;  locate → the go env file;  prepare(plan) → commit → Applied
//! ```
//!
//! go itself writes the file in place: truncate, then write, without a lock. A reader sees an
//! empty file in between, and of two writers one loses. So go is run on a copy beside the
//! file, and the copy takes the file's place in one step; what another writer did meanwhile
//! is looked for afterwards and merged. A file that a copy cannot replace without taking
//! something away from it (hard links, a mount point, another user's group or directory) is
//! written in place.
//!
//! May import: model, environment, bounded.

pub mod apply;
mod attributes;
mod copy;
pub mod envfile;
pub mod failure;
pub mod find;
mod in_place;
pub mod job;
#[cfg(windows)]
mod job_object;
mod lines;
pub(crate) mod rename;
pub mod run;
mod swap;
#[cfg(target_os = "linux")]
mod tied;
pub mod trial;
pub mod version;

pub use crate::model::EnvText;
pub use apply::{Applied, Prepared, prepare};
pub use apply::{RestoreError, restore};
pub use envfile::shadows;
pub use envfile::{EnvFile, LocateError};
pub use failure::ApplyError;
pub use find::FindError;
pub use find::candidates;
pub use in_place::InPlace;
#[cfg(windows)]
pub use job_object::JobObject;
#[cfg(target_os = "linux")]
pub use tied::end_with_us;
pub use trial::{Errand, Trial};
pub use version::GoCommand;
pub use version::GoVersion;
