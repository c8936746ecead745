//! What the agent does about targets that are slow: see `late`.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::{debug, info};

use super::cause::Cause;
use super::met;
use super::resident::Agent;
use crate::model::{Observation, Verdict};
use crate::probe::{ProbeOptions, Prober};

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
                "does not answer yet; it is waited for beside"
            );
            let care = ProbeOptions {
                patience: target.patience(),
                ..met::care(&session.memory, true, &self.snapshot, &target)
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
        self.tell();
    }
}
