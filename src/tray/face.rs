//! What a tray shows, as plain data: compared in tests, drawn by a backend that has no opinion
//! of its own.

use std::time::Duration;

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
