//! `goroam exec`: one command, and the steps it goes down when the network fails it.
//!
//! ```text
//! frozen environment → attempt (runs, is watched) → Seen (classified) → next step or the end
//! ```
//!
//! May import: everything below; of its neighbours mirror and vendor.
mod class;

pub use class::Class;
