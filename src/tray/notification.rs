//! Builds the notification for a change from one status to another, and limits how often the user
//! is notified: after the state has settled, and not again at once. Time is passed in.

use std::time::{Duration, Instant};

use super::face::{NAME_CHARACTERS, Notification, portal_note, troubles, weakened_note};
use super::words::{clean, cut_utf16};
use crate::model::status::Status;

/// `NOTIFYICONDATAW` has 64 units for the title and 256 for the text, each including a final zero.
const TITLE_UNITS: usize = 63;
const TEXT_UNITS: usize = 255;
/// Longest line of a text with several lines.
const LINE_CHARACTERS: usize = 200;

impl Notification {
    /// Creates a notification: limited in length, without control characters.
    pub fn new(title: &str, text: &str, trouble: bool) -> Notification {
        Notification {
            title: cut_utf16(&clean(title, TITLE_UNITS), TITLE_UNITS),
            text: cut_utf16(&clean(text, TEXT_UNITS), TEXT_UNITS),
            trouble,
        }
    }
}

/// Builds the notification for a change: a switch, and new troubles. Returns `None` for the first
/// status, if the user has disabled notifications, and while no agent answers.
pub(super) fn notification(before: Option<&Status>, now: Option<&Status>) -> Option<Notification> {
    let (before, now) = (before?, now?);
    if !now.notify {
        return None;
    }
    let troubles = new_troubles(before, now);
    let title = switch_title(before, now).or_else(|| {
        let (title, _) = troubles.first()?;
        Some(title.clone())
    })?;
    let mut lines: Vec<String> = troubles.iter().map(|(_, text)| text.clone()).collect();
    if before.profile != now.profile {
        lines.extend(now.why.clone());
    }
    let lines: Vec<String> = lines
        .iter()
        .map(|line| clean(line, LINE_CHARACTERS))
        .collect();
    Some(Notification::new(
        &title,
        &lines.join(". "),
        !troubles.is_empty(),
    ))
}

/// Formats the title "office → home". The very first profile is not a switch.
fn switch_title(before: &Status, now: &Status) -> Option<String> {
    let (from, to) = (before.profile.as_deref()?, now.profile.as_deref()?);
    let most = NAME_CHARACTERS.min(TITLE_UNITS / 2 - 2);
    (from != to).then(|| format!("{} → {}", clean(from, most), clean(to, most)))
}

/// Returns title and text of each new trouble, worst first.
fn new_troubles(before: &Status, now: &Status) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if let Some(note) = portal_note(now)
        && portal_note(before).as_ref() != Some(&note)
    {
        out.push(("A login page is in the way".to_owned(), note));
    }
    let weakened = now.weakened.iter();
    for what in weakened.filter(|what| !before.weakened.contains(what)) {
        out.push(("Verification is weakened".to_owned(), weakened_note(what)));
    }
    for drift in now
        .drift
        .iter()
        .filter(|drift| !before.drift.contains(drift))
    {
        let found = match &drift.found {
            Some(found) => format!("set to {found}"),
            None => "removed".to_owned(),
        };
        let text = format!(
            "{} was {found} by another program or by hand and stays so until the next switch; \
             “Probe now” sets it again",
            drift.name
        );
        out.push((format!("{} was changed", drift.name), text));
    }
    let known: Vec<&str> = troubles(before).collect();
    for trouble in troubles(now).filter(|trouble| !known.contains(trouble)) {
        out.push(("goroam needs attention".to_owned(), trouble.to_owned()));
    }
    out
}

/// How long the state must be stable. During a move between networks several profiles apply for a
/// moment; only the last one deserves a notification.
const SETTLES: Duration = Duration::from_millis(1500);
/// Shortest and longest time between two notifications. If a network flaps faster, only the last
/// state is shown, and the longer it flaps, the less often.
const APART: Duration = Duration::from_secs(10);
const MOST_APART: Duration = Duration::from_secs(300);

/// The status of the last notification, and the time when the next one is due.
#[derive(Debug, Default)]
pub(super) struct NotificationThrottle {
    told: Option<Status>,
    now: Option<Status>,
    due: Option<Instant>,
    last: Option<(Instant, Duration)>,
}

impl NotificationThrottle {
    /// Takes a new status. A missing agent is not reported, but changes in the meantime are.
    pub(super) fn saw(&mut self, status: &Status, at: Instant) {
        if self.told.is_none() || !status.notify {
            self.told = Some(status.clone());
        }
        self.now = Some(status.clone());
        let is_news = notification(self.told.as_ref(), self.now.as_ref()).is_some();
        self.due = match self.due {
            _ if !is_news => None,
            // Continuous changes must not postpone the notification for ever.
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

    /// Returns when to call [`NotificationThrottle::tell`]; `None`: there is nothing to report.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Returns the notification to show now.
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

/// Forgets troubles that have gone, so that they are reported again when they return. The last
/// reported profile stays.
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

    use super::{NotificationThrottle, notification};
    use crate::model::status::Status;
    use crate::tray::face::fixtures::{drift, hotel, office, train};

    fn home() -> Status {
        Status {
            profile: Some("home".to_owned()),
            why: Some("proxy is up".to_owned()),
            ..office()
        }
    }

    #[test]
    fn switches_and_new_troubles_are_told_and_nothing_else() {
        let with = |change: fn(&mut Status)| {
            let mut status = office();
            change(&mut status);
            status
        };
        let paused = with(|s| {
            s.paused = true;
            s.troubles = vec!["paused; run `goroam auto` to resume".into()];
        });
        let drifted = with(|s| s.drift = vec![drift(Some("direct"))]);
        let refused = with(|s| s.troubles = vec!["goroam.toml: 2 errors".into()]);
        let weaker = with(|s| {
            s.profile = Some("home".into());
            s.weakened = vec!["GOSUMDB=off".into()];
        });
        let none: Option<(&str, &str, bool)> = None;
        let cases = [
            (office(), office(), none),
            (office(), paused, none),
            (Status::default(), office(), none),
            (
                office(),
                Status {
                    why: Some("else".into()),
                    ..office()
                },
                none,
            ),
            (
                office(),
                home(),
                Some(("office → home", "proxy is up", false)),
            ),
            (
                office(),
                train(),
                Some(("office → offline", "no packet can leave the machine", false)),
            ),
            (
                office(),
                hotel(),
                Some((
                    "office → offline",
                    "open http://login.hotel.example/ in a browser and log in; goroam looks again \
                     by itself. nothing answers",
                    true,
                )),
            ),
            (
                Status {
                    targets: vec![],
                    ..hotel()
                },
                hotel(),
                Some((
                    "A login page is in the way",
                    "open http://login.hotel.example/ in a browser and log in; goroam looks again \
                     by itself",
                    true,
                )),
            ),
            (hotel(), hotel(), none),
            (
                office(),
                drifted.clone(),
                Some((
                    "GOPROXY was changed",
                    "GOPROXY was set to direct by another program or by hand and stays so until \
                     the next switch; “Probe now” sets it again",
                    true,
                )),
            ),
            (drifted.clone(), drifted.clone(), none),
            (drifted, office(), none),
            (
                office(),
                refused.clone(),
                Some(("goroam needs attention", "goroam.toml: 2 errors", true)),
            ),
            (refused.clone(), refused, none),
            (
                office(),
                weaker,
                Some((
                    "office → home",
                    "verification is weakened: GOSUMDB=off. corp proven by its key",
                    true,
                )),
            ),
        ];
        for (before, now, want) in cases {
            let told = notification(Some(&before), Some(&now));
            let told = told
                .as_ref()
                .map(|n| (n.title.as_str(), n.text.as_str(), n.trouble));
            assert_eq!(told, want);
        }
    }

    #[test]
    fn nothing_is_told_at_first_without_an_agent_or_against_the_users_will() {
        assert_eq!(notification(None, Some(&office())), None);
        assert_eq!(notification(Some(&office()), None), None);
        let silent = Status {
            notify: false,
            ..hotel()
        };
        assert_eq!(notification(Some(&office()), Some(&silent)), None);
    }

    #[test]
    fn news_of_any_length_fit_where_windows_shows_them() {
        let long = Status {
            profile: Some("🏢".repeat(500)),
            why: Some("w".repeat(5000)),
            ..office()
        };
        let told = notification(Some(&office()), Some(&long)).unwrap();
        assert!(told.title.encode_utf16().count() <= 63, "{}", told.title);
        assert!(told.text.encode_utf16().count() <= 255, "{}", told.text);
        assert!(told.title.starts_with("office → 🏢"), "{}", told.title);
    }

    /// Plays a user's day: which status arrives at which second. Returns the notifications and
    /// their times.
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
