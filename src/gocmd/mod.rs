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
pub mod job;
mod lines;
pub(crate) mod rename;
pub mod run;
mod swap;
#[cfg(any(target_os = "linux", windows))]
mod tied;
pub mod trial;

pub use crate::model::EnvText;
pub use apply::{Applied, Prepared, RestoreError, prepare, restore};
pub use envfile::{EnvFile, LocateError, shadows};
pub use failure::{ApplyError, InPlace};
pub use find::{FindError, candidates};
pub use run::{GoCommand, GoVersion};
#[cfg(windows)]
pub use tied::JobObject;
#[cfg(target_os = "linux")]
pub use tied::end_with_us;
pub use trial::{Errand, Trial};
