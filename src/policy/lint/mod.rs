//! Findings about values that parse, but do not do what they look like.
//!
//! May import: model, and the rest of this room.

mod chain;
mod offline;
mod private;
mod view;
mod whole;

pub(super) use whole::lint;
