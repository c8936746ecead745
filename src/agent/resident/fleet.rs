//! What the agent does with the fleet's policy.

use super::Agent;
use crate::agent::error::Error;
use crate::agent::fleet::FleetUpdate;
use crate::agent::policy_file::fleet_of;

impl Agent {
    /// Fetches the policy: an event has set this time.
    pub(in crate::agent) fn start_fleet(&mut self) {
        self.fleet.start(&self.session);
    }

    /// Applies a new policy at once, and writes down one that is refused.
    pub(in crate::agent) fn fleet_ended(&mut self, ended: Result<FleetUpdate, Error>) {
        // Another process may have fetched it while this one did not listen.
        let is_new = match ended {
            Ok(FleetUpdate::New { .. }) => true,
            Ok(FleetUpdate::Unchanged) => {
                let held = fleet_of(&self.session.paths, &self.session.env);
                let own = self.session.loaded.fleet.as_ref();
                held.is_ok_and(|held| held.as_ref().map(|it| &it.text) != own.map(|it| &it.text))
            }
            Ok(FleetUpdate::Refused { .. } | FleetUpdate::Failed { .. }) | Err(_) => false,
        };
        if let Some(news) = self.fleet.note(ended) {
            self.session.note_fleet(&self.snapshot, news);
        }
        if is_new {
            self.reload(false);
        }
        self.publish_status();
    }
}
