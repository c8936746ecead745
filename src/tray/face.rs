//! What a tray shows for a status, as plain data. Tests compare it; a backend draws it and decides
//! nothing.

use std::time::Duration;

use super::words::{clean, cut_utf16};
use crate::model::status::Status;
use crate::model::text::moment;
use crate::model::{Portal, Tier};

/// The icon for each state. The symbol distinguishes them; the colour only repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icon {
    /// A profile is in force, and there is no problem.
    Good,
    /// No target can be reached; the offline profile is in force.
    Offline,
    /// The user should look at something: a portal, drift, a trouble.
    Attention,
    /// Paused.
    Paused,
    /// No agent answers.
    Stopped,
}

impl Icon {
    /// All icons.
    pub const ALL: [Icon; 5] = [
        Icon::Good,
        Icon::Offline,
        Icon::Attention,
        Icon::Paused,
        Icon::Stopped,
    ];
}

/// What a click requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Show the status in full.
    ShowStatus,
    /// Pin a profile.
    Pin {
        /// The profile's name.
        profile: String,
        /// How long; `None`: until "automatic".
        within: Option<Duration>,
    },
    /// Choose by the network again.
    Automatic,
    /// Take a turn now.
    ProbeNow,
    /// Open the policy in an editor. If it does not exist, it is first written from the template.
    OpenPolicy,
    /// Open the log.
    OpenLog,
    /// Change nothing until "automatic".
    Pause,
    /// Start the agent. The menu has this only if [`Surroundings::can_start`].
    StartAgent,
    /// Enable or disable the start at login.
    StartAtLogin(bool),
    /// End the tray, and also the agent if it runs in the same process.
    Quit,
}

/// A line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A line between groups.
    Separator,
    /// Text that cannot be chosen.
    Text(String),
    /// Something to choose.
    Choice {
        /// The label, as plain text: `&` and `_` are literal. A backend whose menus treat them as
        /// access keys doubles them.
        label: String,
        /// What the choice requests.
        action: Action,
        /// Whether the choice has a tick.
        checked: bool,
    },
    /// A submenu.
    Submenu {
        /// The label.
        label: String,
        /// Whether the submenu has a tick.
        checked: bool,
        /// The submenu's lines.
        items: Vec<Item>,
    },
}

/// Everything that a tray shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// The icon.
    pub icon: Icon,
    /// Profile, since when, why, separated by `\n`; at most 127 UTF-16 units, the limit of Windows.
    pub tooltip: String,
    /// The menu, from top to bottom.
    pub menu: Vec<Item>,
}

/// A notification to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// A few words: "office → home". At most 63 UTF-16 units, the limit of Windows.
    pub title: String,
    /// A sentence that says why. At most 255 UTF-16 units, for the same reason.
    pub text: String,
    /// Whether this is a trouble. Otherwise it is a switch.
    pub trouble: bool,
}

/// Facts about the machine that are not in the agent's status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Whether the tray starts at login. `None`: this backend does not know and cannot change it.
    pub starts_at_login: Option<bool>,
    /// Whether this backend can start an agent when none runs.
    pub can_start: bool,
    /// The present time with its time zone, for "since 09:12".
    pub now: jiff::Zoned,
}

/// Longest line in a menu: about as much as fits without the menu filling the screen.
pub(super) const MENU_CHARACTERS: usize = 72;
/// Longest name of a profile within other text.
pub(super) const NAME_CHARACTERS: usize = 40;

/// Chooses the icon; `None`: no agent answers.
pub(super) fn icon(status: Option<&Status>) -> Icon {
    let Some(status) = status else {
        return Icon::Stopped;
    };
    if status.paused {
        Icon::Paused
    } else if !notes(status).is_empty() {
        Icon::Attention
    } else if is_offline(status) {
        Icon::Offline
    } else {
        Icon::Good
    }
}

/// Returns what the user should look at, one line each, with no length limit yet. Variables that
/// shadow goroam's are left out: the agent's own environment tells nothing about the user's shell.
pub(super) fn notes(status: &Status) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(portal_note(status));
    notes.extend(status.drift.iter().map(|drift| match &drift.found {
        Some(found) => format!(
            "{} was set to {found} by another program or by hand",
            drift.name
        ),
        None => format!("{} was removed by another program or by hand", drift.name),
    }));
    notes.extend(status.weakened.iter().map(|what| weakened_note(what)));
    notes.extend(troubles(status).map(str::to_owned));
    notes
}

/// Returns the troubles without the line that reports a pause: a pause is not a trouble.
pub(super) fn troubles(status: &Status) -> impl Iterator<Item = &str> {
    let said = |line: &&str| !(status.paused && line.starts_with("paused;"));
    status.troubles.iter().map(String::as_str).filter(said)
}

/// Returns the way out of a login page that blocks the network.
pub(super) fn portal_note(status: &Status) -> Option<String> {
    let portal = Portal::among(&status.targets, status.tier);
    portal.map(|portal| portal.way_out_in_short(status.acting()))
}

/// Formats the note "verification is weakened: GONOSUMDB".
pub(super) fn weakened_note(what: &str) -> String {
    format!("verification is weakened: {what}")
}

/// Reports whether nothing arrives over the network: no target is up, and there is no default route
/// or no next hop.
fn is_offline(status: &Status) -> bool {
    !is_anything_up(status)
        && (status.network.default_routes.is_empty()
            || matches!(status.tier, Some(Tier::Mirror | Tier::Off)))
}

fn is_anything_up(status: &Status) -> bool {
    let mut remote = status.targets.iter().filter(|target| !target.local);
    remote.any(|target| target.up == Some(true))
}

/// `NOTIFYICONDATAW.szTip` has 128 units, including the final zero.
const UNITS: usize = 127;

/// Formats the tooltip: profile, since when, what to look at, why; one line each.
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

/// Formats the first line: "office, by hand until 14:00, since 09:12".
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
        let by_hand = clean(&pinned.by_hand(), NAME_CHARACTERS);
        parts.push(match pinned.until {
            Some(until) => format!("{by_hand} until {}", moment(until, now)),
            None => by_hand,
        });
    }
    if status.paused {
        parts.push("paused".to_owned());
    }
    parts.join(" · ")
}

/// Statuses to draw, and a function that prints a menu as text.
#[cfg(test)]
pub(super) mod fixtures {
    use crate::model::Tier;
    use crate::model::observation::{Phases, Verdict};
    use crate::model::status::{
        AgentState, Drift, NetworkStatus, RouteStatus, Status, TargetStatus,
    };
    use crate::tray::face::{Item, Surroundings};

    /// 11:16 in the office.
    pub(in crate::tray) fn around() -> Surroundings {
        Surroundings {
            starts_at_login: Some(true),
            can_start: false,
            now: "2026-11-22T11:16:00+00:00[+00:00]".parse().unwrap(),
        }
    }

    pub(in crate::tray) fn office() -> Status {
        Status {
            profile: Some("office".to_owned()),
            since: "2026-11-22T09:12:00Z".parse().ok(),
            agent: AgentState::Running,
            why: Some("corp proven by its key".to_owned()),
            targets: vec![
                target("corp", Verdict::Up, "TLS pinned, v1.4.0 hash right"),
                target(
                    "proxy",
                    Verdict::Portal,
                    "302 to http://blocked.corp.example/",
                ),
            ],
            network: NetworkStatus {
                default_routes: vec![RouteStatus {
                    link: "wlan0".to_owned(),
                    gateway: Some("10.20.0.1".to_owned()),
                    metric: 600,
                }],
                ..NetworkStatus::default()
            },
            tier: Some(Tier::Proxy),
            profiles: ["office", "home", "offline"].map(str::to_owned).into(),
            notify: true,
            ..Status::default()
        }
    }

    /// A login page answers every request.
    pub(in crate::tray) fn hotel() -> Status {
        let reason = "302 to http://login.hotel.example/?from=proxy";
        Status {
            profile: Some("offline".to_owned()),
            why: Some("nothing answers".to_owned()),
            targets: vec![
                target(
                    "corp",
                    Verdict::Portal,
                    "certificate is for hotel.example, not corp",
                ),
                target("proxy", Verdict::Portal, reason),
            ],
            tier: Some(Tier::Mirror),
            ..office()
        }
    }

    /// The cable is unplugged.
    pub(in crate::tray) fn train() -> Status {
        Status {
            profile: Some("offline".to_owned()),
            why: Some("no packet can leave the machine".to_owned()),
            targets: vec![target("corp", Verdict::Down, "no way out")],
            network: NetworkStatus::default(),
            tier: Some(Tier::Mirror),
            ..office()
        }
    }

    pub(in crate::tray) fn drift(found: Option<&str>) -> Drift {
        Drift {
            name: "GOPROXY".to_owned(),
            wrote: Some("off".to_owned()),
            found: found.map(str::to_owned),
            ended: Vec::new(),
        }
    }

    pub(in crate::tray) fn target(name: &str, verdict: Verdict, reason: &str) -> TargetStatus {
        TargetStatus {
            name: name.to_owned(),
            up: Some(verdict == Verdict::Up),
            verdict: Some(verdict),
            local: false,
            reason: reason.to_owned(),
            portal_url: reason.split_once(" to ").map(|(_, page)| page.to_owned()),
            ms: Phases::default(),
            history: Vec::new(),
        }
    }

    /// Prints a menu as a user sees it: `[✓]` before ticked entries, texts in brackets, submenus
    /// indented. The first line has no leading spaces.
    pub(in crate::tray) fn drawn(items: &[Item]) -> String {
        let mut out = String::new();
        draw(items, "", &mut out);
        out.trim_start().to_owned()
    }

    fn draw(items: &[Item], indent: &str, out: &mut String) {
        let tick = |checked| if checked { "✓ " } else { "  " };
        for item in items {
            match item {
                Item::Separator => *out += &format!("{indent}  ----\n"),
                Item::Text(text) => *out += &format!("{indent}  ({text})\n"),
                Item::Choice { label, checked, .. } => {
                    *out += &format!("{indent}{}{label}\n", tick(*checked));
                }
                Item::Submenu {
                    label,
                    checked,
                    items,
                } => {
                    *out += &format!("{indent}{}{label} ▸\n", tick(*checked));
                    draw(items, &format!("{indent}    "), out);
                }
            }
        }
    }
}
