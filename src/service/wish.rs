//! What may be asked of a service, and what is known of it.

use std::path::PathBuf;

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
