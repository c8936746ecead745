//! What may be asked of a running agent, what it answers, and what else sets off a turn.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::model::plan::Plan;
use crate::model::status::Status;
use crate::policy::Decision;
use crate::state::entry::Outcome;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Command {
    /// What is true now?
    Status,
    /// What is true now, and again whenever it changes, until the connection is closed.
    Watch,
    /// Take a turn now.
    Once {
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Stay with a profile.
    Use {
        /// Its name.
        profile: String,
        /// Until when; `None`: until `auto`.
        until: Option<Timestamp>,
    },
    /// Choose by the network again.
    Auto,
    /// Leave everything as it is until `once`, `use` or `auto`.
    Pause,
    /// Put everything back, and leave it alone until `once`, `use` or `auto`.
    Restore,
    /// Read the policy again, and look at what it goes by.
    Reload,
    /// End the agent; what it has set stays.
    End,
}

impl Command {
    /// Does it change nothing?
    pub fn only_asks(&self) -> bool {
        matches!(self, Command::Status | Command::Watch)
    }
}

/// What a turn found and did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnReport {
    /// What is true after it.
    pub status: Status,
    /// The names that were changed (or would be, on a dry run).
    pub changed: Vec<String>,
    /// What was chosen, and why.
    pub decision: Option<Decision>,
    /// The profile before.
    pub from: Option<String>,
    /// What was to be done with each variable, credentials removed.
    pub plan: Plan,
    /// What came of it.
    pub outcome: Outcome,
    /// Milliseconds by step.
    pub took: BTreeMap<String, f64>,
}

/// A turn as scripts get it: what `status` tells, and what the turn did, side by side.
#[derive(Debug, Serialize)]
pub struct FlatReport<'a> {
    #[serde(flatten)]
    status: &'a Status,
    changed: &'a [String],
    decision: Option<&'a Decision>,
    /// The profile before; `from` is the status's, where modules come from.
    before: Option<&'a str>,
    plan: &'a Plan,
    outcome: &'a Outcome,
    took: &'a BTreeMap<String, f64>,
}

impl TurnReport {
    /// The form for scripts.
    pub fn flat(&self) -> FlatReport<'_> {
        FlatReport {
            status: &self.status,
            changed: &self.changed,
            decision: self.decision.as_ref(),
            before: self.from.as_deref(),
            plan: &self.plan,
            outcome: &self.outcome,
            took: &self.took,
        }
    }
}

/// What the agent answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `status`, `watch`, `pause`, `reload`, `end`.
    Status(Box<Status>),
    /// To `once`, `use`, `auto`, `restore`.
    Turn(Box<TurnReport>),
    /// It could not be done.
    Failed {
        /// Why, and the way out.
        error: String,
        /// The exit code that the command line ends with.
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

/// What sets off a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The agent has started.
    Start,
    /// A command: `once`, `use`, `auto`.
    Asked,
    /// The steady re-probe, or a look again after a doubtful round.
    Recheck,
    /// Something about the network changed.
    Network,
    /// The machine has slept.
    Wake,
    /// The policy changed.
    Policy,
    /// Another program changed a managed variable.
    Drift,
    /// A pin has run out.
    PinEnded,
    /// A target has answered that was waited for beside the rounds.
    Late,
}

impl Cause {
    /// The word that the journal keeps.
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
        }
    }

    /// Is what was learnt of the targets before no longer true? Then `fall` and `rise` do not
    /// apply: they smooth over hiccups on one network, not over a move to another.
    pub(crate) fn is_fresh(self) -> bool {
        !matches!(
            self,
            Cause::Recheck | Cause::Drift | Cause::PinEnded | Cause::Late
        )
    }

    /// Does it ask for goroam's values even where another program has changed them?
    pub(crate) fn overrides_drift(self) -> bool {
        matches!(self, Cause::Asked | Cause::Policy)
    }
}
