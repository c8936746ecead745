//! What can be requested of the service, the steps that do it, and the state of the service. Data, so
//! that a plan can be shown and tested before anything is done.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::agent::error::{EXIT_FAILED, EXIT_REFUSED};

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
        /// What a failure means.
        if_it_fails: IfItFails,
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

/// What the failure of a command means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfItFails {
    /// The end of the plan.
    Stop,
    /// Nothing: stopping what does not run.
    Continue,
    /// It is run again, for some seconds: what was stopped before may still be ending.
    Retry,
}

impl ServiceStep {
    /// A command that must succeed.
    pub fn run<S: Into<OsString>>(program: &str, args: impl IntoIterator<Item = S>) -> ServiceStep {
        ServiceStep::Run {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            if_it_fails: IfItFails::Stop,
        }
    }

    /// The same, but a failure means nothing.
    pub fn may_fail(mut self) -> ServiceStep {
        if let ServiceStep::Run { if_it_fails, .. } = &mut self {
            *if_it_fails = IfItFails::Continue;
        }
        self
    }

    /// A message. On macOS no step needs one.
    #[cfg_attr(target_os = "macos", allow(dead_code))]
    pub(super) fn tell(text: impl Into<String>) -> ServiceStep {
        ServiceStep::Tell { text: text.into() }
    }

    /// A file to remove.
    pub fn remove(path: impl Into<PathBuf>) -> ServiceStep {
        ServiceStep::Remove { path: path.into() }
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
    /// Does it keep running after the last logout? Null: not so here, or not known.
    pub lingers: Option<bool>,
    /// What is wrong and how to fix it, one line each.
    pub troubles: Vec<String>,
}

/// Why a service command failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no service manager, no service, or a file cannot be read or written.
    #[error("{0}")]
    Failed(String),
    /// It is not safe: as root for another user, or in a directory that others can write to.
    #[error("{0}")]
    Refused(String),
    /// A command failed.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command as it could be typed.
        command: String,
        /// Its exit status and last output.
        said: String,
    },
    /// The agent did not do what was asked of it.
    #[error(transparent)]
    Agent(#[from] crate::agent::Error),
}

impl ServiceError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> ServiceError {
        move |error| ServiceError::Failed(format!("{}: {error}", path.display()))
    }

    /// The exit code that a script sees.
    pub fn exit_code(&self) -> u8 {
        match self {
            ServiceError::Refused(_) => EXIT_REFUSED,
            ServiceError::Agent(error) => error.exit_code(),
            ServiceError::Failed(_) | ServiceError::Command { .. } => EXIT_FAILED,
        }
    }
}
