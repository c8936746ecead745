//! What is to be written: the difference between the go env file as it stands and what the
//! decision wants. Pure; the hands are in `gocmd`.
//!
//! May import: model.

pub mod companions;
pub mod diff;
pub mod step;

pub use diff::{Want, diff};
pub use step::{Plan, Step};
