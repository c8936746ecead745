//! What may be asked of a running agent, and what it answers.

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
    /// Does it change nothing, whatever else was asked with it?
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
    /// The answer that an error makes.
    pub(super) fn failed(error: &Error) -> Reply {
        Reply::Failed {
            error: error.to_string(),
            exit: error.exit_code(),
        }
    }
}

/// Where the answer to a command goes.
pub(super) type Answer = tokio::sync::oneshot::Sender<Reply>;
