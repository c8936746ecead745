//! The faces: arguments in, text or JSON out, exit codes. One file a verb, one file a thing
//! that is rendered. Rendering is pure (a value and a page in, text out), so that whole
//! answers can be compared in tests.
//!
//! ```text
//! args → run → verb → (ipc or agent::Session) → render → output
//! ```
//!
//! May import: everything.

#[macro_use]
pub mod args;
mod context;
mod failure;
mod render;
mod run;
mod terminal;
mod verb;

pub use run::run;
