//! The loop, and one turn of it from top to bottom:
//!
//! ```text
//! event → survey = Snapshot → round = observations → decide = Decision → diff = Plan
//!       → prepare, commit = Applied → journal
//! ```
//!
//! Each arrow takes one value and yields the next. The command line runs the same turn if there is
//! no agent.
//!
//! May import: everything below (not ipc, not cli).

mod binary_update;
mod clock;
pub mod command;
mod drift;
mod early;
pub mod error;
mod fastest;
mod finish;
mod fleet;
mod fleet_fetch;
mod gofacts;
mod handover;
mod health;
mod hook;
mod hook_marker;
mod in_use;
mod locks;
mod panic_log;
mod pin;
mod policy_file;
mod prefetch;
mod project;
mod recall;
mod relay;
mod replay;
mod resident;
mod round;
mod run;
mod session;
mod signals;
mod supervisor;
mod targets;
mod turn;

pub(crate) use clock::{random_id, until};
pub use command::{Command, Reply, TurnReport};
pub use error::Error;

pub use fleet::{FleetLayer, FleetUpdate};
pub use handover::{LISTENER, STORED, inherited};
pub use hook::{ExportVerdict, HOOKED, keeps_private};
pub use hook_marker::{HOOK_MARKER, export_hash, hook_notes, hooked, project_notes, user_env};
pub use in_use::{ValueInUse, ValueSource};
pub use panic_log::record_panics;
pub use pin::{Choices, ProfileChoice};
pub use policy_file::{
    Loaded, POLICY_LIMIT, PolicyLayer, fleet_of, fleet_settings, lent, load_policy, read_layers,
    read_policy_text, read_policy_to_check, summary,
};
pub use project::{ProjectHere, current_folder};
pub use recall::has_set_something;
pub use relay::KeepIn;
pub use replay::{ReplayResult, ReplayedTurn, ReplayedValue, replay};
pub use run::{Ended, Handle, run, wait_for_valid_policy};
pub use supervisor::{Life, Supervisor, Unattended};

pub use session::{Session, WhyReport};
