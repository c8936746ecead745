//! Limits how often the user is notified: after the state has settled, and not again at once. Time
//! is passed in.

use std::time::{Duration, Instant};

use super::face::Notification;
use super::notification::notification;
use crate::model::status::Status;

/// On the way from one network to another several profiles apply for a moment; only the last one
/// is worth a notification.
const SETTLES: Duration = Duration::from_millis(1500);
/// At least so long between two notifications. Of a network that flaps faster only the last state is
/// shown, and the longer it flaps, the less often.
const APART: Duration = Duration::from_secs(10);
const MOST_APART: Duration = Duration::from_secs(300);

/// What the user was notified of last, and when the next notification is due.
#[derive(Debug, Default)]
pub(super) struct NotificationThrottle {
    told: Option<Status>,
    now: Option<Status>,
    due: Option<Instant>,
    last: Option<(Instant, Duration)>,
}

impl NotificationThrottle {
    /// Takes a new status. A missing agent is not reported; what has changed meanwhile is.
    pub(super) fn saw(&mut self, status: &Status, at: Instant) {
        if self.told.is_none() || !status.notify {
            self.told = Some(status.clone());
        }
        self.now = Some(status.clone());
        let is_news = notification(self.told.as_ref(), self.now.as_ref()).is_some();
        self.due = match self.due {
            _ if !is_news => None,
            // Continuous changes must not postpone it for ever.
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

    /// When to call [`NotificationThrottle::tell`]; `None`: never, there is nothing to report.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The notification to show now.
    pub(super) fn tell(&mut self, at: Instant) -> Option<Notification> {
        if self.due.is_none_or(|due| due > at) {
            return None;
        }
        self.due = None;
        let told = notification(self.told.as_ref(), self.now.as_ref());
        self.told.clone_from(&self.now);
        if told.is_some() {
            let flaps = self.last.filter(|(last, apart)| at < *last + *apart * 2);
            let apart = flaps.map_or(APART, |(_, apart)| MOST_APART.min(apart * 2));
            self.last = Some((at, apart));
        }
        told
    }
}

/// A trouble that has gone is reported again when it returns; the profile stays the reported one.
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

    use super::NotificationThrottle;
    use crate::model::status::Status;
    use crate::tray::fixtures::{drift, office};

    /// A user's day: at each second a profile is seen; what is told, and when.
    fn day(seen: &[(u64, Status)]) -> Vec<(u64, String)> {
        let start = Instant::now();
        let mut throttle = NotificationThrottle::default();
        let mut told = Vec::new();
        let last = Duration::from_secs(24 * 3600);
        let ends = seen
            .iter()
            .map(|(at, status)| (Duration::from_millis(*at), Some(status)));
        for (at, status) in ends.chain([(last, None)]) {
            while let Some(due) = throttle.due().filter(|due| *due <= start + at) {
                if let Some(news) = throttle.tell(due) {
                    let ms = due.duration_since(start).as_millis();
                    told.push((u64::try_from(ms).unwrap(), news.title));
                }
            }
            if let Some(status) = status {
                throttle.saw(status, start + at);
            }
        }
        assert_eq!(throttle.due(), None, "no timer is left");
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
