//! Fixes what can be fixed without doubt: a line of a start-up file that does nothing but set
//! variables which hide goroam's, a variable in systemd's or launchd's environment, a broken entry
//! in the module cache.
//!
//! ```text
//! findings → plan (pure) → Fix → prepare (reads files, asks shells) → Prepared
//!   → carry_out: undo record, then the files, then the manager → undo
//! ```
//!
//! A start-up file changes only if it is the user's own, in the home directory, and if every shell
//! that accepted it before still does (`-n`).

mod carry_out;
mod plan;
mod prepare;
mod step;

pub use carry_out::{UndoError, Undone, carry_out, undo};
pub use plan::{assign, plan_cache};
pub use prepare::{Prepared, prepare};
