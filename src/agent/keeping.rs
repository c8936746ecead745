//! When the agent has the mirror kept ready.

use std::io;
use std::process::ExitStatus;
use std::time::Instant;

use super::clock;
use super::keeper::Situation;
use super::resident::Agent;

impl Agent {
    /// After a turn, or when nothing may be brought any more.
    pub(super) fn keep_ready(&mut self) {
        let policy = &self.session.loaded.policy;
        // Nobody asked for it: not even a look at a file.
        if !policy.mirror.keep_ready {
            return self.keeper.stop();
        }
        let memory = &self.session.memory;
        let profile = memory.profile.as_deref();
        let profile = profile.and_then(|name| policy.profile(name));
        let allowed = profile.is_some_and(|(_, profile)| profile.keep_ready)
            && self.snapshot.is_online()
            && self.turn_trouble.is_none()
            && !memory.paused;
        let readiness = self.session.readiness();
        self.keeper.consider(Situation {
            allowed,
            readiness: readiness.as_ref(),
            at: clock::now(),
            now: Instant::now(),
        });
    }

    /// The network has been here for a while.
    pub(super) fn begin_keeping(&mut self) {
        self.keeper.due = None;
        self.keeper
            .start(self.successor.trusted(), &self.session.paths);
    }

    /// It has ended.
    pub(super) async fn kept(&mut self, status: Result<ExitStatus, io::Error>) {
        self.keeper.note(status, Instant::now()).await;
        self.tell();
    }
}
