//! `goroam exec`: one command, and the steps it goes down when the network fails it.
//!
//! ```text
//! frozen environment → attempt (runs, is watched) → Seen (classified) → next step or the end
//! ```
//!
//! May import: everything below (not agent).
mod attempt;
mod class;
pub mod classify;
pub mod freeze;
mod group;
mod json;
mod keep;
mod next;
mod out;
pub mod reprobe;
pub mod run;
mod signals;
mod source;
pub mod stall;
mod summary;
mod tee;
#[cfg(unix)]
mod terminal;
pub mod tiers;
mod usable;

pub use attempt::Leftover;
pub use class::Class;
pub use classify::{Blame, Exit, Hashes, JsonWords, Said, Seen, Who, Why, classify};
pub use out::line_is_open;
pub use run::{Course, News, run};
pub use signals::Signals;
#[cfg(unix)]
pub use signals::die_by;
pub use summary::{Attempt, Details, Summary};
pub use tiers::{Around, Frozen, TierPlan};
