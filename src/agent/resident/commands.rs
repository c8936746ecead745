//! What the agent does with a command.

use super::Agent;
use crate::agent::clock::Timers;
use crate::agent::command::{Answer, Cause, Command, Reply};
use crate::agent::round::RoundInProgress;
use crate::model::Change;

impl Agent {
    pub(in crate::agent) async fn asked(&mut self, command: Command, answer: Answer) {
        match command {
            Command::Status | Command::Watch => {
                let _ = answer.send(Reply::Status(Box::new(self.status())));
            }
            Command::Reload => {
                self.reload(false);
                // The policy can be unchanged while something that it depends on has changed: the
                // mirror.
                if self.work.is_none() {
                    self.begin(Cause::Recheck);
                }
                let reply = match &self.policy_trouble {
                    Some(trouble) => Reply::Failed {
                        error: trouble.clone(),
                        exit: 2,
                    },
                    None => Reply::Status(Box::new(self.status())),
                };
                let _ = answer.send(reply);
            }
            Command::Once { .. } | Command::Use { .. } | Command::Auto => {
                // Uses the policy as it is now, even if no watch could report its change.
                self.reload(command == Command::Once { dry_run: false });
                match self.session.choose(&command, None) {
                    Ok(()) => {
                        let snapshot = self.survey();
                        let changes = Change::between(&self.snapshot, &snapshot);
                        if changes.iter().any(|change| change.major) {
                            self.drop_background();
                        }
                        Change::add(changes, &mut self.changes);
                        self.snapshot = snapshot;
                        let dry_run = command == Command::Once { dry_run: true };
                        self.begin_for(Cause::Asked, dry_run, vec![answer]);
                    }
                    Err(error) => {
                        let _ = answer.send(Reply::failed(&error));
                    }
                }
            }
            Command::Pause => self.pause(answer),
            Command::Restore => self.restore(answer).await,
            // The loop ends before it asks a server.
            Command::End => {
                let _ = answer.send(Reply::Status(Box::new(self.status())));
            }
        }
    }

    /// Pauses. Values that are set stay. The pin stays too: only `auto` and `use` end it.
    fn pause(&mut self, answer: Answer) {
        let stale = self.work.take();
        self.rest();
        let _ = answer.send(Reply::Status(Box::new(self.publish_status())));
        RoundInProgress::dismiss(stale, "`goroam pause`");
    }

    async fn restore(&mut self, answer: Answer) {
        let stale = self.work.take();
        match self.session.put_back().await {
            Ok(mut report) => {
                self.rest();
                let told = std::mem::replace(&mut report.status, self.publish_status()).troubles;
                let troubles = &mut report.status.troubles;
                for trouble in told {
                    if !troubles.contains(&trouble) {
                        troubles.push(trouble);
                    }
                }
                RoundInProgress::dismiss(stale, "`goroam restore`");
                let _ = answer.send(Reply::Turn(Box::new(report)));
            }
            Err(error) => {
                // Nothing was changed: the dropped round begins again.
                if let Some(stale) = stale {
                    self.begin_for(stale.cause, stale.dry_run, stale.answers);
                }
                let _ = answer.send(Reply::failed(&error));
            }
        }
    }

    /// Does nothing without a command until `once`, `use` or `auto`.
    fn rest(&mut self) {
        self.session.memory.paused = true;
        self.drop_background();
        self.prefetch.stop();
        let saved = self.session.save_memory();
        self.turn_trouble = saved.err().map(|error| error.to_string());
        self.timers = Timers::default();
    }
}
