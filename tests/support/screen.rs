//! A screen without glass: an X server with a window manager, for Windows programs under Wine.
//!
//! The pictures are kept in `target/tray`, so that a person can look at them too.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub const WIDTH: usize = 1000;
pub const HEIGHT: usize = 700;

/// The screen; it is switched off when this is dropped.
pub struct Screen {
    server: Child,
    manager: Child,
    pub display: String,
}

impl Screen {
    /// Switches one on; `None`, with a line that says why, where there is none.
    pub fn get() -> Option<Screen> {
        let programs = ["Xvfb", "openbox", "xdotool", "import", "convert"];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let there = |name: &&str| std::env::split_paths(&path).any(|dir| dir.join(name).exists());
        if let Some(missing) = programs.iter().find(|name| !there(name)) {
            println!("skipped: no {missing}: cargo xtask cross setup");
            return None;
        }
        let mut server = Command::new("Xvfb");
        // It takes the first number that is free and says which, once it listens.
        server.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"]);
        server.arg(format!("{WIDTH}x{HEIGHT}x24"));
        server.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = server.spawn().unwrap();
        let mut number = String::new();
        let said = server.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        let mut manager = Command::new("openbox");
        manager.env("DISPLAY", &display);
        manager.stdout(Stdio::null()).stderr(Stdio::null());
        let manager = manager.spawn().unwrap();
        Some(Screen {
            server,
            manager,
            display,
        })
    }

    /// `xdotool`, words separated by spaces; what it says.
    pub fn xdo(&self, words: &str) -> String {
        let mut xdo = Command::new("xdotool");
        xdo.args(words.split_whitespace());
        let done = xdo.env("DISPLAY", &self.display).output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    }

    /// Moves the mouse there and presses a button: 1 left, 3 right.
    pub fn click(&self, x: usize, y: usize, button: u8) {
        // A pointer that jumps is not seen to come in by everybody.
        let (beside, below) = (x + 1, y + 1);
        self.xdo(&format!(
            "mousemove {beside} {below} mousemove {x} {y} click {button}"
        ));
    }

    /// What is on it now.
    pub fn picture(&self) -> Picture {
        let mut import = Command::new("import");
        import.args(["-window", "root", "-depth", "8", "rgb:-"]);
        let done = import.env("DISPLAY", &self.display).output().unwrap();
        assert_eq!(done.stdout.len(), WIDTH * HEIGHT * 3, "{done:?}");
        Picture(done.stdout)
    }

    /// Keeps a picture for people: `target/tray/NAME.png`.
    pub fn keep(&self, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tray");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        let mut import = Command::new("import");
        import.args(["-window", "root"]).arg(&path);
        let done = import.env("DISPLAY", &self.display).status().unwrap();
        assert!(done.success());
        path
    }

    /// The windows that are on it.
    pub fn windows(&self) -> Vec<Window> {
        let said = self.xdo("search --onlyvisible --name .* getwindowgeometry --shell %@");
        let mut windows = Vec::new();
        for line in said.lines() {
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.parse().unwrap_or(0);
            if name == "WINDOW" {
                windows.push(Window {
                    id: value,
                    ..Window::default()
                });
            }
            let Some(window) = windows.last_mut() else {
                continue;
            };
            match name {
                "X" => window.x = value,
                "Y" => window.y = value,
                "WIDTH" => window.width = value,
                "HEIGHT" => window.height = value,
                _ => {}
            }
        }
        windows
    }

    /// The windows of this title.
    pub fn titled(&self, title: &str) -> Vec<String> {
        let mut xdo = Command::new("xdotool");
        xdo.args(["search", "--onlyvisible", "--name"]);
        xdo.arg(format!("^{title}$"));
        let done = xdo.env("DISPLAY", &self.display).output().unwrap();
        let ids = String::from_utf8(done.stdout).unwrap();
        ids.lines().map(str::to_owned).collect()
    }
}

/// A window on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    pub id: usize,
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

impl Drop for Screen {
    fn drop(&mut self) {
        for child in [&mut self.manager, &mut self.server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Red, green, blue of every pixel.
pub struct Picture(Vec<u8>);

impl Picture {
    /// Where a picture with see-through parts (red, green, blue, opacity) is to be seen: every
    /// place, as its top left corner. Its edges are mixed with what is behind, so only what
    /// hides that is compared.
    pub fn find(&self, rgba: &[u8], size: usize) -> Vec<(usize, usize)> {
        let solid: Vec<(usize, usize, &[u8])> = rgba
            .chunks(4)
            .enumerate()
            .filter(|(_, pixel)| pixel[3] == 255)
            .map(|(at, pixel)| (at % size, at / size, &pixel[..3]))
            .collect();
        assert!(solid.len() > size, "nothing to look for");
        let mut found = Vec::new();
        for y in 0..=HEIGHT - size {
            for x in 0..=WIDTH - size {
                let is_there = |(right, down, rgb): &(usize, usize, &[u8])| {
                    let at = ((y + down) * WIDTH + x + right) * 3;
                    let near = |(seen, want): (&u8, &u8)| seen.abs_diff(*want) <= 3;
                    self.0[at..at + 3].iter().zip(*rgb).all(near)
                };
                if solid.iter().all(is_there) {
                    found.push((x, y));
                }
            }
        }
        found
    }

    /// The groups of a menu: from where to where there is no line across. Lines are what
    /// separators are drawn as.
    pub fn groups(&self, menu: Window) -> Vec<(usize, usize)> {
        let at = |x: usize, y: usize| &self.0[(y * WIDTH + x) * 3..][..3];
        let paper = at(menu.x + 4, menu.y + 4);
        let is_line = |y: &usize| {
            let (left, right) = (menu.x + 15, menu.x + menu.width - 15);
            (left..right).all(|x| at(x, *y) != paper)
        };
        let bottom = menu.y + menu.height - 3;
        let lines: Vec<usize> = (menu.y + 3..bottom).filter(is_line).collect();
        let mut groups = Vec::new();
        let mut top = menu.y + 3;
        for line in lines.into_iter().chain([bottom]) {
            if line > top + 8 {
                groups.push((top, line));
            }
            top = line + 1;
        }
        groups
    }
}
