//! What the relay has done since its start: counts for `exec`'s summary, the page and the metrics.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::rules::chain::RelayChain;
use super::rules::course::AttemptEnd;
use super::rules::hop::Failure;
use super::rules::request::{ModuleFile, ProxyRequest};

/// Events of one kind that are kept.
const MOST_EVENTS: usize = 50;

/// Counts of one relay.
#[derive(Debug, Clone, Default)]
pub struct RelayStats {
    requests: u64,
    /// By name, in no order of the chain.
    hops: BTreeMap<String, HopStats>,
    refusals: BTreeMap<u16, u64>,
    refused: Recent<RefusedRequest>,
    served: Recent<ServedFile>,
    /// Files that another hop served than the first of the chain, because one failed.
    fail_overs: u64,
    changes: Recent<FailOver>,
    incidents: Recent<Incident>,
    /// Told of each incident.
    noticed: Arc<Notify>,
    /// The last list came from this machine, as no proxy answered.
    is_stale: bool,
    kept: u64,
    not_kept: Option<String>,
}

/// The last events of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent<T> {
    /// The oldest first.
    last: VecDeque<(Timestamp, T)>,
    total: u64,
}

impl<T> Default for Recent<T> {
    fn default() -> Recent<T> {
        Recent {
            last: VecDeque::new(),
            total: 0,
        }
    }
}

impl<T> Recent<T> {
    fn push(&mut self, event: T) {
        if self.last.len() == MOST_EVENTS {
            self.last.pop_front();
        }
        self.last.push_back((Timestamp::now(), event));
        self.total += 1;
    }

    /// The last ones, the latest first.
    pub fn latest(&self) -> impl Iterator<Item = &T> {
        self.last.iter().rev().map(|(_, event)| event)
    }

    /// The same with their times.
    pub fn timed(&self) -> impl Iterator<Item = (Timestamp, &T)> {
        self.last.iter().rev().map(|(at, event)| (*at, event))
    }

    /// How many there were since the start.
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// Counts of one hop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HopStats {
    /// Requests that were sent to it.
    pub requests: u64,
    /// Files that go got from it.
    pub served: u64,
    /// Those of them that may be old: lists of versions, as no proxy answered.
    pub stale: u64,
    /// Attempts that failed; 404 is no failure.
    pub failed: u64,
    /// Why the last of them failed.
    pub last_failure: Option<Failure>,
    /// The last attempt of all failed.
    pub is_failing: bool,
    /// The time that the files took together.
    pub time: Duration,
}

/// A file that go got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedFile {
    /// What was asked.
    pub path: String,
    /// The hop that served it.
    pub hop: String,
    /// How long it took in all.
    pub took: Duration,
    /// A list of versions that may be old.
    pub is_stale: bool,
}

/// Files in a row that one hop served because the same others failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailOver {
    /// The hop that served them.
    pub hop: String,
    /// The hops that failed, with the reasons at the first of the files.
    pub failed: Vec<(String, Failure)>,
    /// How many there were.
    pub files: u64,
    /// The last of them.
    pub path: String,
}

impl FailOver {
    fn is_same(&self, hop: &str, failed: &[(String, Failure)]) -> bool {
        let [own, other] = [&self.failed, failed].map(|failed| failed.iter().map(|(hop, _)| hop));
        self.hop == hop && own.eq(other)
    }
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

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sent wrong content for ", self.hop)?;
        match ProxyRequest::parse(&self.path) {
            Some(ProxyRequest::Module {
                module,
                file: ModuleFile::Mod(version) | ModuleFile::Zip(version),
            }) => write!(f, "{module}@{version}"),
            Some(ProxyRequest::Module { .. } | ProxyRequest::SumDb { .. }) | None => {
                f.write_str(&self.path)
            }
        }
    }
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

    /// `failed`: the hops because of whose failure this one was asked.
    pub(super) fn served(&mut self, file: ServedFile, failed: Vec<(String, Failure)>) {
        self.requests += 1;
        let hop = self.hops.entry(file.hop.clone()).or_default();
        hop.served += 1;
        hop.stale += u64::from(file.is_stale);
        // Once, not for each module of a build.
        if file.is_stale && !self.is_stale {
            tracing::warn!(
                hop = %file.hop,
                path = %file.path,
                "no proxy answers: what go hears of versions may be old"
            );
        }
        self.is_stale = file.is_stale || (self.is_stale && !failed.is_empty());
        hop.time += file.took;
        if !failed.is_empty() {
            self.fail_over(&file, failed);
        }
        self.served.push(file);
    }

    fn fail_over(&mut self, file: &ServedFile, failed: Vec<(String, Failure)>) {
        self.fail_overs += 1;
        match self.changes.last.back_mut() {
            Some((at, last)) if last.is_same(&file.hop, &failed) => {
                *at = Timestamp::now();
                last.files += 1;
                last.path.clone_from(&file.path);
            }
            Some(_) | None => self.changes.push(FailOver {
                hop: file.hop.clone(),
                failed,
                files: 1,
                path: file.path.clone(),
            }),
        }
    }

    pub(super) fn refused(&mut self, request: RefusedRequest) {
        self.requests += 1;
        *self.refusals.entry(request.status).or_default() += 1;
        self.refused.push(request);
    }

    pub(super) fn incident(&mut self, incident: Incident) {
        tracing::warn!(
            hop = %incident.hop,
            path = %incident.path,
            "a proxy served wrong content"
        );
        self.incidents.push(incident);
        self.noticed.notify_one();
    }

    /// What is told of each incident.
    pub fn noticed(&self) -> Arc<Notify> {
        Arc::clone(&self.noticed)
    }

    pub(super) fn kept(&mut self, versions: u64, trouble: Option<String>) {
        self.kept += versions;
        if let Some(why) = &trouble
            && self.not_kept != trouble
        {
            tracing::warn!("the mirror does not keep what the relay passes on: {why}");
        }
        self.not_kept = trouble;
    }

    /// Lists of versions that may be old: they came from this machine, as no proxy answered.
    pub fn stale(&self) -> u64 {
        self.hops.values().map(|hop| hop.stale).sum()
    }

    /// Versions that are in the mirror because they passed.
    pub fn kept_versions(&self) -> u64 {
        self.kept
    }

    /// Why the mirror does not keep what passes at present.
    pub fn not_kept(&self) -> Option<&str> {
        self.not_kept.as_deref()
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

    /// The last files that go got.
    pub fn served_files(&self) -> &Recent<ServedFile> {
        &self.served
    }

    /// The last fail-overs.
    pub fn last_fail_overs(&self) -> &Recent<FailOver> {
        &self.changes
    }

    /// The last requests that were refused.
    pub fn refused_requests(&self) -> &Recent<RefusedRequest> {
        &self.refused
    }

    /// The last incidents.
    pub fn incidents(&self) -> &Recent<Incident> {
        &self.incidents
    }
}
