//! What others may watch of goroam: each turn as a trace, and metrics. Both are made of what a turn
//! has measured already (`trace`, `metrics`, pure), wait in a file of limited size (`queue`), and go to
//! the policy's collector after a turn (`note`, `export`). No timer runs for it.
//!
//! May import: the rest of this room.

mod export;
mod metrics;
mod note;
mod queue;
mod trace;

pub(crate) use export::{Exported, Health, Sending};
