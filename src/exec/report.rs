//! What is reported of one run of the command, or of one hop of the relay.

use serde::Serialize;

use super::classify::{Class, Classified};
use super::stall::Stuck;
use crate::model::Tier;

/// One run of the command on one step, or what it asked of one hop of the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptReport {
    /// The step.
    pub tier: Tier,
    /// The proxy or tree that the relay asked.
    pub hop: Option<String>,
    /// How many requests it sent there.
    pub requests: u64,
    /// How many of them were answered with a list of versions that may be old.
    #[serde(skip_serializing_if = "crate::model::status::is_default")]
    pub stale: u64,
    /// The result of this run, or the state of the hop at its end.
    pub class: Class,
    /// The run's exit code; 128 and the signal's number if it ended by one.
    pub exit: i32,
    /// How long the run took, in milliseconds.
    pub ms: u64,
    /// The line that shows what was wrong; empty if nothing was.
    pub line: String,
    /// The classification of go's messages.
    #[serde(skip)]
    pub seen: Option<Classified>,
    /// Why goroam ended it, if it did.
    #[serde(skip)]
    pub stuck: Option<Stuck>,
}
