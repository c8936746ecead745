//! Targets that took a request and did not answer in time: the decision goes on without them, and
//! here they are asked once more, beside the rounds, for as long as a cold cache may need. What
//! one of them answers then leads to a new decision. Nothing runs here once all have answered.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::model::Observation;

/// The tries that are under way, one for a target, each with one connection.
#[derive(Default)]
pub(super) struct Late {
    tries: FuturesUnordered<Pin<Box<dyn Future<Output = Observation>>>>,
    pub(super) waiting: BTreeSet<String>,
    /// What has come, for the round that it sets off.
    pub(super) news: BTreeMap<String, Observation>,
}

impl Late {
    /// What was asked on another network, or by another policy, is of no use any more.
    pub(super) fn drop_all(&mut self) {
        *self = Late::default();
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
