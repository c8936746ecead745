//! What the agent makes of a change of its own files: the policy, and its program.

use std::time::Instant;

use tracing::{info, warn};

use super::away::is_there;
use super::cause::Cause;
use super::last_good;
use super::policy_file::{is_gone, load_policy};
use super::resident::Agent;
use crate::policy::settle::Pace;

impl Agent {
    /// Until when nothing is made of it that the policy file is away; `None`: it is there, or
    /// has been away for long.
    pub(super) fn policy_settles(&mut self, now: Instant) -> Option<Instant> {
        let was_there = self.session.loaded.path.is_some();
        let is_away = was_there && !is_there(&self.session.paths.policy);
        self.policy_away.settles(is_away, now)
    }

    /// The same of a go env file that goroam has written.
    pub(super) fn env_file_settles(&mut self, now: Instant) -> Option<Instant> {
        let was_there = self.session.memory.written.is_some();
        let is_away = was_there && self.session.file().is_ok_and(|file| !is_there(&file.path));
        self.env_file_away.settles(is_away, now)
    }

    /// Reads the policy again. A bad one changes nothing, and neither does one that is gone,
    /// unless somebody `asked` for a turn by what there is: the last good one stays in force.
    pub(super) fn reload(&mut self, asked: bool) {
        if let Some(again) = self.policy_settles(Instant::now()) {
            self.timers.policy = Some(again);
            return;
        }
        let paths = &self.session.paths;
        let was_there = self.session.loaded.path.is_some();
        let read = load_policy(paths, &self.session.env);
        let read = read.and_then(|loaded| match is_gone(&loaded, paths) {
            Some(gone) if was_there && !asked => Err(gone),
            Some(_) | None => Ok(loaded),
        });
        match read {
            Ok(loaded) if loaded == *self.session.loaded => {
                self.policy_trouble = None;
                self.session.last_good = None;
            }
            Ok(loaded) => {
                info!(policy = loaded.origin(), "read the policy again");
                self.policy_trouble = None;
                self.session.last_good = None;
                last_good::keep(&self.session.paths, &loaded);
                self.pace = Pace::new(loaded.policy.agent.settle, Instant::now());
                self.session.loaded = loaded.into();
                self.session.go = None;
                self.late.drop_all();
                if !self.session.memory.paused {
                    self.begin(Cause::Policy, false, Vec::new());
                }
            }
            Err(error) => {
                let trouble = format!("the last good policy stays in force: {error}");
                let is_new = self.policy_trouble.as_ref() != Some(&trouble);
                if is_new {
                    warn!("{trouble}");
                }
                if let Some((_, mut told)) =
                    last_good::instead(&self.session.paths, &self.session.env, &error)
                {
                    // What is in force may have been read before it had anything left out.
                    if let Some(before) = &self.session.last_good {
                        told.left_out.clone_from(&before.left_out);
                    }
                    self.session.last_good = Some(told);
                } else {
                    self.session.last_good = None;
                }
                self.policy_trouble = Some(trouble);
            }
        }
        self.tell();
    }

    /// Somebody has put another program into the place of this one.
    pub(super) async fn look_for_successor(&mut self, may_take_over: bool) {
        self.successor.due = None;
        self.successor.look(may_take_over).await;
        self.tell();
    }
}
