//! What can be requested of the service, the steps that do it, and the state of the service. Data, so
//! that a plan can be shown and tested before anything is done.

use std::ffi::OsString;
use std::path::PathBuf;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceStep {
    /// Write a file in one step (a new one takes its name), with its folders; done already if
    /// it says that.
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
    /// Remove a folder if nothing is in it.
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
        /// Go on though it fails: stopping what does not run.
        may_fail: bool,
    },
    /// Run a command again and again, for some seconds, until it succeeds: what was told to end
    /// before it has not let go yet.
    Insist {
        /// The program, looked for in PATH when it is no path.
        program: OsString,
        /// Its arguments.
        args: Vec<OsString>,
    },
    /// Start a program that stays, and do not wait for it. It hears nothing of this terminal.
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
    /// Say something that the user is to know at this point; nothing is done.
    Tell {
        /// One line, as it is to be read.
        text: String,
    },
}

/// A step that was carried out, as a person reads it: "wrote ~/.config/systemd/user/…".
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

/// What is to be done with the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceRequest {
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
