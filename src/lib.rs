//! goroam keeps `go env` right on whatever network the machine is on.
//!
//! The floors, from the ground up; a room imports only from floors below its own
//! (`tests/architecture.rs` holds that):
//!
//! 1. [`model`], [`gosum`], [`gomod`], and the bare tools [`environment`], [`paths`],
//!    [`bounded`], [`telemetry`]: words, Go's own formats
//! 2. [`policy`], [`probe`], [`watch`]: three wings, none knows another
//! 3. [`plan`]: what is to be written
//! 4. [`gocmd`], [`state`]: hands
//! 5. [`agent`]: the loop
//! 6. [`ipc`]: the wire
//! 7. [`host`], [`job`]: what starts it and shows it; what is done once
//! 8. [`cli`][]: faces

pub mod agent;
pub mod bounded;
pub mod cli;
pub mod environment;
pub mod gocmd;
pub mod gomod;
pub mod gosum;
pub mod host;
pub mod ipc;
pub mod job;
pub mod model;
pub mod paths;
pub mod plan;
pub mod policy;
pub mod probe;
pub mod state;
pub mod telemetry;
pub mod trust;
pub mod watch;
