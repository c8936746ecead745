//! The loop, and one turn of it from top to bottom:
//!
//! ```text
//! event → survey = Snapshot → round = observations → decide = Decision → diff = Plan
//!       → prepare, commit = Applied → journal
//! ```
//!
//! Each arrow takes one value and yields the next. The command line runs the same turn when
//! no agent is there.
//!
//! May import: everything below (not ipc, not cli).

mod answer;
mod away;
mod beside;
mod cause;
mod clock;
pub mod command;
mod drift;
pub mod error;
mod failed;
mod finish;
mod gofacts;
mod history;
mod keeper;
mod keeping;
mod known;
mod last_good;
mod late;
mod let_go;
mod met;
mod own_files;
mod patience;
mod policy_file;
mod policy_text;
mod present;
mod pulse;
mod recall;
mod resident;
mod restore;
mod restraint;
mod round;
mod run;
mod session;
mod signals;
mod single;
mod status;
mod successor;
mod supervisor;
mod timers;
mod trim;
mod turn_lock;
mod work;

pub use command::{Command, Reply, TurnReport};
pub use error::Error;
pub use patience::open_patiently;
pub use policy_file::{Loaded, load_policy, summary};
pub use policy_text::{POLICY_LIMIT, read_policy_text, read_policy_to_check};
pub use recall::has_set_something;
pub use run::{Handle, run};
pub use session::{Session, WhyReport};
pub use supervisor::{Ended, Life, Supervisor, Unattended};
