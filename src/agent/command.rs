//! What a client can ask of a running agent, what the agent answers, and what else starts a turn.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::model::plan::Plan;
use crate::model::status::Status;
use crate::policy::Decision;
use crate::state::entry::Outcome;

/// A request to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Command {
    /// Returns the current status.
    Status,
    /// Returns the current status, and again after each change, until the connection is closed.
    Watch,
    /// Takes a turn now.
    Once {
        /// Only reports what would be done.
        dry_run: bool,
    },
    /// Stays with a profile.
    Use {
        /// Its name.
        profile: String,
        /// When the pin ends; `None`: at the next `auto`.
        until: Option<Timestamp>,
    },
    /// Chooses by the network again.
    Auto,
    /// Leaves everything as it is until `once`, `use` or `auto`.
    Pause,
    /// Restores the go env file, and leaves it alone until `once`, `use` or `auto`.
    Restore,
    /// Reads the policy and the files it depends on again.
    Reload,
    /// Ends the agent; the values it has set stay.
    End,
}

impl Command {
    /// Reports whether the command changes nothing.
    pub fn only_asks(&self) -> bool {
        matches!(self, Command::Status | Command::Watch)
    }
}

/// What a turn found and did. For scripts, the fields of the status and of the turn are side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnReport {
    /// The status after the turn.
    #[serde(flatten)]
    pub status: Status,
    /// The names that were changed (or would be, on a dry run).
    pub changed: Vec<String>,
    /// What was chosen, and why.
    pub decision: Option<Decision>,
    /// The profile before the turn. The name `from` is already used by the status: where modules
    /// come from.
    #[serde(rename = "before")]
    pub from: Option<String>,
    /// What the plan does with each variable, credentials removed.
    pub plan: Plan,
    /// The result of carrying the plan out.
    pub outcome: Outcome,
    /// Milliseconds for each step.
    pub took: BTreeMap<String, f64>,
}

/// The agent's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Answers `status`, `watch`, `pause`, `reload` and `end`.
    Status(Box<Status>),
    /// Answers `once`, `use`, `auto` and `restore`.
    Turn(Box<TurnReport>),
    /// The command failed.
    Failed {
        /// Why it failed, and what to do.
        error: String,
        /// The exit code for the command line.
        exit: u8,
    },
}

impl Reply {
    /// The answer to a command that failed.
    pub(super) fn failed(error: &Error) -> Reply {
        Reply::Failed {
            error: error.to_string(),
            exit: error.exit_code(),
        }
    }
}

/// Where the answer to a command goes.
pub(super) type Answer = tokio::sync::oneshot::Sender<Reply>;

/// What starts a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The agent has started.
    Start,
    /// A command: `once`, `use`, `auto`.
    Asked,
    /// The regular re-probe, or a second look after a doubtful round.
    Recheck,
    /// Something about the network changed.
    Network,
    /// The machine woke from sleep.
    Wake,
    /// The policy changed.
    Policy,
    /// Another program changed a managed variable.
    Drift,
    /// A pin has ended.
    PinEnded,
    /// A target that the agent waited for in the background has answered.
    Late,
    /// A proxy has sent the relay wrong content.
    Incident,
    /// There is news of the fleet's policy.
    Fleet,
    /// The targets of a `fastest` were measured, and the choice has to be made again.
    Measured,
}

impl Cause {
    /// The word for the journal.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Cause::Start => "start",
            Cause::Asked => "asked",
            Cause::Recheck => "recheck",
            Cause::Network => "network",
            Cause::Wake => "wake",
            Cause::Policy => "policy",
            Cause::Drift => "drift",
            Cause::PinEnded => "pin ended",
            Cause::Late => "late answer",
            Cause::Incident => "incident",
            Cause::Fleet => "fleet",
            Cause::Measured => "measured",
        }
    }

    /// Reports whether earlier results of the targets no longer apply. If so, `fall` and `rise` do
    /// not apply: they smooth over short failures on one network, not over a move to another
    /// network.
    pub(crate) fn is_fresh(self) -> bool {
        !matches!(
            self,
            Cause::Recheck
                | Cause::Drift
                | Cause::PinEnded
                | Cause::Late
                | Cause::Incident
                | Cause::Fleet
                | Cause::Measured
        )
    }

    /// Reports whether goroam's values are wanted even if another program has changed them.
    pub(crate) fn overrides_drift(self) -> bool {
        matches!(self, Cause::Asked | Cause::Policy)
    }
}
