//! Builds the face of a status, and its menu from top to bottom.

use std::time::Duration;

use super::face::{
    Action, Face, Item, MENU_CHARACTERS, NAME_CHARACTERS, Surroundings, headline, icon, notes,
    tooltip,
};
use super::words::clean;
use crate::model::status::Status;
use crate::model::text::{ago, moment};

/// How long a profile can be pinned from the menu. For more than a day, use `goroam use --for`.
const DURATIONS: [(&str, u64); 3] = [
    ("For 30 minutes", 30 * 60),
    ("For 2 hours", 2 * 3600),
    ("For 8 hours", 8 * 3600),
];
/// Most notes in the menu itself; the status shows the others.
const MOST_NOTES: usize = 3;
/// Most profiles in one menu; the others are in submenus. A small screen shows about thirty lines.
const MOST_PROFILES: usize = 25;

/// Builds the face; `status` is `None` while no agent answers.
pub(super) fn face(status: Option<&Status>, around: &Surroundings) -> Face {
    Face {
        icon: icon(status),
        tooltip: tooltip(status, &around.now),
        menu: menu(status, around),
    }
}

/// Builds the menu of a status; `None`: no agent answers.
fn menu(status: Option<&Status>, around: &Surroundings) -> Vec<Item> {
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
    // A turn continues with the profile that was pinned before the pause; "Automatic" would forget
    // it.
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
    }
}

#[cfg(test)]
mod tests {
    use super::face;
    use crate::model::Tier;
    use crate::model::observation::Verdict;
    use crate::model::status::{Pinned, Shadow, Status};
    use crate::tray::face::fixtures::{around, drawn, drift, hotel, office, target, train};
    use crate::tray::face::{Action, Icon, Item, Surroundings};

    #[test]
    fn each_state_has_its_icon_and_the_worst_one_is_shown() {
        let with = |change: fn(&mut Status)| {
            let mut status = office();
            change(&mut status);
            status
        };
        let cases = [
            (
                "the office, where one public site is blocked",
                office(),
                Icon::Good,
            ),
            ("a login page", hotel(), Icon::Attention),
            ("no way out", train(), Icon::Offline),
            (
                "only the module cache, though there is a route",
                Status {
                    network: office().network,
                    ..train()
                },
                Icon::Offline,
            ),
            (
                "a mirror by choice, with the network up",
                with(|s| {
                    s.tier = Some(Tier::Mirror);
                    s.targets.truncate(1);
                }),
                Icon::Good,
            ),
            (
                "drift",
                with(|s| s.drift = vec![drift(None)]),
                Icon::Attention,
            ),
            (
                "weaker",
                with(|s| s.weakened = vec!["GOSUMDB=off".into()]),
                Icon::Attention,
            ),
            (
                "trouble",
                with(|s| s.troubles = vec!["no go".into()]),
                Icon::Attention,
            ),
            (
                "shadowed in the agent's own environment",
                with(|s| {
                    s.shadowed = vec![Shadow {
                        name: "GOPROXY".into(),
                        value: "off".into(),
                        written: None,
                    }];
                }),
                Icon::Good,
            ),
            (
                "paused, which the agent calls a trouble",
                with(|s| {
                    s.paused = true;
                    s.troubles = vec!["paused; run `goroam auto` to resume".into()];
                }),
                Icon::Paused,
            ),
        ];
        for (what, status, want) in cases {
            assert_eq!(face(Some(&status), &around()).icon, want, "{what}");
        }
        assert_eq!(face(None, &around()).icon, Icon::Stopped);
    }

    const OFFICE: &str = "\
  (office · since 09:12 (2 h 04 min))
  (corp proven by its key)
  Status…
  ----
  Use a profile ▸
    ✓ office ▸
          For 30 minutes
          For 2 hours
          For 8 hours
          Until I say otherwise
      home ▸
          For 30 minutes
          For 2 hours
          For 8 hours
          Until I say otherwise
      offline ▸
          For 30 minutes
          For 2 hours
          For 8 hours
          Until I say otherwise
✓ Automatic
  Probe now
  Pause
  ----
  Open policy
  Open log
  ----
✓ Start at login
  Quit
";

    #[test]
    fn the_menu_of_an_office() {
        let menu = drawn(&face(Some(&office()), &around()).menu);
        assert_eq!(menu, OFFICE);
    }

    const PINNED: &str = "\
  (office · since 09:12 · by hand until 14:00 · paused (2 h 04 min))
  (corp proven by its key)
  (! GOPROXY was set to direct by another program or by hand)
  (! verification is weakened: GONOSUMDB=*)
  (! goroam.toml: 2 errors; the policy of before holds; see `goroam check`)
  (! and 1 more; see the status)
  Status…
  ----
  Use a profile ▸
    ✓ office • by hand until 14:00 ▸
          For 30 minutes
          For 2 hours
          For 8 hours
          Until I say otherwise
  Automatic
  Probe now
✓ Pause
  ----
  Open policy
  Open log
  ----
  Quit
";

    #[test]
    fn a_menu_tells_what_was_done_by_hand_and_what_is_wrong() {
        let status = Status {
            pinned: Some(Pinned {
                name: "office".to_owned(),
                until: "2026-11-22T14:00:00Z".parse().ok(),
                ..Pinned::default()
            }),
            paused: true,
            drift: vec![drift(Some("direct"))],
            weakened: vec!["GONOSUMDB=*".to_owned()],
            troubles: vec![
                "paused; run `goroam auto` to resume".to_owned(),
                "goroam.toml: 2 errors; the policy of before holds; see `goroam check`".to_owned(),
                "no go command".to_owned(),
            ],
            profiles: vec!["office".to_owned()],
            ..office()
        };
        let around = Surroundings {
            starts_at_login: None,
            ..around()
        };
        let face = face(Some(&status), &around);
        assert_eq!(drawn(&face.menu), PINNED);
        // Continuing keeps the pin, which "automatic" would forget.
        assert_eq!(action(&face.menu, "Pause"), Some(Action::ProbeNow));
    }

    #[test]
    fn a_mirror_by_hand_is_named_with_the_profile_below_it() {
        let status = Status {
            profile: Some("cn".to_owned()),
            pinned: Some(Pinned {
                name: "cn".to_owned(),
                goproxy: Some("https://goproxy.cn,direct".to_owned()),
                over: Some("office".to_owned()),
                until: None,
                variant: 0,
            }),
            ..office()
        };
        let face = face(Some(&status), &around());
        let menu = drawn(&face.menu);
        let first = "(cn · since 09:12 · by hand over office (2 h 04 min))";
        assert_eq!(menu.lines().next(), Some(first), "{menu}");
        assert!(!menu.contains("✓ Automatic"), "{menu}");
    }

    const STOPPED: &str = "\
  (No agent is running)
  (go env stays as it was set last)
  (Start it with: goroam service start)
  ----
  Open policy
  Open log
  ----
  Start at login
  Quit
";

    #[test]
    fn without_an_agent_the_menu_says_what_to_do() {
        let around = Surroundings {
            starts_at_login: Some(false),
            ..around()
        };
        let stopped = face(None, &around);
        assert_eq!(drawn(&stopped.menu), STOPPED);
        assert_eq!(stopped.tooltip, "goroam: no agent is running");
        let can = Surroundings {
            can_start: true,
            ..around
        };
        let stopped = face(None, &can);
        assert_eq!(
            action(&stopped.menu, "Start goroam"),
            Some(Action::StartAgent)
        );
        assert_eq!(
            action(&stopped.menu, "Start at login"),
            Some(Action::StartAtLogin(true))
        );
    }

    #[test]
    fn forty_profiles_with_odd_names_are_all_there_each_in_reach() {
        let mut names: Vec<String> = (0..36).map(|n| format!("profile-{n}")).collect();
        names.push("R&D_lab".to_owned());
        names.push("evil\u{202e}\u{1b}[31m\nname".to_owned());
        names.push("مكتب 🏢".to_owned());
        names.push("x".repeat(5000));
        let status = Status {
            profiles: names.clone(),
            ..office()
        };
        let menu = face(Some(&status), &around()).menu;
        let mut pins = Vec::new();
        each(&menu, &mut |item, beside| {
            assert!(beside <= 30, "{beside} lines in one menu");
            if let Item::Choice {
                action:
                    Action::Pin {
                        profile,
                        within: None,
                    },
                ..
            } = item
            {
                pins.push(profile.clone());
            }
            let label = label(item);
            assert!(label.chars().count() <= 120, "{label}");
            assert!(
                !label.contains(|c: char| c.is_control() || c == '\u{202e}'),
                "{label}"
            );
        });
        // The actions use the full names.
        assert_eq!(pins, names);
        let drawn = drawn(&menu);
        for shown in [
            "  R&D_lab ▸",
            "  evil\u{fffd} [31m name ▸",
            "  مكتب 🏢 ▸",
            "xxx… ▸",
        ] {
            assert!(drawn.contains(shown), "{shown} in {drawn}");
        }
    }

    #[test]
    fn tooltips_say_the_profile_since_when_and_why() {
        let cases = [
            (office(), "office · since 09:12\ncorp proven by its key"),
            (
                hotel(),
                "offline · since 09:12\n! open http://login.hotel.example/ in a browser and log in; goroam \
                 looks again by itself\nnothing answers",
            ),
            (Status::default(), "no profile yet"),
        ];
        for (status, want) in cases {
            let tooltip = face(Some(&status), &around()).tooltip;
            assert!(tooltip.encode_utf16().count() <= 127, "{tooltip}");
            assert_eq!(tooltip, want);
        }
        let long = Status {
            why: Some("a\u{7}\n".repeat(5000)),
            ..office()
        };
        let tooltip = face(Some(&long), &around()).tooltip;
        assert_eq!(tooltip.encode_utf16().count(), 127);
        assert!(tooltip.starts_with("office · since 09:12\na a a ") && tooltip.ends_with("a…"));
    }

    #[test]
    fn a_login_page_without_an_address_is_told_by_what_answers() {
        let mut status = hotel();
        let reason = "200, but HTML where go.mod was asked";
        status.targets = vec![target("proxy", Verdict::Portal, reason)];
        let shown = |status: &Status| drawn(&face(Some(status), &around()).menu);
        let drawn = shown(&status);
        let want = "(! log in to this network in a browser, or ask who intercepts TLS here; go";
        assert!(drawn.contains(want), "{drawn}");
        // What a stranger names stays text, on one line.
        status.targets = vec![target(
            "proxy",
            Verdict::Portal,
            "302 to http://\u{1b}[2J\n\u{202e}x/y",
        )];
        let text = shown(&status);
        assert!(text.contains("[2J \u{fffd}x/ in a browser"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }

    fn each(items: &[Item], see: &mut impl FnMut(&Item, usize)) {
        for item in items {
            see(item, items.len());
            if let Item::Submenu { items, .. } = item {
                each(items, see);
            }
        }
    }

    fn label(item: &Item) -> String {
        match item {
            Item::Separator => String::new(),
            Item::Text(label) | Item::Choice { label, .. } | Item::Submenu { label, .. } => {
                label.clone()
            }
        }
    }

    fn action(items: &[Item], wanted: &str) -> Option<Action> {
        items.iter().find_map(|item| match item {
            Item::Choice { label, action, .. } if label == wanted => Some(action.clone()),
            Item::Separator | Item::Text(_) | Item::Choice { .. } | Item::Submenu { .. } => None,
        })
    }
}
