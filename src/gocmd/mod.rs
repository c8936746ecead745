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
pub mod command;
mod commit;
mod copy;
pub mod envfile;
pub mod failure;
pub mod find;
mod in_place;
pub mod job;
#[cfg(windows)]
mod job_object;
mod lines;
mod places;
mod real;
pub(crate) mod rename;
pub mod restore;
pub mod run;
pub mod shadow;
mod swap;
#[cfg(target_os = "linux")]
mod tied;
pub mod trial;
pub mod version;

pub use crate::model::EnvText;
pub use apply::{Applied, Prepared, prepare};
pub use command::GoCommand;
pub use envfile::{EnvFile, LocateError};
pub use failure::ApplyError;
pub use find::FindError;
pub use in_place::InPlace;
#[cfg(windows)]
pub use job_object::JobObject;
pub use places::candidates;
pub use restore::{RestoreError, restore};
pub use shadow::shadows;
#[cfg(target_os = "linux")]
pub use tied::end_with_us;
pub use trial::{Errand, Trial};
pub use version::GoVersion;
