//! Runs goroam at every login: a systemd user unit on Linux, a LaunchAgent on macOS, the tray in
//! the user's Run key on Windows.
//!
//! Each system's file turns a request into [`ServiceStep`]s, which are data (`plan`), and
//! [`carry_out`] carries them out in order. All files have the same interface:
//!
//! ```text
//! plan(ServiceRequest, &Site) -> Vec<ServiceStep>     state(&Site) -> ServiceState     logs(&Site, &Logs) -> ServiceStep
//! ```
//!
//! May import: agent, ipc, state, paths, environment.

mod carry_out;
#[cfg(windows)]
mod registry;
#[cfg(unix)]
pub mod sd_notify;
mod site;
mod step;

pub use carry_out::carry_out;
pub use site::Site;
pub use step::{Logs, ServiceError, ServiceRequest, ServiceState, ServiceStep};

/// The systemd user manager.
#[cfg(target_os = "linux")]
mod systemd;
#[cfg(target_os = "linux")]
use systemd as os;

/// The LaunchAgent's tests run on every system where paths look as on macOS.
#[cfg(any(target_os = "macos", all(test, unix)))]
#[cfg_attr(
    not(target_os = "macos"),
    allow(dead_code, unused_imports, unreachable_pub)
)]
mod launchd;
#[cfg(target_os = "macos")]
use launchd as os;
#[cfg(target_os = "macos")]
pub use launchd::{Launchd, tray_plist};

/// The tests of registry values run on every system.
#[cfg(any(windows, test))]
#[cfg_attr(not(windows), allow(dead_code, unreachable_pub))]
mod run_key;
#[cfg(windows)]
use run_key as os;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod none;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
use none as os;

pub use os::{logs, plan, state};
