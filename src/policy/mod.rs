//! The user's policy and its consequences: the policy file, its checks, and the decision. Facts in,
//! value out: no clock, no socket, no environment, and the only file is text that a caller has
//! read.
//!
//! ```text
//! text → file::parse → Policy (or findings) → decide(Policy, Facts) → Decision
//! ```
//!
//! May import: model, gomod. The other rooms of this floor (probe, watch) are unknown here.

mod by_hand;
pub mod decide;
mod evaluate;
pub mod expand;
pub mod explain;
mod fastest;
pub mod file;
pub mod finding;
pub mod fleet;
mod goflags;
mod govcs;
mod grammar;
pub mod layers;
mod lint;
mod loosen;
pub mod profile;
mod project;
mod provisional;
pub mod scenario;
pub mod settle;
mod speeds;
mod telemetry;
pub mod templates;
mod variables;

pub use by_hand::{MIRRORS, MirrorFault, NamedMirror, goproxy_of, lay_over, target_of};
pub use decide::{Considered, Decision, as_it_is, decide, needed, open, standing};
pub use evaluate::{DecisionFacts, Gaps, TargetState, Trace};
pub use fastest::FastestChoice;
pub use finding::{Label, Places, PolicyFinding, ProfilePlace, Severity};
pub use goflags::{without_mod, words as goflags_words};
pub use grammar::check_value;
pub use loosen::weakened_by;
pub use profile::{
    AgentSettings, Condition, EnvValue, MirrorSettings, OnDrift, Policy, Profile, Project,
    ProjectPlace, RelaySettings,
};
pub use project::{USUAL, project_leak};
pub use provisional::provisional;
pub use speeds::{FastestFacts, SpeedRound, sort_by_speed};
pub use telemetry::{MetricsSettings, TelemetrySettings};
pub use variables::WRITABLE;
