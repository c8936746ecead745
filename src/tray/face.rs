//! What a tray shows of a status, as plain data: compared in tests, drawn by a backend that decides
//! nothing.

use std::time::Duration;

use super::words::{clean, cut_utf16, moment};
use crate::model::status::{Status, TargetStatus};
use crate::model::{Tier, Verdict};

/// The icon, one for each state. A symbol tells them apart, a colour only repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icon {
    /// A profile is in force, and nothing is wrong.
    Good,
    /// Nothing can be reached; the offline profile holds.
    Offline,
    /// Something is to be looked at: a portal, drift, a trouble.
    Attention,
    /// Paused.
    Paused,
    /// No agent answers.
    Stopped,
}

impl Icon {
    /// All of them.
    pub const ALL: [Icon; 5] = [
        Icon::Good,
        Icon::Offline,
        Icon::Attention,
        Icon::Paused,
        Icon::Stopped,
    ];
}

/// What a click asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Show the status in full.
    ShowStatus,
    /// Stay with a profile.
    Pin {
        /// Its name.
        profile: String,
        /// For how long; `None`: until "automatic".
        within: Option<Duration>,
    },
    /// Choose by the network again.
    Automatic,
    /// Take a turn now.
    ProbeNow,
    /// Open the policy in an editor; written from the template if there is none.
    OpenPolicy,
    /// Open the log.
    OpenLog,
    /// Leave everything as it is until "automatic".
    Pause,
    /// Start the agent; in the menu only where [`Surroundings::can_start`].
    StartAgent,
    /// Start at login, or not any more.
    StartAtLogin(bool),
    /// End the tray, and the agent if it lives in it.
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
        /// Its words. Plain text: `&` and `_` stand for themselves, and a backend whose menus
        /// take them for access keys doubles them.
        label: String,
        /// What it asks for.
        action: Action,
        /// With a tick?
        checked: bool,
        /// May it be chosen now?
        enabled: bool,
    },
    /// A menu within the menu.
    Submenu {
        /// Its words.
        label: String,
        /// With a tick?
        checked: bool,
        /// Its lines.
        items: Vec<Item>,
    },
}

/// Everything that a tray shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// The icon.
    pub icon: Icon,
    /// Profile, since when, why, with `\n` between; at most 127 UTF-16 units, which is what
    /// Windows takes.
    pub tooltip: String,
    /// The menu, from the top.
    pub menu: Vec<Item>,
}

/// Something that a user wants to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// A few words: "office → home". At most 63 UTF-16 units, which is what Windows takes.
    pub title: String,
    /// A sentence: why. At most 255 UTF-16 units, for the same reason.
    pub text: String,
    /// Trouble, not a switch.
    pub trouble: bool,
}

/// What is known of the machine beside the agent's status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Does it start at login? `None`: this backend cannot say or change it.
    pub starts_at_login: Option<bool>,
    /// Can this backend start an agent where none is running?
    pub can_start: bool,
    /// Now, and where: for "since 09:12".
    pub now: jiff::Zoned,
}

/// A line in a menu: about what fits beside an icon without the menu filling the screen.
pub(super) const MENU_CHARACTERS: usize = 72;
/// The name of a profile within other words.
pub(super) const NAME_CHARACTERS: usize = 40;

/// The icon; `None`: no agent answers.
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

/// What somebody should look at, one line each, not yet bounded. Not variables that shadow
/// ours: the agent's own environment says nothing of the user's shell.
pub(super) fn notes(status: &Status) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(portal(status).map(portal_note));
    notes.extend(status.drift.iter().map(|drift| match &drift.found {
        Some(found) => format!("{} was set to {found} by somebody else", drift.name),
        None => format!("{} was removed by somebody else", drift.name),
    }));
    notes.extend(status.weakened.iter().map(|what| weakened_note(what)));
    notes.extend(troubles(status).map(str::to_owned));
    notes
}

/// Troubles, but for the line that says that it is paused: that is no trouble.
pub(super) fn troubles(status: &Status) -> impl Iterator<Item = &str> {
    let said = |line: &&str| !(status.paused && line.starts_with("paused;"));
    status.troubles.iter().map(String::as_str).filter(said)
}

/// The target in whose place a login page answers, if that is what keeps us from the network.
/// Where modules come over the network, a page in front of one target is only a blocked site.
pub(super) fn portal(status: &Status) -> Option<&TargetStatus> {
    let captive =
        !is_anything_up(status) || !matches!(status.tier, Some(Tier::Proxy | Tier::Direct));
    let is_portal = |target: &&TargetStatus| target.verdict == Some(Verdict::Portal);
    let mut portals = status.targets.iter().filter(is_portal);
    let named = portals
        .clone()
        .find(|target| page(&target.reason).is_some());
    named.or_else(|| portals.next()).filter(|_| captive)
}

/// What to do about it comes first: a menu has room for some seventy characters.
pub(super) fn portal_note(target: &TargetStatus) -> String {
    match page(&target.reason) {
        Some(page) => format!("open {page} in a browser: a login page answers for everybody"),
        None => format!(
            "look for a login page in a browser: something answers in the place of {}: {}",
            target.name, target.reason
        ),
    }
}

/// "verification is weakened: GONOSUMDB"
pub(super) fn weakened_note(what: &str) -> String {
    format!("verification is weakened: {what}")
}

/// Scheme and host (with its port) of the first URL in a reason: "http://login.hotel.example/" of
/// "302 to http://login.hotel.example/x".
fn page(reason: &str) -> Option<String> {
    let at = reason.find("http://").or_else(|| reason.find("https://"))?;
    let (scheme, rest) = reason.get(at..)?.split_once("://")?;
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'));
    let host = rest.split(ends).next().unwrap_or_default();
    (!host.is_empty()).then(|| format!("{scheme}://{}/", clean(host, NAME_CHARACTERS)))
}

/// Nothing comes over the network: no target is up, and there is no way out or no hop left.
fn is_offline(status: &Status) -> bool {
    !is_anything_up(status)
        && (status.network.default_routes.is_empty()
            || matches!(status.tier, Some(Tier::Mirror | Tier::Off)))
}

fn is_anything_up(status: &Status) -> bool {
    let mut remote = status.targets.iter().filter(|target| !target.local);
    remote.any(|target| target.up == Some(true))
}

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

/// Statuses to draw, and a menu as text.
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

    /// A login page answers for everybody.
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

    /// The cable is out.
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
            ms: Phases::default(),
            history: Vec::new(),
        }
    }

    /// As somebody sees it: `[✓]` before what is ticked, texts in brackets, menus indented; without
    /// the spaces before the first line.
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
