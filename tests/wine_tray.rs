//! goroam-tray.exe under Wine, on a screen: what is seen, and what a click does.
#![cfg(target_os = "linux")]
#![cfg(feature = "tray")]
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/screen.rs"]
mod screen;
#[path = "support/wine.rs"]
mod wine;

use goroam::host::tray::face::Icon;
use goroam::host::tray::icon::rgba;
use screen::{Screen, Window};
use serde_json::Value;
use wine::{Run, Running, Wine, wait_for};

/// At 96 dots an inch.
const ICON: usize = 16;

const POLICY: &str = r#"version = 1
[agent]
recheck = "off"

[[profile]]
name = "office"
env = { GOPROXY = "https://goproxy.example" }

[[profile]]
name = "r&d"
env = { GOPROXY = "off" }
"#;

const RUN_KEY: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run";

/// The menu's groups from the top, and how many entries each has.
const HEAD: (usize, usize) = (0, 3);
const PROFILES: (usize, usize) = (1, 4);
const FILES: (usize, usize) = (2, 2);
const END: (usize, usize) = (3, 2);

struct Desk {
    wine: Wine,
    screen: Screen,
}

impl Desk {
    fn get() -> Option<Desk> {
        let screen = Screen::get()?;
        let mut wine = Wine::get()?.with_go("1.27.3");
        // Before the first program: the one that shows icons is started with it.
        wine.set("DISPLAY", &screen.display);
        wine.write("AppData/Roaming/goroam/config/goroam.toml", POLICY);
        Some(Desk { wine, screen })
    }

    fn tray(&self) -> Run {
        self.wine.run(r"C:\Program Files\goroam\goroam-tray.exe")
    }

    /// Waits until this icon is seen, once, and no other; where its middle is.
    #[track_caller]
    fn sees(&self, icon: Icon) -> (usize, usize) {
        wait_for(&format!("{icon:?} on the screen"), || {
            let seen = self.icons();
            match seen.as_slice() {
                [(one, (x, y))] if *one == icon => Ok((x + ICON / 2, y + ICON / 2)),
                _ => Err(format!("{seen:?}")),
            }
        })
    }

    /// Every icon of ours that is to be seen, and where.
    fn icons(&self) -> Vec<(Icon, (usize, usize))> {
        let picture = self.screen.picture();
        let of = |icon| {
            let places = picture.find(&rgba(icon, ICON as u32), ICON);
            places.into_iter().map(move |place| (icon, place))
        };
        Icon::ALL.into_iter().flat_map(of).collect()
    }

    /// Clicks on the icon and waits for the menu.
    #[track_caller]
    fn menu(&self, icon: Icon, button: u8) -> Menu<'_> {
        let (x, y) = self.sees(icon);
        self.opened(x, || self.screen.click(x, y, button))
    }

    /// Waits for the menu that opens when this is done, at about this `x` or to its right.
    #[track_caller]
    fn opened(&self, left: usize, how: impl FnOnce()) -> Menu<'_> {
        let before = self.screen.windows();
        how();
        let window = wait_for("a menu", || {
            let now = self.screen.windows();
            let new = now.iter().find(|window| {
                // A tooltip is lower.
                let is_menu = window.height > 36 && window.width > 60 && window.x + 9 > left;
                is_menu && !before.iter().any(|old| old.id == window.id)
            });
            new.copied().ok_or_else(|| format!("{now:?}"))
        });
        // A window is there before it is painted.
        let groups = wait_for("a painted menu", || {
            let groups = self.screen.picture().groups(window);
            match groups.is_empty() {
                true => Err(String::new()),
                false => Ok(groups),
            }
        });
        Menu {
            desk: self,
            window,
            groups,
        }
    }

    fn status(&self) -> Value {
        self.wine.goroam("status --json").exits(0).json()
    }

    #[track_caller]
    fn says(&self, what: &str, is: impl Fn(&Value) -> bool) {
        wait_for(what, || {
            let status = self.status();
            match is(&status) {
                true => Ok(()),
                false => Err(format!("{status:#}")),
            }
        });
    }

    fn log(&self) -> String {
        let path = self.wine.local().join("goroam/data/goroam.log");
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

struct Menu<'a> {
    desk: &'a Desk,
    window: Window,
    groups: Vec<(usize, usize)>,
}

impl Menu<'_> {
    /// The middle of an entry: the nth of a group that has this many.
    #[track_caller]
    fn place(&self, (group, entries): (usize, usize), nth: usize) -> (usize, usize) {
        let (top, bottom) = self.groups[group];
        let y = top + (bottom - top) * (2 * nth + 1) / (2 * entries);
        (self.window.x + self.window.width / 2, y)
    }

    #[track_caller]
    fn click(self, group: (usize, usize), nth: usize) {
        assert_eq!(self.groups.len(), 4, "{:?}", self.groups);
        let (x, y) = self.place(group, nth);
        self.desk.screen.click(x, y, 1);
    }

    /// Goes to an entry and waits for the menu behind it.
    #[track_caller]
    fn behind(&self, group: (usize, usize), nth: usize) -> Menu<'_> {
        let (x, y) = self.place(group, nth);
        let right = self.window.x + self.window.width;
        self.desk.opened(right, || self.desk.screen.click(x, y, 1))
    }
}

#[test]
fn a_day_with_the_icon_pin_release_pause_and_quit() {
    let Some(desk) = Desk::get() else { return };
    let mut tray: Running = desk.tray().start();
    desk.sees(Icon::Good);
    desk.screen.keep("good");
    desk.says("the first profile that holds", |status| {
        status["profile"] == "office" && status["agent"] == "running"
    });

    let menu = desk.menu(Icon::Good, 3);
    let profiles = menu.behind(PROFILES, 0);
    let durations = profiles.behind((0, 2), 1);
    desk.screen.keep("menu");
    let (x, y) = durations.place((0, 4), 0);
    desk.screen.click(x, y, 1);
    desk.says("pinned for half an hour", |status| {
        status["profile"] == "r&d"
            && status["pinned"]["name"] == "r&d"
            && status["pinned"]["until"].is_string()
    });
    desk.wine.run_go("env GOPROXY").exits(0).says("off");

    // Off is off line. The left button opens the menu too.
    desk.menu(Icon::Offline, 1).click(PROFILES, 1);
    desk.says("chosen by the network again", |status| {
        status["profile"] == "office" && status["pinned"].is_null()
    });

    desk.menu(Icon::Good, 3).click(PROFILES, 3);
    desk.sees(Icon::Paused);
    desk.screen.keep("paused");
    assert_eq!(desk.status()["paused"], true);

    desk.menu(Icon::Paused, 3).click(END, 1);
    wait_for("the end of the tray", || match tray.has_ended() {
        true => Ok(()),
        false => Err(desk.log()),
    });
    assert!(tray.wait().status.success());
    assert_eq!(desk.status()["agent"], "stopped");
    wait_for("a screen without the icon", || match desk.icons() {
        icons if icons.is_empty() => Ok(()),
        icons => Err(format!("{icons:?}")),
    });
    let log = desk.log();
    assert!(log.contains("goroam-tray"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}
