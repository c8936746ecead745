//! Answers requests: each walks the chain that is in force, and equal ones under way are joined.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::Notify;

use super::database;
use super::epoch::{Epoch, RelaySetup};
use super::keep::Keeping;
use super::rules::breaker::BreakerState;
use super::rules::hop::{HopClass, RelayHop};
use super::rules::reply::Refusal;
use super::rules::request::ProxyRequest;
use super::spool::lock;
use super::stats::RelayStats;
use super::walk::{Reply, Walk};
use crate::environment::Environment;

/// How long a request waits for the first chain.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A hop as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopView {
    /// Its name.
    pub name: String,
    /// Its operator.
    pub class: HopClass,
    /// What is known about it on this network.
    pub state: BreakerState,
    /// The median time to its answers on this network.
    pub usual_time: Option<Duration>,
}

/// The relay's engine.
#[derive(Debug)]
pub struct RelayEngine {
    /// `None` until the first chain is known.
    epoch: Mutex<Option<Arc<Epoch>>>,
    ready: Notify,
    joined: Mutex<HashMap<ProxyRequest, WeakShared<Answer>>>,
    stats: Arc<Mutex<RelayStats>>,
    keeping: Keeping,
}

type Answer = BoxFuture<'static, Reply>;

impl RelayEngine {
    /// Starts with this setup.
    pub fn new(env: &Environment, setup: RelaySetup) -> RelayEngine {
        let engine = RelayEngine::waiting();
        engine.switch(env, setup);
        engine
    }

    /// Starts without a chain: requests wait a while for the first [`RelayEngine::switch`].
    pub fn waiting() -> RelayEngine {
        RelayEngine {
            epoch: Mutex::default(),
            ready: Notify::new(),
            joined: Mutex::default(),
            stats: Arc::default(),
            keeping: Keeping::default(),
        }
    }

    /// Uses another chain from now on: the network or the policy has changed. What is known of the
    /// hops is forgotten; requests that are under way go on as they began.
    pub fn switch(&self, env: &Environment, setup: RelaySetup) {
        self.stats().switch(&setup.chain);
        let epoch = Arc::new(Epoch::new(env, setup, Arc::clone(&self.stats)));
        *lock(&self.epoch) = Some(epoch);
        lock(&self.joined).clear();
        self.ready.notify_waiters();
    }

    /// Takes over what a probe has found out about the hop with this base URL.
    pub fn probed(&self, url: &str, is_up: bool) {
        if let Some(epoch) = lock(&self.epoch).clone() {
            for hop in epoch.setup.chain.at(url) {
                epoch.health().probed(hop, is_up, Instant::now());
            }
        }
    }

    async fn epoch(&self) -> Option<Arc<Epoch>> {
        let ready = self.ready.notified();
        tokio::pin!(ready);
        ready.as_mut().enable();
        if let Some(epoch) = lock(&self.epoch).clone() {
            return Some(epoch);
        }
        let _ = tokio::time::timeout(START_LIMIT, ready).await;
        lock(&self.epoch).clone()
    }

    /// The hops of the chain in force, in order.
    pub fn hops(&self) -> Vec<HopView> {
        let Some(epoch) = lock(&self.epoch).clone() else {
            return Vec::new();
        };
        let (health, now) = (epoch.health(), Instant::now());
        let view = |(number, hop): (usize, &RelayHop)| HopView {
            name: hop.name.clone(),
            class: hop.class,
            state: health.overall(number, now),
            usual_time: health.usual_time(number),
        };
        epoch.hops.iter().enumerate().map(view).collect()
    }

    /// What was served from where since the start.
    pub fn stats(&self) -> MutexGuard<'_, RelayStats> {
        lock(&self.stats)
    }

    /// Reports whether requests wait for the first chain.
    pub fn is_waiting(&self) -> bool {
        lock(&self.epoch).is_none()
    }

    /// Reports whether a request is under way.
    pub fn is_busy(&self) -> bool {
        let joined = lock(&self.joined);
        joined.values().any(|answer| answer.upgrade().is_some())
    }

    /// Answers a request. `path` is the path of the request as go sent it, without the token.
    pub async fn serve(&self, request: ProxyRequest, path: &str) -> Reply {
        let Some(epoch) = self.epoch().await else {
            let why = "goroam's relay does not know the network yet";
            return Reply::Refused(Refusal::new(502, why));
        };
        let (answer, is_first) = {
            let mut joined = lock(&self.joined);
            match joined.get(&request).and_then(WeakShared::upgrade) {
                Some(answer) => (answer, false),
                None => {
                    let (path, epoch) = (path.to_owned(), Arc::clone(&epoch));
                    let asked = request.clone();
                    let answer = async move { RelayEngine::answer(&epoch, &asked, &path).await };
                    let answer: Shared<Answer> = (Box::pin(answer) as Answer).shared();
                    joined.retain(|_, answer| answer.upgrade().is_some());
                    if let Some(answer) = answer.downgrade() {
                        joined.insert(request.clone(), answer);
                    }
                    (answer, true)
                }
            }
        };
        let reply = answer.await;
        if is_first {
            self.keeping.offer(&epoch, request, &reply);
        }
        reply
    }

    /// Tells it its own URL: with it, the mirror can keep what passes.
    pub(super) fn listens_at(&self, url: String) {
        // A relay listens once.
        let _ = self.keeping.url.set(url);
    }

    /// Waits until what has passed is in the mirror, for this long at most.
    pub async fn finish_keeping(&self, limit: Duration) {
        self.keeping.finish(limit).await;
    }

    async fn answer(epoch: &Epoch, request: &ProxyRequest, path: &str) -> Reply {
        match request {
            ProxyRequest::Module { module, .. } => {
                let walk = Walk {
                    epoch,
                    hops: &epoch.hops,
                    end: epoch.setup.chain.end,
                    is_private: epoch.setup.chain.is_private(module),
                    request,
                    path,
                };
                walk.reply().await
            }
            ProxyRequest::SumDb { name, rest } => {
                database::answer(epoch, request, name, rest, path).await
            }
        }
    }
}
