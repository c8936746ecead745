//! goroam keeps `go env` right on whatever network the machine is on.
//!
//! The floors, from the lowest to the highest. A room imports only from floors below its own
//! (`tests/architecture.rs` checks that):
//!
//! 1. [`model`], [`gomod`], and the basic tools [`environment`], [`paths`], [`bounded`], [`trust`],
//!    [`meter`], [`pool`], [`signals`], [`telemetry`]: shared types, Go's own formats
//! 2. [`policy`], [`probe`], [`watch`]: three rooms that do not know each other
//! 3. [`gocmd`], [`relay`], [`state`]: running go; a local proxy that fails over; baseline, memory
//!    and journal
//! 4. [`agent`], [`chain`], [`exec`]: the turn and its loop; what go does with a chain; a command
//!    that goroam helps when the network fails
//! 5. [`ipc`], [`mirror`]: the connection to the agent; modules for work without a network
//! 6. [`vendoring`]: a vendor directory
//! 7. [`doctor`], [`service`]: finding what is wrong; starting goroam at login
//! 8. [`cli`], `tray` (feature `tray`): user interfaces

pub mod agent;
pub mod bounded;
pub mod chain;
pub mod cli;
pub mod doctor;
pub mod environment;
pub mod exec;
pub mod gocmd;
pub mod gomod;
pub mod ipc;
pub mod meter;
pub mod mirror;
pub mod model;
pub mod paths;
pub mod policy;
pub mod pool;
pub mod probe;
pub mod relay;
pub mod service;
pub mod signals;
pub mod state;
pub mod telemetry;
#[cfg(feature = "tray")]
pub mod tray;
pub mod trust;
pub mod vendoring;
pub mod watch;
