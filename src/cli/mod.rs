//! The command line: arguments in, text or JSON out, exit codes. One file for each verb, and one
//! for each thing that is rendered. Rendering is pure (a value and a page in, text out), so that
//! tests can compare whole outputs.
//!
//! ```text
//! args → run → verb → (ipc or agent::Session) → render → output
//! ```
//!
//! May import: everything.

#[macro_use]
pub mod args;
mod complete;
mod context;
mod failure;
mod instead;
mod render;
mod run;
mod scenarios;
pub mod shell;
mod terminal;
mod verb;

pub(in crate::cli) use context::{Context, Output};
pub(in crate::cli) use failure::Failure;
pub use run::run;
