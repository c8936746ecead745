//! How the agent starts its relay, gives it the chain in force, and ends it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tracing::warn;

use super::Agent;
use crate::agent::command::Cause;
use crate::agent::round::RoundInProgress;
use crate::agent::supervisor::Supervisor;
use crate::agent::turn::{current_decision, prepare_known};

/// How long an agent that is told to end while it starts waits for its first round, so that its
/// relay can answer.
const FIRST_ROUND: Duration = Duration::from_secs(5);

impl Agent {
    pub(super) fn settle_relay(&mut self) {
        let settings = &self.session.loaded.policy.relay;
        self.session.relay = self.relay.settle(settings, &self.session.paths);
    }

    pub(super) async fn follow_with_relay(&mut self, cause: Cause) {
        let is_new = matches!(cause, Cause::Start | Cause::Network | Cause::Wake);
        self.relay.follow(self.session.for_relay(), is_new).await;
    }

    /// Ends the relay for the program that replaces this one: GOPROXY stays, and go waits.
    pub(in crate::agent) async fn hand_over_relay(&mut self) -> Option<TcpListener> {
        self.relay.hand_over().await
    }

    /// Takes the relay's URL out of GOPROXY, finishes what is under way, and ends the relay.
    pub(in crate::agent) async fn end_relay(&mut self, supervisor: &mut dyn Supervisor) {
        if !self.relay.is_running() {
            return;
        }
        // Requests that wait for the first chain would fail without it.
        if self.relay.is_waiting() && self.work.is_some() {
            let first = RoundInProgress::end(&mut self.work);
            if let Ok(ready) = timeout(FIRST_ROUND, first).await {
                self.done(ready).await;
            }
        }
        self.work = None;
        self.session.relay = None;
        if self.session.relayed.is_some()
            && let Ok(mut input) = self.input(Cause::Asked)
            && let Some(decision) = current_decision(&input)
        {
            input.began = Instant::now();
            let bare = async {
                let ready = prepare_known(input, decision).await?;
                self.session.finish(ready, false).await
            };
            if let Err(error) = bare.await {
                warn!("the relay's URL stays in GOPROXY: {error}");
            }
        }
        self.relay.end(supervisor).await;
    }
}
