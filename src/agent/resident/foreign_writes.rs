//! What the agent does when another program writes to the go env file.

use std::time::Instant;

use tracing::{info, warn};

use super::Agent;
use crate::agent::command::Cause;
use crate::model::Change;
use crate::policy::OnDrift;

impl Agent {
    /// Handles a write to the go env file by another program. goroam recognises its own writes by
    /// their content.
    pub(super) async fn look_for_drift(&mut self, now: Instant) {
        if let Some(again) = self.env_file_settles(now) {
            self.put_off_drift(again);
            self.publish_status();
            return;
        }
        let status = self.publish_status();
        if self.session.memory.paused {
            return;
        }
        if status.drift.is_empty() {
            if self.corrections.holds_back(now).is_none() {
                self.fight = None;
            }
            return;
        }
        let drift = status.drift.iter();
        let names: Vec<&str> = drift.map(|drift| drift.name.as_str()).collect();
        let names = names.join(", ");
        // A round under way will write what is needed.
        let restore = self.session.loaded.policy.agent.on_drift == OnDrift::Restore;
        if restore && self.work.is_none() {
            match self.corrections.take(now) {
                Ok(()) => {
                    info!("another program changed {names}; setting it again");
                    self.note_fight(&names, now);
                    self.begin(Cause::Drift);
                    return;
                }
                Err(again) => self.put_off_drift(again),
            }
        }
        match self.session.let_go(&self.snapshot).await {
            Ok(ended) if ended.is_empty() => {}
            Ok(ended) => {
                let ended = ended.join(", ");
                info!("{names} was set by hand; {ended} is as it was before goroam");
                // A round under way is based on the file as it was before.
                if let Some(stale) = self.work.take() {
                    self.begin_for(stale.cause, stale.dry_run, stale.answers);
                }
                self.publish_status();
                return;
            }
            Err(error) => {
                warn!("{error}");
                self.turn_trouble = Some(error.to_string());
            }
        }
        match self.notes.take(now) {
            Ok(()) => {
                info!("another program changed {names}");
                self.session.note_drift(&self.snapshot, status.drift);
            }
            Err(again) => self.put_off_drift(again),
        }
        self.publish_status();
    }

    fn put_off_drift(&mut self, again: Instant) {
        let timer = &mut self.timers.env_file;
        *timer = Some(timer.map_or(again, |at| at.min(again)));
    }

    /// Reports that goroam and another program keep overwriting each other.
    fn note_fight(&mut self, names: &str, now: Instant) {
        let Some(wait) = self.corrections.holds_back(now) else {
            self.fight = None;
            return;
        };
        let what = format!(
            "another program keeps changing {names}; goroam waits at least {} s before it sets it again, and longer each time",
            wait.as_secs()
        );
        if self.fight.is_none() {
            warn!("{what}");
            let (what, major) = (what.clone(), true);
            Change::add(vec![Change { what, major }], &mut self.changes);
        }
        self.fight = Some(what);
    }
}
