//! What the agent does when another program writes to the go env file.

use std::time::Instant;

use tracing::{info, warn};

use super::Agent;
use crate::agent::command::Cause;
use crate::model::Change;
use crate::model::status::Drift;
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
            // One look more, when the other program has been quiet for long enough.
            match self.corrections.until_rested(now) {
                Some(end) if self.fight.is_some() => self.put_off_drift(end),
                Some(_) => {}
                None => {
                    self.fight = None;
                    self.publish_status();
                }
            }
            return;
        }
        let drift = status.drift.iter();
        let names: Vec<&str> = drift.map(|drift| drift.name.as_str()).collect();
        let names = names.join(", ");
        // A round under way will write what is needed.
        let restore = self.session.loaded.policy.agent.on_drift == OnDrift::Restore;
        if !restore {
            self.fight = None;
        } else if self.work.is_none() {
            match self.corrections.take(now) {
                Ok(()) => {
                    info!("another program changed {names}; setting it again");
                    self.begin(Cause::Drift);
                    return;
                }
                Err(again) => {
                    self.note_fight(&status.drift);
                    self.put_off_drift(again);
                }
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
                let (drift, changes) = (status.drift, Vec::new());
                self.session.note_drift(&self.snapshot, drift, changes);
            }
            Err(again) => self.put_off_drift(again),
        }
        self.publish_status();
    }

    /// Looks again at this time, or at an earlier one that is set already.
    pub(super) fn put_off_drift(&mut self, again: Instant) {
        let timer = &mut self.timers.env_file;
        *timer = Some(timer.map_or(again, |at| at.min(again)));
    }

    /// Reports that goroam and another program keep overwriting each other. Which program it is
    /// cannot be known: the system names it to root only, and `go env -w` has ended by then.
    fn note_fight(&mut self, drift: &[Drift]) {
        let wait = self.corrections.wait().unwrap_or_default().as_secs() / 60;
        let set = drift.iter().map(|drift| match &drift.found {
            Some(value) => format!("sets {} to {value}", drift.name),
            None => format!("removes {}", drift.name),
        });
        let set = Vec::from_iter(set).join(" and ");
        let what = format!(
            "another program {set} again and again; goroam waits {wait} min before it sets its own \
             value again, each time twice as long, at most 1 h"
        );
        let is_news = self.fight.is_none();
        self.fight = Some(what.clone());
        if is_news {
            warn!("{what}");
            let changes = vec![Change { what, major: true }];
            let drift = drift.to_vec();
            self.session.note_drift(&self.snapshot, drift, changes);
        }
    }
}
