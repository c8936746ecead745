//! When to tell: after things have settled, and not again at once. Time is passed in.

use std::time::{Duration, Instant};

use super::face::News;
use super::news::news;
use crate::model::status::Status;

/// On the way from one network to another several profiles are in force for a moment; only the
/// last of them is news.
const SETTLES: Duration = Duration::from_millis(1500);
/// Between two notifications at least. A network that flaps faster is told by its last state
/// only, and one that goes on flapping ever more rarely.
const APART: Duration = Duration::from_secs(10);
const MOST_APART: Duration = Duration::from_secs(300);

/// Keeps what the user was told last, and what is to be told when.
#[derive(Debug, Default)]
pub(super) struct Herald {
    told: Option<Status>,
    now: Option<Status>,
    due: Option<Instant>,
    last: Option<(Instant, Duration)>,
}

impl Herald {
    /// A new status. That the agent is away for a while is no news; what has changed
    /// meanwhile is.
    pub(super) fn saw(&mut self, status: &Status, at: Instant) {
        if self.told.is_none() || !status.notify {
            self.told = Some(status.clone());
        }
        self.now = Some(status.clone());
        let is_news = news(self.told.as_ref(), self.now.as_ref()).is_some();
        self.due = match self.due {
            _ if !is_news => None,
            // Things that go on changing must not put it off for ever.
            Some(due) => Some(due),
            None => {
                let settled = at + SETTLES;
                Some(
                    self.last
                        .map_or(settled, |(last, apart)| settled.max(last + apart)),
                )
            }
        };
        if !is_news && let (Some(told), Some(now)) = (&mut self.told, &self.now) {
            forget(told, now);
        }
    }

    /// When [`Herald::tell`] is to be called; `None`: there is nothing to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be told now.
    pub(super) fn tell(&mut self, at: Instant) -> Option<News> {
        if self.due.is_none_or(|due| due > at) {
            return None;
        }
        self.due = None;
        let told = news(self.told.as_ref(), self.now.as_ref());
        self.told.clone_from(&self.now);
        if told.is_some() {
            let flaps = self.last.filter(|(last, apart)| at < *last + *apart * 2);
            let apart = flaps.map_or(APART, |(_, apart)| MOST_APART.min(apart * 2));
            self.last = Some((at, apart));
        }
        told
    }
}

/// What has gone away may come again and be news again; the profile stays the one that was told.
fn forget(told: &mut Status, now: &Status) {
    let profile = told.profile.clone();
    told.clone_from(now);
    if profile.is_some() {
        told.profile = profile;
    }
}
