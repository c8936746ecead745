//! Targets that took a request and did not answer in time: the decision goes on without them, and
//! here they are asked once more, beside the rounds, for as long as a cold cache may need. What
//! one of them answers then leads to a new decision. Nothing runs here once all have answered.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tracing::info;

use super::session::Session;
use super::targets;
use crate::model::{Observation, Snapshot};
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

    /// Asks these targets patiently, in the background; those that are asked already only once.
    pub(super) fn wait_for(
        &mut self,
        silent: BTreeSet<String>,
        session: &Session,
        snapshot: &Snapshot,
    ) {
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
                ..targets::care(&session.memory, true, snapshot, &target)
            };
            let prober = Arc::clone(&prober);
            if self.waiting.insert(name) {
                let answer = async move { prober.probe_with(&target, care).await };
                self.tries.push(Box::pin(answer));
            }
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
