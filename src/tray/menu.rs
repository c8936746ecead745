//! The menu, from the top.

use std::time::Duration;

use super::face::{Action, Item, MENU_CHARACTERS, NAME_CHARACTERS, Surroundings, headline, notes};
use super::words::{clean, moment};
use crate::model::ago;
use crate::model::status::Status;

/// How long a profile may be pinned from the menu. Longer than a day is what `goroam use --for`
/// is for.
const DURATIONS: [(&str, u64); 3] = [
    ("For 30 minutes", 30 * 60),
    ("For 2 hours", 2 * 3600),
    ("For 8 hours", 8 * 3600),
];
/// Notes in the menu itself; the others are in the status.
const MOST_NOTES: usize = 3;
/// Profiles in one menu; the others are in menus behind it. A low screen shows some thirty lines.
const MOST_PROFILES: usize = 25;

/// The menu of a status; `None`: no agent answers.
pub(super) fn menu(status: Option<&Status>, around: &Surroundings) -> Vec<Item> {
    let mut items = match status {
        Some(status) => running(status, &around.now),
        None => stopped(around.can_start),
    };
    items.push(Item::Separator);
    items.push(choice("Open policy", Action::OpenPolicy));
    items.push(choice("Open log", Action::OpenLog));
    items.push(Item::Separator);
    if let Some(starts) = around.starts_at_login {
        items.push(ticked(
            "Start at login",
            Action::StartAtLogin(!starts),
            starts,
        ));
    }
    items.push(choice("Quit", Action::Quit));
    items
}

fn stopped(can_start: bool) -> Vec<Item> {
    let mut items = vec![
        Item::Text("No agent is running".to_owned()),
        Item::Text("go env stays as it was set last".to_owned()),
    ];
    items.push(if can_start {
        choice("Start goroam", Action::StartAgent)
    } else {
        Item::Text("Start it with: goroam service start".to_owned())
    });
    items
}

fn running(status: &Status, now: &jiff::Zoned) -> Vec<Item> {
    let head = match status.since {
        Some(since) => format!(
            "{} ({})",
            headline(status, now),
            ago(since, now.timestamp())
        ),
        None => headline(status, now),
    };
    let mut items = vec![Item::Text(head)];
    let why = status.why.as_deref().filter(|why| !why.is_empty());
    items.extend(why.map(|why| Item::Text(clean(why, MENU_CHARACTERS))));
    let notes = notes(status);
    let more = notes.len().saturating_sub(MOST_NOTES);
    let shown = notes.iter().take(MOST_NOTES);
    items.extend(shown.map(|note| Item::Text(format!("! {}", clean(note, MENU_CHARACTERS)))));
    if more > 0 {
        items.push(Item::Text(format!("! and {more} more; see the status")));
    }
    items.push(choice("Status…", Action::ShowStatus));
    items.push(Item::Separator);
    if !status.profiles.is_empty() {
        items.push(Item::Submenu {
            label: "Use a profile".to_owned(),
            checked: false,
            items: profiles(&status.profiles, status, now),
        });
    }
    let automatic = status.pinned.is_none() && !status.paused;
    items.push(ticked("Automatic", Action::Automatic, automatic));
    items.push(choice("Probe now", Action::ProbeNow));
    // A turn goes on with whatever was pinned before the pause; "Automatic" would forget it.
    let go_on = if status.paused {
        Action::ProbeNow
    } else {
        Action::Pause
    };
    items.push(ticked("Pause", go_on, status.paused));
    items
}

fn profiles(names: &[String], status: &Status, now: &jiff::Zoned) -> Vec<Item> {
    let (here, behind) = names.split_at(names.len().min(MOST_PROFILES));
    let mut items: Vec<Item> = here.iter().map(|name| profile(name, status, now)).collect();
    if !behind.is_empty() {
        items.push(Item::Separator);
        items.push(Item::Submenu {
            label: format!("{} more", behind.len()),
            checked: false,
            items: profiles(behind, status, now),
        });
    }
    items
}

fn profile(name: &str, status: &Status, now: &jiff::Zoned) -> Item {
    let pinned = status.pinned.as_ref().filter(|pinned| pinned.name == name);
    let shown = clean(name, NAME_CHARACTERS);
    let label = match pinned.map(|pinned| pinned.until) {
        Some(Some(until)) => format!("{shown} • by hand until {}", moment(until, now)),
        Some(None) => format!("{shown} • by hand"),
        None => shown,
    };
    let pin = |within| Action::Pin {
        profile: name.to_owned(),
        within,
    };
    let mut items: Vec<Item> = DURATIONS
        .iter()
        .map(|(label, seconds)| choice(label, pin(Some(Duration::from_secs(*seconds)))))
        .collect();
    items.push(ticked(
        "Until I say otherwise",
        pin(None),
        pinned.is_some_and(|pinned| pinned.until.is_none()),
    ));
    Item::Submenu {
        label,
        checked: status.profile.as_deref() == Some(name),
        items,
    }
}

fn choice(label: &str, action: Action) -> Item {
    ticked(label, action, false)
}

fn ticked(label: &str, action: Action, checked: bool) -> Item {
    Item::Choice {
        label: label.to_owned(),
        action,
        checked,
        enabled: true,
    }
}
