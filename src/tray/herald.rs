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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Herald;
    use crate::model::status::Status;
    use crate::tray::fixtures::{drift, office};

    /// A user's day: at each second a profile is seen; what is told, and when.
    fn day(seen: &[(u64, Status)]) -> Vec<(u64, String)> {
        let start = Instant::now();
        let mut herald = Herald::default();
        let mut told = Vec::new();
        let last = Duration::from_secs(24 * 3600);
        let ends = seen
            .iter()
            .map(|(at, status)| (Duration::from_millis(*at), Some(status)));
        for (at, status) in ends.chain([(last, None)]) {
            while let Some(due) = herald.due().filter(|due| *due <= start + at) {
                if let Some(news) = herald.tell(due) {
                    let ms = due.duration_since(start).as_millis();
                    told.push((u64::try_from(ms).unwrap(), news.title));
                }
            }
            if let Some(status) = status {
                herald.saw(status, start + at);
            }
        }
        assert_eq!(herald.due(), None, "no timer is left");
        told
    }

    fn at(profile: &str) -> Status {
        Status {
            profile: Some(profile.to_owned()),
            ..office()
        }
    }

    #[test]
    fn what_is_passed_through_on_the_way_is_not_told() {
        let seen = [(0, at("office")), (5000, at("offline")), (5800, at("home"))];
        assert_eq!(day(&seen), [(6500, "office → home".to_owned())]);
        let back = [
            (0, at("office")),
            (5000, at("offline")),
            (5900, at("office")),
        ];
        assert_eq!(day(&back), []);
    }

    #[test]
    fn a_flapping_network_is_told_of_ever_more_rarely() {
        let flaps: Vec<(u64, Status)> = (0..3600)
            .map(|n| (n * 1000, at(["office", "home", "offline"][n as usize % 3])))
            .collect();
        let told = day(&flaps);
        assert!(told.len() >= 3, "{told:?}");
        assert!(told.len() <= 30, "{} in an hour", told.len());
        assert!(
            told.windows(2).all(|two| two[1].0 >= two[0].0 + 10_000),
            "{told:?}"
        );
    }

    #[test]
    fn trouble_that_comes_again_is_told_again_but_not_while_it_stays() {
        let drifted = Status {
            drift: vec![drift(None)],
            ..office()
        };
        let seen = [
            (0, office()),
            (60_000, drifted.clone()),
            (
                70_000,
                Status {
                    why: None,
                    ..drifted.clone()
                },
            ),
            (120_000, office()),
            (180_000, drifted),
        ];
        let changed = "GOPROXY was changed".to_owned();
        assert_eq!(day(&seen), [(61_500, changed.clone()), (181_500, changed)]);
    }

    #[test]
    fn what_happened_in_silence_is_not_told_afterwards() {
        let silent = Status {
            notify: false,
            ..at("home")
        };
        let seen = [(0, at("office")), (60_000, silent), (120_000, at("home"))];
        assert_eq!(day(&seen), []);
    }
}
