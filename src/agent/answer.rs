//! What the agent does when it is asked.

use super::cause::Cause;
use super::command::{Command, Reply};
use super::resident::Agent;
use super::timers::Timers;
use super::work::{Answer, failed};

impl Agent {
    pub(super) async fn asked(&mut self, command: Command, answer: Answer) {
        match command {
            Command::Status | Command::Watch => {
                let _ = answer.send(Reply::Status(Box::new(self.status())));
            }
            Command::Reload => {
                self.reload();
                let reply = match &self.policy_trouble {
                    Some(trouble) => Reply::Failed {
                        error: trouble.clone(),
                        exit: 2,
                    },
                    None => Reply::Status(Box::new(self.status())),
                };
                let _ = answer.send(reply);
            }
            Command::Once { dry_run } => {
                self.session.memory.paused &= dry_run;
                self.look_again_now();
                self.begin(Cause::Asked, dry_run, vec![answer]);
            }
            Command::Use { profile, until } => match self.session.pin(&profile, until) {
                Ok(()) => {
                    self.session.memory.paused = false;
                    self.look_again_now();
                    self.begin(Cause::Asked, false, vec![answer]);
                }
                Err(error) => {
                    let _ = answer.send(failed(&error));
                }
            },
            Command::Auto => {
                self.session.memory.pinned = None;
                self.session.memory.paused = false;
                self.look_again_now();
                self.begin(Cause::Asked, false, vec![answer]);
            }
            Command::Restore => self.restore(answer).await,
        }
    }

    async fn restore(&mut self, answer: Answer) {
        let stale = self.work.take();
        let reply = match self.session.put_back().await {
            Ok(mut report) => {
                self.session.memory.paused = true;
                let saved = self.session.save_memory();
                self.turn_trouble = saved.err().map(|error| error.to_string());
                self.timers = Timers::default();
                report.status = self.tell();
                Reply::Turn(Box::new(report))
            }
            Err(error) => failed(&error),
        };
        for waiting in stale.into_iter().flat_map(|work| work.answers) {
            let error = "`goroam restore` came in between".to_owned();
            let _ = waiting.send(Reply::Failed { error, exit: 1 });
        }
        let _ = answer.send(reply);
    }
}
