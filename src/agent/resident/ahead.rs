//! What the agent applies before a round has ended: the profile of last time on a known network, and
//! a provisional one on a new network. The round that follows, or continues, has the last word.

use std::time::Instant;

use tracing::debug;

use super::Agent;
use crate::agent::command::Cause;
use crate::agent::early::EarlyTurn;
use crate::agent::turn::{AfterEarly, known_decision, prepare_known};

impl Agent {
    /// On a known network, applies the profile of last time at once; the round that follows proves
    /// it.
    pub(super) async fn use_what_is_known(&mut self) {
        if self.env_file_settles(Instant::now()).is_some() {
            return;
        }
        let Ok(input) = self.input(Cause::Network) else {
            return;
        };
        let Some(decision) = known_decision(&input) else {
            return;
        };
        self.drop_work();
        let result = async {
            let ready = prepare_known(input, decision).await?;
            self.session.finish(ready, false).await
        };
        match result.await {
            Ok(_) => {
                self.follow_with_relay(Cause::Network).await;
                drop(self.publish_status());
            }
            Err(error) => debug!("the profile of last time: {error}"),
        }
    }

    /// Carries out the provisional turn of a round under way, and lets the round continue.
    pub(in crate::agent) async fn apply_early(&mut self, EarlyTurn { turn, done }: EarlyTurn) {
        if self.env_file_settles(Instant::now()).is_some() {
            return;
        }
        match self.session.finish(turn, false).await {
            Ok(_) => {
                self.follow_with_relay(Cause::Network).await;
                drop(self.publish_status());
            }
            Err(error) => debug!("the provisional profile: {error}"),
        }
        // Also after a failure: the file may have been written before it.
        let _ = done.send(AfterEarly {
            memory: self.session.memory.clone(),
            baseline: self.session.baseline.clone(),
        });
    }
}
