//! What the agent does with a measurement of the targets of a `fastest`.

use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::Agent;
use crate::agent::command::Cause;
use crate::agent::fastest::{Finding, note_measurement};
use crate::model::Observation;

/// When another target may be faster, the next regular round, which measures again, comes this
/// soon.
const SECOND_LOOK: Duration = Duration::from_secs(60);

impl Agent {
    /// Drops what runs in the background for the network as it was.
    pub(super) fn drop_background(&mut self) {
        self.late.drop_all();
        self.speeds.stop();
        self.fleet.stop();
    }

    /// After a turn: measures what the profile in force chooses from, if that is due.
    pub(super) fn measure_if_due(&mut self) {
        let session = &self.session;
        let policy = &session.loaded.policy;
        self.speeds
            .after_turn(&session.memory, policy, &session.env, &self.snapshot);
    }

    /// Handles the end of a measurement.
    pub(in crate::agent) fn measured(&mut self, seen: Vec<Observation>) {
        for one in &seen {
            let ms = one.speed.map(|speed| speed.expected_ms());
            debug!(target = one.target, verdict = %one.verdict, ms, "measured");
        }
        let session = &mut self.session;
        let policy = &session.loaded.policy;
        let finding = note_measurement(&mut session.memory, policy, &self.snapshot, &seen);
        if let Err(error) = session.save_memory() {
            warn!("{error}");
        }
        match finding {
            Finding::Nothing => {}
            Finding::Doubt => {
                let soon = Instant::now() + SECOND_LOOK;
                self.timers.round = self.timers.round.map(|at| at.min(soon));
            }
            Finding::Change => {
                let news = seen.into_iter().map(|seen| (seen.target.clone(), seen));
                self.late.news.extend(news);
                self.begin(Cause::Measured);
            }
        }
    }
}
