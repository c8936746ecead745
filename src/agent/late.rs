//! Targets that took a request and did not answer in time: the decision goes on without them, and
//! here they are asked once more, beside the rounds, for as long as a cold cache may need. What
//! one of them answers then leads to a new decision. Nothing runs here once all have answered.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tracing::{debug, info};

use super::resident::Agent;
use super::round::Cause;
use super::targets;
use crate::model::{Observation, Verdict};
use crate::probe::{ProbeOptions, Prober};

/// The tries that are under way, one for a target, each with one connection.
#[derive(Default)]
pub(super) struct LateTargets {
    tries: FuturesUnordered<Pin<Box<dyn Future<Output = Observation>>>>,
    pub(super) waiting: BTreeSet<String>,
    /// What has come, for the round that it sets off.
    pub(super) news: BTreeMap<String, Observation>,
}

impl LateTargets {
    /// What was asked on another network, or by another policy, is of no use any more.
    pub(super) fn drop_all(&mut self) {
        *self = LateTargets::default();
    }

    /// Waits for one more, unless it is waited for already.
    pub(super) fn wait_for(
        &mut self,
        name: String,
        answer: impl Future<Output = Observation> + 'static,
    ) {
        if self.waiting.insert(name) {
            self.tries.push(Box::pin(answer));
        }
    }

    /// The next answer; for ever when none is waited for. Cancel-safe.
    pub(super) async fn next(&mut self) -> Observation {
        match self.tries.next().await {
            Some(seen) => seen,
            None => std::future::pending().await,
        }
    }
}

impl Agent {
    /// Asks them patiently, beside whatever follows.
    pub(super) fn wait_for(&mut self, silent: BTreeSet<String>) {
        let session = &self.session;
        if session.memory.paused || silent.is_empty() {
            return;
        }
        let prober = Arc::new(Prober::new(&session.env));
        for name in silent {
            let Some(target) = session.loaded.policy.targets.get(&name).cloned() else {
                continue;
            };
            info!(
                target = target.name,
                "no answer yet; waiting for it in the background"
            );
            let care = ProbeOptions {
                patience: target.patience(),
                ..targets::care(&session.memory, true, &self.snapshot, &target)
            };
            let prober = Arc::clone(&prober);
            let answer = async move { prober.probe_with(&target, care).await };
            self.late.wait_for(name, answer);
        }
    }

    /// One has answered, or has been silent to the end.
    pub(super) fn answered_late(&mut self, seen: Observation) {
        self.late.waiting.remove(&seen.target);
        debug!(
            target = seen.target,
            verdict = seen.verdict.as_str(),
            "{}",
            seen.reason
        );
        if self.session.memory.paused {
            return;
        }
        if matches!(seen.verdict, Verdict::Up | Verdict::Portal) {
            self.late.news.insert(seen.target.clone(), seen);
            self.begin(Cause::Late, false, Vec::new());
            return;
        }
        // It is down as it was; only that it was waited for is news.
        let memory = &mut self.session.memory;
        memory.waited.insert(seen.target.clone());
        memory.seen.insert(seen.target.clone(), seen);
        self.publish_status();
    }
}
