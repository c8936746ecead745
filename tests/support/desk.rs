//! A Windows with a screen, and goroam's icon and menu on it.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::expect_used, clippy::unwrap_used)]

use goroam::tray::face::Icon;
use goroam::tray::icon::rgba;
use serde_json::Value;

use super::screen::{Screen, Window};
use super::wine::{Run, Wine, wait_for};

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

/// A Windows with a screen.
pub struct Desk {
    pub wine: Wine,
    pub screen: Screen,
}

impl Desk {
    pub fn get() -> Option<Desk> {
        let screen = Screen::get()?;
        let mut wine = Wine::get()?.with_go("1.27.3");
        // Before the first program: the one that shows icons is started with it.
        wine.set("DISPLAY", &screen.display);
        wine.write("AppData/Roaming/goroam/config/goroam.toml", POLICY);
        Some(Desk { wine, screen })
    }

    pub fn tray(&self) -> Run {
        self.wine.run(r"C:\Program Files\goroam\goroam-tray.exe")
    }

    /// Waits until this icon is seen, once, and no other; where its middle is.
    #[track_caller]
    pub fn sees(&self, icon: Icon) -> (usize, usize) {
        wait_for(&format!("{icon:?} on the screen"), || {
            let seen = self.icons();
            match seen.as_slice() {
                [(one, (x, y))] if *one == icon => Ok((x + ICON / 2, y + ICON / 2)),
                _ => Err(format!("{seen:?} {}", self.log())),
            }
        })
    }

    /// Every icon of ours that is to be seen, and where.
    pub fn icons(&self) -> Vec<(Icon, (usize, usize))> {
        let picture = self.screen.picture();
        let of = |icon| {
            let places = picture.find(&rgba(icon, ICON as u32), ICON);
            places.into_iter().map(move |place| (icon, place))
        };
        Icon::ALL.into_iter().flat_map(of).collect()
    }

    /// Clicks on the icon and waits for the menu.
    #[track_caller]
    pub fn menu(&self, icon: Icon, button: u8) -> Menu<'_> {
        let (x, y) = self.sees(icon);
        // The pointer also brings up a tooltip. It has at most five lines.
        self.opened(x, 120, || self.screen.click(x, y, button))
    }

    /// Waits for the menu that opens when this is done, at about this `x` or to its right, and
    /// higher than this.
    #[track_caller]
    pub fn opened(&self, left: usize, height: usize, how: impl FnOnce()) -> Menu<'_> {
        let before = self.screen.windows();
        how();
        let window = wait_for("a menu", || {
            let now = self.screen.windows();
            let new = now.iter().find(|window| {
                let is_menu = window.height > height && window.width > 60 && window.x + 9 > left;
                is_menu && !before.iter().any(|old| old.id == window.id)
            });
            new.copied().ok_or_else(|| format!("{now:?}"))
        });
        // A window exists before it is painted, and is painted piece by piece: two pictures in a row
        // must agree.
        let mut last = Vec::new();
        let groups = wait_for("a painted menu", || {
            let groups = self.screen.picture().groups(window);
            let is_painted = !groups.is_empty() && groups == last;
            last.clone_from(&groups);
            is_painted
                .then_some(groups)
                .ok_or_else(|| format!("{last:?}"))
        });
        Menu {
            desk: self,
            window,
            groups,
        }
    }

    pub fn status(&self) -> Value {
        self.wine.goroam("status --json").exits(0).json()
    }

    #[track_caller]
    pub fn says(&self, what: &str, is: impl Fn(&Value) -> bool) {
        wait_for(what, || {
            let done = self.wine.goroam("status --json").done();
            // Busy: it starts, or the machine does.
            if done.status.code() == Some(5) {
                return Err(done.all());
            }
            let status = done.json();
            match is(&status) {
                true => Ok(()),
                false => Err(format!("{status:#}")),
            }
        });
    }

    pub fn log(&self) -> String {
        let path = self.wine.local().join("goroam/data/goroam.log");
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

/// A menu that is open.
pub struct Menu<'a> {
    desk: &'a Desk,
    pub window: Window,
    pub groups: Vec<(usize, usize)>,
}

impl Menu<'_> {
    /// The middle of an entry: the nth of a group that has this many.
    #[track_caller]
    pub fn place(&self, (group, entries): (usize, usize), nth: usize) -> (usize, usize) {
        let (top, bottom) = self.groups[group];
        let y = top + (bottom - top) * (2 * nth + 1) / (2 * entries);
        (self.window.x + self.window.width / 2, y)
    }

    #[track_caller]
    pub fn click(self, group: (usize, usize), nth: usize) {
        assert_eq!(self.groups.len(), 4, "{:?}", self.groups);
        let (x, y) = self.place(group, nth);
        self.desk.screen.click(x, y, 1);
    }

    /// Goes to an entry and waits for the menu behind it.
    #[track_caller]
    pub fn behind(&self, group: (usize, usize), nth: usize) -> Menu<'_> {
        let (x, y) = self.place(group, nth);
        let right = self.window.x + self.window.width;
        let open = || self.desk.screen.click(x, y, 1);
        self.desk.opened(right, 36, open)
    }
}
