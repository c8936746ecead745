//! `goroam exec`: runs one command, step by step, when the network fails.
//!
//! ```text
//! frozen environment → relay (the proxies and the mirror as one step) → attempt (runs, is watched)
//!   → classified, explained by the relay → the vendor step or the end
//! ```
//!
//! May import: everything below (not agent).
mod attempt;
pub mod classify;
mod group;
pub mod relayed;
pub mod report;
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
pub use relayed::{ExecRelay, RelayTerms};
pub use report::AttemptReport;
pub use run::{ExecEvent, ExecPlan, ExecSummary, run};
pub use signals::ExecSignals;
#[cfg(unix)]
pub use signals::die_by;
pub use tee::line_is_open;
pub use tiers::{FrozenSettings, LocalSources, TierPlan};
