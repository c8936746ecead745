//! `goroam exec`: one command, and the steps it goes down when the network fails it.
//!
//! ```text
//! frozen environment → attempt (runs, is watched) → Seen (classified) → next step or the end
//! ```
//!
//! May import: everything below (not agent).
mod attempt;
pub mod classify;
mod group;
mod keep;
mod next;
pub mod reprobe;
pub mod run;
mod signals;
pub mod stall;
mod tee;
#[cfg(unix)]
mod terminal;
pub mod tiers;
pub mod usable;

pub use attempt::Leftover;
pub use classify::{Blame, Class, Exit, Hashes, JsonWords, Said, Seen, Who, Why, classify};
pub use run::{Attempt, Course, Details, News, Summary, run};
pub use signals::ExecSignals;
#[cfg(unix)]
pub use signals::die_by;
pub use tee::line_is_open;
pub use tiers::{Around, Frozen, TierPlan};
