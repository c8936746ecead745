//! A LaunchAgent: launchd starts goroam at login, starts it again after a crash, and is told
//! what to do through launchctl(1).
//!
//! ```text
//! look (files, launchctl print) → LaunchdFacts → steps → launchctl bootstrap, bootout, kickstart
//! ```
//!
//! Compiled on every system for its tests; only macOS has a launchd.
//!
//! May import: the service room, agent (its supervisor), paths, environment.

mod facts;
#[cfg(test)]
mod keys;
#[cfg(unix)]
mod log;
mod plist;
mod printed;
mod state;
mod steps;
#[cfg(unix)]
mod supervisor;

pub use plist::tray as tray_plist;
pub(super) use state::state;
pub(super) use steps::{logs, plan};
#[cfg(unix)]
pub use supervisor::Launchd;
