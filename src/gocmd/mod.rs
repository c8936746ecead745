//! The only room that runs the go command or touches the go env file.
//!
//! ```text
//! find → GoCommand;  locate → the go env file;  prepare(plan) → commit → Applied
//! ```
//!
//! go itself writes the file in place: it truncates, then writes, without a lock. In between, a
//! reader sees an empty file, and of two writers one loses its changes. So goroam runs go on a copy
//! beside the file, and replaces the file with the copy in one step; afterwards it checks what
//! another writer did meanwhile, and merges it. A file that a copy cannot replace without a loss
//! (hard links, a mount point, another user's group or directory) is written in place.
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
pub use envfile::{EnvFile, GoDirectories, LocateError, shadows};
pub use failure::{ApplyError, InPlace};
pub use find::{FindError, candidates};
pub use run::{GoCommand, GoVersion};
#[cfg(windows)]
pub use tied::JobObject;
#[cfg(target_os = "linux")]
pub use tied::end_with_us;
pub use trial::{Errand, Trial};
