//! `goroam exec`: runs one command, step by step, when the network fails.
//!
//! ```text
//! frozen environment → attempt (runs, is watched) → Seen (classified) → next step or the end
//! ```
//!
//! May import: everything below (not agent).
mod attempt;
pub mod classify;
mod group;
pub mod reprobe;
pub mod run;
mod signals;
pub mod stall;
mod tee;
#[cfg(unix)]
mod terminal;
pub mod tiers;
pub mod usable;

pub use attempt::OpenOutput;
pub use classify::{
    Blame, BlameReason, Blamed, Class, Classified, CommandOutput, Exit, JsonWords, MismatchHashes,
    classify,
};
pub use run::{AttemptReport, ExecEvent, ExecPlan, ExecSummary, run};
pub use signals::ExecSignals;
#[cfg(unix)]
pub use signals::die_by;
pub use tee::line_is_open;
pub use tiers::{FrozenSettings, LocalSources, TierPlan};
