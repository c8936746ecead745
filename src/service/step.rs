//! The requests to the service, the steps that carry them out, and the service's state. They are
//! data, so that a plan can be shown and tested before anything is done.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::agent::error::{EXIT_FAILED, EXIT_REFUSED};

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceStep {
    /// Write this text to a file atomically, and create its directories. Nothing is done if the
    /// file has that text.
    Write(PathBuf, String),
    /// Remove a file. Nothing is done if it does not exist.
    Remove(PathBuf),
    /// Remove a directory if it is empty.
    RemoveEmpty(PathBuf),
    /// Run a command to its end.
    Run {
        /// The program. It is looked up in PATH if it is not a path.
        program: OsString,
        /// Its arguments.
        args: Vec<OsString>,
        /// What follows if the command fails.
        if_it_fails: IfItFails,
    },
    /// Start a program with these arguments and do not wait for it. It is detached from this
    /// terminal.
    Spawn(PathBuf, Vec<OsString>),
    /// Ask the running agent to end, and wait until it has. Nothing is done if none runs.
    EndAgent,
    /// Set a value under `HKEY_CURRENT_USER` (Windows): key, name and text.
    SetValue(&'static str, &'static str, String),
    /// Remove a value under `HKEY_CURRENT_USER` (Windows): key and name. Nothing is done if it does
    /// not exist.
    RemoveValue(&'static str, &'static str),
    /// Show a line to the user; nothing else is done.
    Tell(String),
}

/// What follows if a command fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfItFails {
    /// The plan ends.
    Stop,
    /// The plan continues: for example, the stopped program did not run.
    Continue,
    /// The command is repeated for some seconds: a program that was stopped before may still be
    /// ending.
    Retry,
}

impl ServiceStep {
    /// Creates a step that runs a command, which must succeed.
    pub fn run<S: Into<OsString>>(program: &str, args: impl IntoIterator<Item = S>) -> ServiceStep {
        ServiceStep::Run {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            if_it_fails: IfItFails::Stop,
        }
    }

    /// Lets the command fail without consequences.
    pub fn may_fail(mut self) -> ServiceStep {
        if let ServiceStep::Run { if_it_fails, .. } = &mut self {
            *if_it_fails = IfItFails::Continue;
        }
        self
    }

    /// Creates a step that removes a file.
    pub fn remove(path: impl Into<PathBuf>) -> ServiceStep {
        ServiceStep::Remove(path.into())
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
    /// How many of the last lines to show.
    pub lines: u32,
    /// Follow the log until interrupted.
    pub follow: bool,
}

/// The state of the service.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct ServiceState {
    /// The system's name for it: "systemd user unit goroam.service".
    pub kind: String,
    /// The unit, plist or registry value that applies; null if not installed.
    pub installed: Option<String>,
    /// Whether it starts at login.
    pub enabled: bool,
    /// The running process as the service manager knows it.
    pub pid: Option<u32>,
    /// The program that it starts.
    pub program: Option<PathBuf>,
    /// The manager's own word for its state: "active (running)".
    pub word: String,
    /// Whether it keeps running after the last logout. Null: not applicable on this system,
    /// or not known.
    pub lingers: Option<bool>,
    /// What is wrong and how to fix it, one line each.
    pub troubles: Vec<String>,
}

/// Why a service command failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The service manager or the service does not exist, or a file cannot be read or written.
    #[error("{0}")]
    Failed(String),
    /// The request is not safe: as root for another user, or in a directory that others can write
    /// to.
    #[error("{0}")]
    Refused(String),
    /// A command failed.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command in a form that can be typed.
        command: String,
        /// Its exit status and last output.
        said: String,
    },
    /// The agent did not do what was requested.
    #[error(transparent)]
    Agent(#[from] crate::agent::Error),
}

impl ServiceError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> ServiceError {
        move |error| ServiceError::Failed(format!("{}: {error}", path.display()))
    }

    /// Returns the exit code for scripts.
    pub fn exit_code(&self) -> u8 {
        match self {
            ServiceError::Refused(_) => EXIT_REFUSED,
            ServiceError::Agent(error) => error.exit_code(),
            ServiceError::Failed(_) | ServiceError::Command { .. } => EXIT_FAILED,
        }
    }
}
