//! `goroam exec`: one command, and the steps it goes down when the network fails it.
//!
//! ```text
//! frozen environment → attempt (runs, is watched) → Seen (classified) → next step or the end
//! ```
//!
//! May import: everything below; of its neighbours mirror and vendor.
mod class;
pub mod classify;
pub mod freeze;
pub mod reprobe;
pub mod tiers;

pub use class::Class;
pub use classify::{Exit, Hashes, Said, Seen, classify};
pub use tiers::{Around, Frozen, TierPlan};
