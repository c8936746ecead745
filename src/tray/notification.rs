//! The notification for a change from one status to another.

use super::condition::{NAME_CHARACTERS, portal, portal_note, troubles, weakened_note};
use super::face::Notification;
use super::words::{clean, cut_utf16};
use crate::model::status::Status;

/// `NOTIFYICONDATAW` has 64 units for the title and 256 for the text, each with a closing zero.
const TITLE_UNITS: usize = 63;
const TEXT_UNITS: usize = 255;
/// One of several lines.
const LINE_CHARACTERS: usize = 200;

impl Notification {
    /// Bounded in length, without control characters.
    pub fn new(title: &str, text: &str, trouble: bool) -> Notification {
        Notification {
            title: cut_utf16(&clean(title, TITLE_UNITS), TITLE_UNITS),
            text: cut_utf16(&clean(text, TEXT_UNITS), TEXT_UNITS),
            trouble,
        }
    }
}

/// The notification for a change: a switch, and new troubles. None for the first status, none where
/// the user has disabled notifications, none while no agent answers.
pub fn notification(before: Option<&Status>, now: Option<&Status>) -> Option<Notification> {
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

/// "office → home"; the very first profile is not a switch.
fn switch_title(before: &Status, now: &Status) -> Option<String> {
    let (from, to) = (before.profile.as_deref()?, now.profile.as_deref()?);
    let most = NAME_CHARACTERS.min(TITLE_UNITS / 2 - 2);
    (from != to).then(|| format!("{} → {}", clean(from, most), clean(to, most)))
}

/// Title and text of each new trouble, worst first.
fn new_troubles(before: &Status, now: &Status) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if let Some(target) = portal(now) {
        let note = portal_note(target);
        if portal(before).map(portal_note).as_ref() != Some(&note) {
            out.push(("A login page is in the way".to_owned(), note));
        }
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

#[cfg(test)]
mod tests {
    use super::notification;
    use crate::model::status::Status;
    use crate::tray::fixtures::{drift, hotel, office, train};

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
                    "open http://login.hotel.example/ in a browser: a login page answers \
                     for everybody. nothing answers",
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
                    "open http://login.hotel.example/ in a browser: a login page answers \
                     for everybody",
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
}
