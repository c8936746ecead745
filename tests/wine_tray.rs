//! goroam-tray.exe under Wine, on a screen: what is seen, what a click does.
#![cfg(target_os = "linux")]
#![cfg(feature = "tray")]
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/screen.rs"]
mod screen;
#[path = "support/wine.rs"]
mod wine;

use goroam::host::tray::face::Icon;
use goroam::host::tray::icon::rgba;
use screen::Screen;
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

    /// Waits until exactly this icon is seen, once; where its middle is.
    #[track_caller]
    fn sees(&self, icon: Icon) -> (usize, usize) {
        wait_for(&format!("{icon:?} on the screen"), || {
            let picture = self.screen.picture();
            let seen = |icon| picture.find(&rgba(icon, ICON as u32), ICON);
            let all: Vec<_> = Icon::ALL.into_iter().map(|icon| (icon, seen(icon))).collect();
            let total: usize = all.iter().map(|(_, places)| places.len()).sum();
            let places = seen(icon);
            match (places.as_slice(), total) {
                ([(x, y)], 1) => Ok((x + ICON / 2, y + ICON / 2)),
                _ => Err(format!("{all:?}")),
            }
        })
    }

    #[track_caller]
    fn status(&self, what: &str, is: impl Fn(&serde_json::Value) -> bool) {
        wait_for(what, || {
            let status = self.wine.goroam("status --json").exits(0).json();
            match is(&status) {
                true => Ok(()),
                false => Err(format!("{status:#}")),
            }
        });
    }
}

#[test]
fn try_it() {
    let Some(desk) = Desk::get() else { return };
    let _tray: Running = desk.tray().start();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(12);
    while std::time::Instant::now() < end {
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    println!("{:?} {:?}", desk.screen.keep("first"), desk.screen.windows());
    println!("{}", std::fs::read_to_string(desk.wine.local().join("goroam/data/goroam.log")).unwrap_or_default());
    let (x, y) = desk.sees(Icon::Good);
    desk.screen.click(x, y, 1);
    std::thread::park_timeout(std::time::Duration::from_millis(1500));
    println!("{:?} {:?}", desk.screen.keep("menu"), desk.screen.windows());
    desk.screen.xdo("key Up Up Up Up Up Up Up Up Right");
    std::thread::park_timeout(std::time::Duration::from_millis(500));
    println!("{:?} {:?}", desk.screen.keep("menu2"), desk.screen.windows());
    desk.screen.xdo("key Down Right");
    std::thread::park_timeout(std::time::Duration::from_millis(500));
    println!("{:?} {:?}", desk.screen.keep("menu3"), desk.screen.windows());
    desk.screen.xdo("key Down Down Down Return");
    std::thread::park_timeout(std::time::Duration::from_millis(3500));
    println!("{:?} {:?}", desk.screen.keep("menu4"), desk.screen.windows());
    println!("{:#?}", desk.wine.goroam("status --json").exits(0).stdout);
}
