//! What the agent does with the fleet's policy.

use super::Agent;
use crate::agent::error::Error;
use crate::agent::fleet::FleetUpdate;

impl Agent {
    /// Fetches the policy: an event has set this time.
    pub(in crate::agent) fn start_fleet(&mut self) {
        self.fleet.start(&self.session);
    }

    /// Applies a new policy at once, and writes down one that is refused.
    pub(in crate::agent) fn fleet_ended(&mut self, ended: Result<FleetUpdate, Error>) {
        let is_new = matches!(ended, Ok(FleetUpdate::New { .. }));
        if let Some(news) = self.fleet.note(ended) {
            self.session.note_fleet(&self.snapshot, news);
        }
        if is_new {
            self.reload(false);
        }
        self.publish_status();
    }
}
