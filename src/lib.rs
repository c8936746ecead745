//! goroam keeps `go env` right on whatever network the machine is on.
//!
//! The floors, from the ground up; a room imports only from floors below its own
//! (`tests/architecture.rs` holds that):
//!
//! 1. [`model`], [`gomod`], and the bare tools [`environment`], [`paths`], [`bounded`], [`trust`],
//!    [`meter`], [`telemetry`]: words, Go's own formats
//! 2. [`policy`], [`probe`], [`watch`]: three wings, none knows another
//! 3. [`gocmd`], [`state`]: hands
//! 4. [`agent`], [`exec`]: the loop; a command that is saved
//! 5. [`ipc`], [`mirror`]: the wire; modules for when there is no network
//! 6. [`vendoring`]: a vendor folder
//! 7. [`doctor`], [`service`]: what is wrong; what starts it
//! 8. [`cli`], `tray` (feature `tray`): faces

pub mod agent;
pub mod bounded;
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
pub mod service;
pub mod state;
pub mod telemetry;
#[cfg(feature = "tray")]
pub mod tray;
pub mod trust;
pub mod vendoring;
pub mod watch;
