//! What stands beside the pointer when it rests on the icon.

use super::condition::{NAME_CHARACTERS, notes};
use super::words::{clean, cut_utf16, moment};
use crate::model::status::Status;

/// `NOTIFYICONDATAW.szTip` has 128 units with the closing zero.
const UNITS: usize = 127;

/// Profile, since when, what to look at, why; a line each.
pub(super) fn tooltip(status: Option<&Status>, now: &jiff::Zoned) -> String {
    let Some(status) = status else {
        return "goroam: no agent is running".to_owned();
    };
    let mut lines = vec![headline(status, now)];
    let note = notes(status).into_iter().next();
    lines.extend(note.map(|note| format!("! {}", clean(&note, UNITS))));
    lines.extend(status.why.as_deref().map(|why| clean(why, UNITS)));
    cut_utf16(&lines.join("\n"), UNITS)
}

/// "office, by hand until 14:00, since 09:12"
pub(super) fn headline(status: &Status, now: &jiff::Zoned) -> String {
    let mut parts = Vec::new();
    parts.push(match &status.profile {
        Some(profile) => clean(profile, NAME_CHARACTERS),
        None => "no profile yet".to_owned(),
    });
    parts.extend(
        status
            .since
            .map(|since| format!("since {}", moment(since, now))),
    );
    if let Some(pinned) = &status.pinned {
        parts.push(match pinned.until {
            Some(until) => format!("by hand until {}", moment(until, now)),
            None => "by hand".to_owned(),
        });
    }
    if status.paused {
        parts.push("paused".to_owned());
    }
    parts.join(" · ")
}
