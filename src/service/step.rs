//! What can be requested of the service, the steps that do it, and the state of the service. Data, so
//! that a plan can be shown and tested before anything is done.

use std::ffi::OsString;
use std::path::PathBuf;

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceStep {
    /// Write a file atomically, with its directories; done already if it has that text.
    Write {
        /// Where.
        path: PathBuf,
        /// What.
        text: String,
    },
    /// Remove a file; done already if there is none.
    Remove {
        /// Which.
        path: PathBuf,
    },
    /// Remove a directory if it is empty.
    RemoveEmpty {
        /// Which.
        path: PathBuf,
    },
    /// Run a command to its end.
    Run {
        /// The program, looked for in PATH when it is no path.
        program: OsString,
        /// Its arguments.
        args: Vec<OsString>,
        /// Continue if it fails: stopping what does not run.
        may_fail: bool,
    },
    /// Run a command repeatedly, for some seconds, until it succeeds: what was stopped before may
    /// still be ending.
    Insist {
        /// The program, looked for in PATH when it is no path.
        program: OsString,
        /// Its arguments.
        args: Vec<OsString>,
    },
    /// Start a program and do not wait for it. It is detached from this terminal.
    Spawn {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        args: Vec<OsString>,
    },
    /// Ask the running agent to end, and wait until it has; done already if none runs.
    EndAgent,
    /// Set a value under `HKEY_CURRENT_USER` (Windows).
    SetValue {
        /// The key's path.
        key: String,
        /// The value's name.
        name: String,
        /// Its text.
        text: String,
    },
    /// Remove a value under `HKEY_CURRENT_USER` (Windows); done already if there is none.
    RemoveValue {
        /// The key's path.
        key: String,
        /// The value's name.
        name: String,
    },
    /// Show a message to the user; nothing else is done.
    Tell {
        /// One line.
        text: String,
    },
}

/// A step that was done, as a person reads it: "wrote ~/.config/systemd/user/…".
pub type Done = String;

impl ServiceStep {
    /// A command that must succeed.
    pub fn run(program: &str, args: &[&str]) -> ServiceStep {
        ServiceStep::Run {
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
            may_fail: false,
        }
    }

    /// A command that may fail.
    pub fn try_run(program: &str, args: &[&str]) -> ServiceStep {
        ServiceStep::Run {
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
            may_fail: true,
        }
    }
}

/// What the user requests of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceRequest {
    /// Start it at every login, and now. If it is installed: update it.
    Install,
    /// Stop it and remove it from the system. The policy and the journal stay.
    Uninstall,
    /// Start it now.
    Start,
    /// Stop it until the next login.
    Stop,
    /// Stop and start it.
    Restart,
}

/// How much of the log to show, and whether to follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logs {
    /// The last lines.
    pub lines: u32,
    /// Until interrupted.
    pub follow: bool,
}

/// The state of the service.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct ServiceState {
    /// What the system calls it: "systemd user unit goroam.service".
    pub kind: String,
    /// The unit, plist or registry value that applies; null: not installed.
    pub installed: Option<String>,
    /// Started at login?
    pub enabled: bool,
    /// The running process as the service manager knows it.
    pub pid: Option<u32>,
    /// The program that it starts.
    pub program: Option<PathBuf>,
    /// The manager's own word for its state: "active (running)".
    pub word: String,
    /// What is wrong and how to fix it, one line each.
    pub troubles: Vec<String>,
}
