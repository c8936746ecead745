//! What can go wrong in a turn, and the exit code that a script sees.

use std::path::PathBuf;

use crate::gocmd::{ApplyError, FindError, LocateError};
use crate::paths::NoHome;
use crate::policy::PolicyFinding;

/// Done.
pub const EXIT_DONE: u8 = 0;
/// It failed.
pub const EXIT_FAILED: u8 = 1;
/// Bad usage or a bad policy.
pub const EXIT_USAGE: u8 = 2;
/// No usable go command.
pub const EXIT_NO_GO: u8 = 3;
/// Refused for safety.
pub const EXIT_REFUSED: u8 = 4;
/// No agent is running, or it does not answer.
pub const EXIT_NO_AGENT: u8 = 5;
/// Something is not what its checksum says.
pub const EXIT_MISMATCH: u8 = 6;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no home folder.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// The policy cannot be used. The findings say why; the command line prints them with the text.
    #[error("{path}: {summary}; see `goroam check`", path = .path.display())]
    Policy {
        /// The policy file.
        path: PathBuf,
        /// Its text, for the carets.
        text: String,
        /// What was found.
        findings: Vec<PolicyFinding>,
        /// "2 errors, 1 warning".
        summary: String,
    },
    /// The policy file cannot be read.
    #[error("{path}: {why}", path = .path.display())]
    PolicyFile {
        /// The policy file.
        path: PathBuf,
        /// Why, and the way out.
        why: String,
        /// Refused for safety (others may write to it), not merely unreadable.
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
    /// The policy has no profile, or no target, of that name.
    #[error("no {kind} {name:?} in {policy}{hint}")]
    Unknown {
        /// "profile" or "target".
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        policy: String,
        /// "; did you mean …?", or the names that there are.
        hint: String,
    },
    /// A second agent for this go env file.
    #[error(
        "an agent of this user is running already{}; `goroam status` asks it. For another go env \
         file (GOENV) give this one its own XDG_STATE_HOME and XDG_RUNTIME_DIR",
        process(*.pid)
    )]
    SecondAgent {
        /// Its process, 0 if it did not say.
        pid: u32,
    },
    /// No agent answers.
    #[error("no agent is running; start one with `goroam agent`")]
    NoAgent,
    /// An agent runs, but not where it is looked for.
    #[error(
        "an agent is running{}, but it cannot be reached at {socket}: XDG_RUNTIME_DIR is another \
         one here, or that folder was cleared; end the agent, or start it again",
        process(*.pid)
    )]
    AgentElsewhere {
        /// Its process, 0 if it does not say.
        pid: u32,
        /// Where it was looked for.
        socket: String,
    },
    /// An agent is there and says nothing.
    #[error("{}", silence(*.pid))]
    AgentSilent {
        /// Its process, where the system tells.
        pid: Option<u32>,
    },
    /// The agent answered with an error.
    #[error("{message}")]
    FromAgent {
        /// What it said.
        message: String,
        /// The exit code that it asks for.
        exit: u8,
    },
    /// goroam's own state cannot be read or written.
    #[error("{what}: {source:#}")]
    State {
        /// Which file, and what was to be done.
        what: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `restore` has nothing to put back.
    #[error("nothing to restore: goroam has not changed the go env file")]
    NothingToRestore,
    /// The go env file is another one than goroam has changed; only one is looked after at a
    /// time, since only one baseline is kept.
    #[error(
        "goroam looks after {kept}, but this environment's go env file is {now}; to change over, \
         run `goroam restore` with GOENV={kept} first"
    )]
    OtherFile {
        /// The file that the baseline is of.
        kept: String,
        /// The file that GOENV, HOME or XDG_CONFIG_HOME name now.
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
    /// [`Error::State`] for `map_err`: what was to be done.
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

    /// The exit code that a script sees.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::NoHome(_)
            | Error::Locate(_)
            | Error::OtherFile { .. }
            | Error::Apply(ApplyError::ReadOnly { .. })
            | Error::PolicyFile {
                unsafe_mode: true, ..
            } => EXIT_REFUSED,
            Error::Policy { .. } | Error::PolicyFile { .. } | Error::Unknown { .. } => EXIT_USAGE,
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
