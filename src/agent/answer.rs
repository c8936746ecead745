//! What the agent does when it is asked.

use super::cause::Cause;
use super::command::{Command, Reply};
use super::resident::Agent;
use super::timers::Timers;
use super::work::{Answer, Work, failed};

impl Agent {
    pub(super) async fn asked(&mut self, command: Command, answer: Answer) {
        // Who asks for a turn asks for one by the policy as it is now, whether or not a watch
        // could tell of its change.
        if matches!(
            command,
            Command::Once { .. } | Command::Use { .. } | Command::Auto
        ) {
            self.reload(command == Command::Once { dry_run: false });
        }
        match command {
            Command::Status | Command::Watch => {
                let _ = answer.send(Reply::Status(Box::new(self.status())));
            }
            Command::Reload => {
                self.reload(false);
                // What the policy goes by may be another though it is the same: the mirror.
                if self.work.is_none() && !self.session.memory.paused {
                    self.begin(Cause::Recheck, false, Vec::new());
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
            Command::Pause => self.pause(answer),
            Command::Restore => self.restore(answer).await,
            // The loop ends before it asks anybody.
            Command::End => {
                let _ = answer.send(Reply::Status(Box::new(self.status())));
            }
        }
    }

    /// What is set stays. The pin does too: `auto` and `use` are there to end it.
    fn pause(&mut self, answer: Answer) {
        let stale = self.work.take();
        self.session.memory.paused = true;
        self.late.drop_all();
        self.keeper.stop();
        let saved = self.session.save_memory();
        self.turn_trouble = saved.err().map(|error| error.to_string());
        self.timers = Timers::default();
        let _ = answer.send(Reply::Status(Box::new(self.tell())));
        dismiss(stale, "`goroam pause`");
    }

    async fn restore(&mut self, answer: Answer) {
        let stale = self.work.take();
        let reply = match self.session.put_back().await {
            Ok(mut report) => {
                self.session.memory.paused = true;
                self.late.drop_all();
                self.keeper.stop();
                let saved = self.session.save_memory();
                self.turn_trouble = saved.err().map(|error| error.to_string());
                self.timers = Timers::default();
                let told = std::mem::replace(&mut report.status, self.tell()).troubles;
                let troubles = &mut report.status.troubles;
                let news = told.into_iter().filter(|one| !troubles.contains(one));
                let news: Vec<String> = news.collect();
                troubles.extend(news);
                Reply::Turn(Box::new(report))
            }
            Err(error) => {
                // Nothing has come in between.
                if let Some(stale) = stale {
                    self.begin(stale.cause, stale.dry_run, stale.answers);
                }
                let _ = answer.send(failed(&error));
                return;
            }
        };
        dismiss(stale, "`goroam restore`");
        let _ = answer.send(reply);
    }
}

/// Answers who waited for a round that will not come to its end.
fn dismiss(stale: Option<Work>, by: &str) {
    for waiting in stale.into_iter().flat_map(|work| work.answers) {
        let error = format!("{by} came in between");
        let _ = waiting.send(Reply::Failed { error, exit: 1 });
    }
}
