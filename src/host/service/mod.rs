//! goroam as something that is there after every login: a systemd user unit on Linux, a
//! LaunchAgent on macOS, the tray in the user's Run key on Windows.
//!
//! Each system's file turns a wish into [`Step`]s, which are data (`plan`), and [`carry_out`]
//! does them in order. All have the same shape:
//!
//! ```text
//! plan(Wish, &Site) -> Vec<Step>     state(&Site) -> ServiceState     logs(&Site, &Logs) -> Step
//! ```
//!
//! May import: paths, environment.

mod carry_out;
mod error;
mod site;
mod step;

pub use carry_out::carry_out;
pub use error::ServiceError;
pub use site::Site;
pub use step::{Done, Step};

use std::path::PathBuf;

/// The systemd user manager.
#[cfg(target_os = "linux")]
mod systemd;
#[cfg(target_os = "linux")]
use systemd as os;

/// The shape of a LaunchAgent is tested on every system.
#[cfg(any(target_os = "macos", test))]
#[cfg_attr(
    not(target_os = "macos"),
    allow(dead_code, unused_imports, unreachable_pub)
)]
mod launchd;
#[cfg(target_os = "macos")]
use launchd as os;
#[cfg(target_os = "macos")]
pub use launchd::LogKeeper;

#[cfg(windows)]
mod run_key;
#[cfg(windows)]
use run_key as os;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod none;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
use none as os;

/// What is to be done with the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// There after every login, and started now. Again: brought up to date.
    Install,
    /// Stopped, and nothing of it left in the system. The policy and the journal stay.
    Uninstall,
    /// Started, now.
    Start,
    /// Ended, until the next login.
    Stop,
    /// Ended and started.
    Restart,
}

/// How much of the log, and whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logs {
    /// The last lines.
    pub lines: u32,
    /// Until interrupted.
    pub follow: bool,
}

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct ServiceState {
    /// What the system calls it: "systemd user unit goroam.service".
    pub kind: String,
    /// The unit, plist or registry value that is in force; null: not installed.
    pub installed: Option<String>,
    /// Started at login?
    pub enabled: bool,
    /// The running process as the service manager knows it.
    pub pid: Option<u32>,
    /// The program that it starts.
    pub program: Option<PathBuf>,
    /// The manager's own word for how it is: "active (running)".
    pub word: String,
    /// What is wrong, and the way out, one line each.
    pub troubles: Vec<String>,
}

/// The steps that a wish takes. Looks (at files, at what the service manager says), changes
/// nothing.
///
/// # Errors
/// When there is no service manager, or it cannot be asked.
pub fn plan(wish: Wish, site: &Site) -> Result<Vec<Step>, ServiceError> {
    os::plan(wish, site)
}

/// How the service is.
///
/// # Errors
/// When there is no service manager, or it cannot be asked.
pub fn state(site: &Site) -> Result<ServiceState, ServiceError> {
    os::state(site)
}

/// The command that shows the log.
///
/// # Errors
/// When there is no service manager.
pub fn logs(site: &Site, logs: &Logs) -> Result<Step, ServiceError> {
    os::logs(site, logs)
}
