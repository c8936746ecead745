//! What the relay has done since its start: counts for `exec`'s summary, the page and the metrics.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use super::rules::chain::RelayChain;
use super::rules::course::AttemptEnd;
use super::rules::hop::Failure;

/// Incidents, and refused requests, that are kept.
const MOST_INCIDENTS: usize = 50;

/// Counts of one relay.
#[derive(Debug, Clone, Default)]
pub struct RelayStats {
    requests: u64,
    /// By name, in no order of the chain.
    hops: BTreeMap<String, HopStats>,
    refusals: BTreeMap<u16, u64>,
    /// The last of them, the oldest first.
    refused: VecDeque<RefusedRequest>,
    fail_overs: u64,
    incidents: VecDeque<Incident>,
}

/// Counts of one hop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HopStats {
    /// Requests that were sent to it.
    pub requests: u64,
    /// Files that go got from it.
    pub served: u64,
    /// Attempts that failed; 404 is no failure.
    pub failed: u64,
    /// Why the last of them failed.
    pub last_failure: Option<Failure>,
    /// The last attempt of all failed.
    pub is_failing: bool,
    /// The time that the files took together.
    pub time: Duration,
}

/// A request that go got no file for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// What was asked.
    pub path: String,
    /// The answer's status.
    pub status: u16,
    /// The hops that failed, the most useful first; none if no hop has the file.
    pub failures: Vec<(String, Failure)>,
}

/// A hop served what a hash contradicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The hop.
    pub hop: String,
    /// What was asked.
    pub path: String,
    /// Another hop had the right content.
    pub is_healed: bool,
}

impl RelayStats {
    pub(super) fn switch(&mut self, chain: &RelayChain) {
        for hop in &chain.hops {
            self.hops.entry(hop.name.clone()).or_default();
        }
    }

    pub(super) fn attempt(&mut self, hop: &str, end: &AttemptEnd) {
        let hop = self.hops.entry(hop.to_owned()).or_default();
        hop.requests += 1;
        hop.is_failing = matches!(end, AttemptEnd::Failed(_));
        if let AttemptEnd::Failed(failure) = end {
            hop.failed += 1;
            hop.last_failure = Some(failure.clone());
        }
    }

    pub(super) fn served(&mut self, hop: &str, is_fail_over: bool, took: Duration) {
        self.requests += 1;
        self.fail_overs += u64::from(is_fail_over);
        let hop = self.hops.entry(hop.to_owned()).or_default();
        hop.served += 1;
        hop.time += took;
    }

    pub(super) fn refused(&mut self, request: RefusedRequest) {
        self.requests += 1;
        *self.refusals.entry(request.status).or_default() += 1;
        if self.refused.len() == MOST_INCIDENTS {
            self.refused.pop_front();
        }
        self.refused.push_back(request);
    }

    pub(super) fn incident(&mut self, incident: Incident) {
        tracing::warn!(hop = %incident.hop, path = %incident.path, "a proxy served wrong content");
        if self.incidents.len() == MOST_INCIDENTS {
            self.incidents.pop_front();
        }
        self.incidents.push_back(incident);
    }

    /// Requests that were answered.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests that another hop served than the first of the chain, because one failed.
    pub fn fail_overs(&self) -> u64 {
        self.fail_overs
    }

    /// The hops by name.
    pub fn hops(&self) -> impl Iterator<Item = (&str, &HopStats)> {
        self.hops.iter().map(|(name, hop)| (name.as_str(), hop))
    }

    /// Answers without a file, by status.
    pub fn refusals(&self) -> impl Iterator<Item = (u16, u64)> {
        self.refusals
            .iter()
            .map(|(status, count)| (*status, *count))
    }

    /// The last requests that were refused, the latest first.
    pub fn refused_requests(&self) -> impl Iterator<Item = &RefusedRequest> {
        self.refused.iter().rev()
    }

    /// The last incidents, the oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter()
    }
}
