//! Signs of life for whoever looks after the agent: only while it is at work, so that a timer
//! runs only then.

use std::time::Instant;

use super::resident::Agent;
use super::supervisor::{Life, Supervisor};

/// At work or at rest, and when the next sign of life is due.
pub(super) struct Pulse<'a> {
    supervisor: &'a mut dyn Supervisor,
    working: bool,
    beat: Option<Instant>,
}

impl<'a> Pulse<'a> {
    /// At work: a start is.
    pub(super) fn begin(supervisor: &'a mut dyn Supervisor, agent: &Agent) -> Pulse<'a> {
        let mut pulse = Pulse {
            supervisor,
            working: false,
            beat: None,
        };
        pulse.tell(Life::Ready, agent);
        pulse.work(agent);
        pulse
    }

    /// When the next sign of life is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.beat
    }

    /// Something has happened: the loop is at work, or still is.
    pub(super) fn work(&mut self, agent: &Agent) {
        let Some(every) = self.supervisor.heartbeat() else {
            return;
        };
        let now = Instant::now();
        if !self.working {
            self.supervisor.tell(Life::Working, &agent.last_told());
        } else if self.beat.is_some_and(|beat| beat <= now) {
            self.supervisor.tell(Life::Beat, &agent.last_told());
        } else {
            return;
        }
        self.working = true;
        self.beat = Some(now + every);
    }

    /// What had happened is dealt with; a round may still be under way.
    pub(super) fn rest(&mut self, agent: &Agent) {
        if agent.work.is_some() {
            return;
        }
        self.working = false;
        self.beat = None;
        self.supervisor.tell(Life::Resting, &agent.last_told());
    }

    /// Tells it as it is.
    pub(super) fn tell(&mut self, life: Life, agent: &Agent) {
        self.supervisor.tell(life, &agent.last_told());
    }

    /// See [`Supervisor::starts_again`].
    pub(super) fn starts_again(&self) -> bool {
        self.supervisor.starts_again()
    }
}
