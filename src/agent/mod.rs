//! The loop, and one turn of it from top to bottom:
//!
//!     event → survey = Snapshot → round = observations → decide = Decision → diff = Plan
//!           → prepare, commit = Applied → journal
//!
//! Each arrow takes one value and yields the next. The command line runs the same turn when
//! no agent is there.
//!
//! May import: everything below (not ipc, not cli).

pub mod command;
pub mod error;
pub mod policy_text;
pub mod run;
pub mod session;

pub use command::{Command, Reply, TurnReport};
pub use error::Error;
pub use policy_text::read_policy_text;
pub use run::{Handle, run};
pub use session::{Loaded, Session, WhyReport, load_policy};
