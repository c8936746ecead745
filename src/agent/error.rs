//! The errors of a turn, and the exit code that a script sees.

use std::path::PathBuf;

use crate::gocmd::{ApplyError, FindError, LocateError};
use crate::paths::NoHome;
use crate::policy::PolicyFinding;
use crate::policy::layers::PolicyText;

/// Done.
pub const EXIT_DONE: u8 = 0;
/// Failed.
pub const EXIT_FAILED: u8 = 1;
/// Wrong usage, or an invalid policy.
pub const EXIT_USAGE: u8 = 2;
/// No usable go command.
pub const EXIT_NO_GO: u8 = 3;
/// Refused for safety.
pub const EXIT_REFUSED: u8 = 4;
/// No agent is running, or the agent does not answer.
pub const EXIT_NO_AGENT: u8 = 5;
/// Content does not match its checksum.
pub const EXIT_MISMATCH: u8 = 6;

/// An error of a turn.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no home directory.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// The policy cannot be used. The findings say why; the command line prints them with the text.
    #[error("{path}: {summary}", path = .path.display())]
    Policy {
        /// The policy file with the first error.
        path: PathBuf,
        /// The texts of all layers, to show the position of each finding.
        texts: Box<PolicyText>,
        /// The findings.
        findings: Vec<PolicyFinding>,
        /// How many errors, and what shows them: "2 errors, 1 warning; see `goroam check`".
        summary: String,
    },
    /// The policy file cannot be read.
    #[error("{path}: {why}", path = .path.display())]
    PolicyFile {
        /// The policy file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
        /// Refused for safety because others may write to the file; otherwise the file is
        /// unreadable.
        unsafe_mode: bool,
    },
    /// There is no usable go command.
    #[error(transparent)]
    Find(#[from] FindError),
    /// There is no go env file that goroam may write.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The plan could not be carried out.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The policy has no profile or target with that name.
    #[error("no {kind} {name:?} in {policy}{hint}")]
    Unknown {
        /// "profile" or "target".
        kind: &'static str,
        /// The name that was given.
        name: String,
        /// The policy in which it was looked up.
        policy: String,
        /// "; did you mean …?", or the names that exist.
        hint: String,
    },
    /// A mirror cannot be chosen by hand.
    #[error("{name} is not used: {why}")]
    Mirror {
        /// Its name, or its URL without credentials.
        name: String,
        /// Why, and what to do.
        why: String,
        /// Refused for safety; otherwise it is not a valid URL.
        is_unsafe: bool,
    },
    /// A second agent for this go env file.
    #[error(
        "an agent of this user is running already{}; `goroam status` asks it. For another go env \
         file (GOENV) give this one its own XDG_STATE_HOME and XDG_RUNTIME_DIR",
        process(*.pid)
    )]
    SecondAgent {
        /// Its process ID, or 0 if unknown.
        pid: u32,
    },
    /// No agent answers.
    #[error("no agent is running; start one with `goroam agent`")]
    NoAgent,
    /// An agent runs, but not at the expected socket.
    #[error(
        "an agent is running{}, but it cannot be reached at {socket}: XDG_RUNTIME_DIR is another \
         one here, or that folder was cleared; end the agent, or start it again",
        process(*.pid)
    )]
    AgentElsewhere {
        /// Its process ID, or 0 if unknown.
        pid: u32,
        /// The socket that was tried.
        socket: String,
    },
    /// An agent exists but does not answer.
    #[error("{}", silence(*.pid))]
    AgentSilent {
        /// Its process ID, if the system reports it.
        pid: Option<u32>,
    },
    /// The agent answered with an error.
    #[error("{message}")]
    FromAgent {
        /// The message.
        message: String,
        /// The exit code that the agent asks for.
        exit: u8,
    },
    /// goroam's own state cannot be read or written.
    #[error("{what}: {source:#}")]
    State {
        /// Which file, and which operation.
        what: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `restore` has nothing to restore.
    #[error("nothing to restore: goroam has not changed the go env file")]
    NothingToRestore,
    /// The go env file is not the one that goroam has changed. goroam manages one file at a time,
    /// since it keeps one baseline.
    #[error(
        "goroam looks after {kept}, but this environment's go env file is {now}; to change over, \
         run `goroam restore` with GOENV={kept} first"
    )]
    OtherFile {
        /// The file that the baseline describes.
        kept: String,
        /// The file that GOENV, HOME or XDG_CONFIG_HOME names now.
        now: String,
    },
}

fn process(pid: u32) -> String {
    match pid {
        0 => String::new(),
        pid => format!(" (pid {pid})"),
    }
}

fn silence(pid: Option<u32>) -> String {
    let rest = "is it stopped or frozen? Resume it";
    match pid {
        Some(pid) if cfg!(unix) => format!(
            "the agent (pid {pid}) does not answer; {rest} (`kill -CONT {pid}`) or end it, and run this again"
        ),
        Some(_) | None => {
            format!("the agent does not answer; {rest} or end it, and run this again")
        }
    }
}

impl Error {
    /// Makes an [`Error::State`], for `map_err`; `what` names the operation.
    pub(crate) fn state<E>(what: impl Into<String>) -> impl FnOnce(E) -> Error
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let what = what.into();
        |source| Error::State {
            what,
            source: source.into(),
        }
    }

    /// Its kind, as others may see it (`error.type` of OpenTelemetry): it names nothing of the machine.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::NoHome(_) | Error::Locate(_) | Error::OtherFile { .. } => "env_file",
            Error::Policy { .. } | Error::PolicyFile { .. } => "policy",
            Error::Find(_) | Error::Apply(ApplyError::Go(_)) => "go_command",
            Error::Apply(ApplyError::ReadOnly { .. }) => "read_only",
            Error::Apply(ApplyError::Contended { .. }) => "contended",
            Error::Apply(_) => "write",
            Error::State { .. } | Error::NothingToRestore => "state",
            Error::Unknown { .. } | Error::Mirror { .. } => "choice",
            Error::SecondAgent { .. }
            | Error::NoAgent
            | Error::AgentElsewhere { .. }
            | Error::AgentSilent { .. }
            | Error::FromAgent { .. } => "agent",
        }
    }

    /// The exit code that a script sees.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::NoHome(_)
            | Error::Locate(_)
            | Error::OtherFile { .. }
            | Error::Mirror {
                is_unsafe: true, ..
            }
            | Error::Apply(ApplyError::ReadOnly { .. })
            | Error::PolicyFile {
                unsafe_mode: true, ..
            } => EXIT_REFUSED,
            Error::Policy { .. }
            | Error::PolicyFile { .. }
            | Error::Unknown { .. }
            | Error::Mirror { .. } => EXIT_USAGE,
            Error::Find(_) => EXIT_NO_GO,
            Error::NoAgent | Error::AgentElsewhere { .. } | Error::AgentSilent { .. } => {
                EXIT_NO_AGENT
            }
            Error::FromAgent { exit, .. } => *exit,
            Error::Apply(_)
            | Error::SecondAgent { .. }
            | Error::State { .. }
            | Error::NothingToRestore => EXIT_FAILED,
        }
    }
}
