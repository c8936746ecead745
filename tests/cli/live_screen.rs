//! `goroam status --watch` in a real terminal, with a real agent.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::cli::{self, User};
use crate::go;
use crate::tmux::{SOON, Terminal, naps};

const WATCH: &str = concat!(env!("CARGO_BIN_EXE_goroam"), " status --watch");

/// Somebody with a go, and a policy whose targets are on this machine.
struct Desk {
    user: User,
    path: String,
    port: u16,
}

/// A running agent; it ends when this is dropped.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Desk {
    fn new() -> Option<Desk> {
        let go = go::go(go::VERSIONS[2])?;
        let folder = go.parent().unwrap().to_str().unwrap();
        let path = format!("{folder}:/usr/bin:/bin");
        let user = User::new();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        let policy = user.write(
            ".config/goroam/goroam.toml",
            format!(
                "version = 1\n\
                 [agent]\nrecheck = \"off\"\n\
                 [target.athens]\nlistening = \"127.0.0.1:{port}\"\n\
                 [[profile]]\nname = \"near\"\nwhen = {{ up = \"athens\" }}\n\
                 env = {{ GOPROXY = \"http://127.0.0.1:{port}\" }}\n\
                 [[profile]]\nname = \"far\"\nenv = {{ GOPROXY = \"off\" }}\n"
            ),
        );
        assert_eq!(policy, user.policy());
        Some(Desk { user, path, port })
    }

    fn goroam(&self, words: &str) -> cli::Run {
        self.user.goroam(words).env("PATH", &self.path)
    }

    /// An agent that listens and has taken its first turn.
    fn agent(&self) -> Agent {
        let mut command = self.goroam("agent").command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let agent = Agent(command.spawn().unwrap());
        let deadline = Instant::now() + SOON;
        loop {
            let status = self.goroam("status --json").exits(0).json();
            if status["agent"] == "running" && !status["profile"].is_null() {
                return agent;
            }
            assert!(Instant::now() < deadline, "{status:#}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn vars<'a>(&'a self, home: &'a str, run: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("HOME", home),
            ("XDG_RUNTIME_DIR", run),
            ("LANG", "C.UTF-8"),
            ("GOPROXY", "https://joe:s3cret@shell.test"),
        ]
    }

    /// A terminal of this user, with more variables.
    fn terminal(&self, columns: u16, rows: u16, more: &[(&str, &str)]) -> Option<Terminal> {
        let (home, run) = (self.user.path(""), self.user.path("run"));
        let (home, run) = (home.to_str().unwrap(), run.to_str().unwrap());
        let vars = [self.vars(home, run).as_slice(), more].concat();
        Terminal::open(columns, rows, &vars)
    }
}

#[track_caller]
fn fits(lines: &[String], columns: usize) {
    for line in lines {
        assert!(line.chars().count() <= columns, "{line}");
    }
}

#[test]
fn the_screen_tells_what_matters_and_what_changes_and_is_given_back() {
    let Some(desk) = Desk::new() else { return };
    let Some(terminal) = desk.terminal(80, 24, &[]) else {
        return;
    };
    let _agent = desk.agent();
    terminal.enter("clear; stty -a > ~/before.txt; echo be''fore");
    terminal.shows("before\n$");
    terminal.enter(&format!(
        "{WATCH}; echo rc=$?; stty -a > ~/after.txt; echo do''ne"
    ));
    let lines = terminal.shows("q quits");
    fits(&lines, 80);
    assert!(lines[0].starts_with("● far · since "), "{}", lines[0]);
    assert!(lines[0].ends_with("automatic"), "{}", lines[0]);
    assert_eq!(terminal.tells("#{alternate_on} #{cursor_flag}"), "1 0");
    let text = lines.join("\n");
    for told in [
        "  network   ",
        "  why       ",
        "  GOPROXY   off",
        "was not set",
        "last rounds: ▁ under 5 ms … █ from 500 ms, × not up",
        "athens    ✗ down",
        "×  nothing listens at 127.0.0.1",
        "none → far",
        "! GOPROXY is also set in this shell's environment",
        "https://joe:***@shell.test",
    ] {
        assert!(text.contains(told), "no {told}:\n{text}");
    }
    assert!(!text.contains("s3cret"), "{text}");

    let listener = TcpListener::bind(("127.0.0.1", desk.port)).unwrap();
    desk.goroam("once").exits(0);
    let text = terminal.shows("far → near").join("\n");
    assert!(text.starts_with("● near · since "), "{text}");
    assert!(text.contains("athens    ✓ up"), "{text}");
    drop(listener);
    desk.goroam("once").exits(0);
    let lines = terminal.shows("near → far");
    let target = lines.iter().find(|line| line.contains("athens    ✗ down"));
    let bars = target.unwrap().split_whitespace().nth(3).unwrap();
    assert_eq!(bars.chars().count(), 3, "{bars}");
    assert!(bars.starts_with('×') && bars.ends_with('×'), "{bars}");
    fits(&lines, 80);

    terminal.press(&["q"]);
    let text = terminal.shows("done").join("\n");
    assert!(text.contains("before") && text.contains("rc=0"), "{text}");
    assert!(!text.contains("q quits"), "{text}");
    assert_eq!(terminal.tells("#{alternate_on} #{cursor_flag}"), "0 1");
    let modes = |name| std::fs::read_to_string(desk.user.path(name)).unwrap();
    assert_eq!(modes("before.txt"), modes("after.txt"));
}

#[test]
fn it_fits_the_terminal_after_every_change_of_its_size() {
    let Some(desk) = Desk::new() else { return };
    let Some(terminal) = desk.terminal(80, 24, &[]) else {
        return;
    };
    let _agent = desk.agent();
    terminal.enter(WATCH);
    terminal.shows("q quits");
    for (columns, rows) in [(40, 10), (200, 60), (20, 3), (80, 24)] {
        terminal.resize(columns, rows);
        let lines = terminal.until(&format!("{columns}x{rows}"), |lines| {
            let wide = lines.first().is_some_and(|line| {
                line.starts_with("● far") && (columns < 30 || line.ends_with("automatic"))
            });
            let right = lines[0].chars().count() == usize::from(columns) || columns < 30;
            let low = rows < 20 || lines.last().is_some_and(|line| line.contains("q quits"));
            wide && right && low
        });
        assert!(lines.len() <= usize::from(rows), "{lines:#?}");
        fits(&lines, usize::from(columns));
    }
    terminal.press(&["C-c"]);
    terminal.until("the shell", |lines| !lines.join("").contains("● far"));
    terminal.enter("echo rc=$?");
    terminal.shows("rc=0");
}

#[test]
fn a_signal_gives_the_screen_back() {
    let Some(desk) = Desk::new() else { return };
    let _agent = desk.agent();
    for (signal, code) in [("TERM", 143), ("INT", 0)] {
        let Some(terminal) = desk.terminal(80, 24, &[]) else {
            return;
        };
        terminal.enter("stty -a > ~/before.txt; echo be''fore");
        terminal.shows("before\n$");
        // The shell stays, so that somebody is there to look afterwards.
        terminal.enter(&format!(
            "{WATCH}; echo rc=$?; stty -a > ~/after.txt; echo do''ne"
        ));
        terminal.shows("q quits");
        let shell = terminal.tells("#{pane_pid}");
        let children = format!("/proc/{shell}/task/{shell}/children");
        let pid = std::fs::read_to_string(children).unwrap();
        let kill = std::process::Command::new("kill")
            .args([&format!("-{signal}"), pid.trim()])
            .status();
        assert!(kill.unwrap().success());
        terminal.shows("done");
        terminal.shows(&format!("rc={code}"));
        assert_eq!(terminal.tells("#{alternate_on} #{cursor_flag}"), "0 1");
        let modes = |name| std::fs::read_to_string(desk.user.path(name)).unwrap();
        assert_eq!(modes("before.txt"), modes("after.txt"));
    }
}

#[test]
fn a_stopped_watch_leaves_the_shell_alone_and_goes_on_where_it_was() {
    let Some(desk) = Desk::new() else { return };
    let Some(terminal) = desk.terminal(80, 24, &[]) else {
        return;
    };
    let _agent = desk.agent();
    terminal.enter(WATCH);
    terminal.shows("q quits");
    terminal.press(&["C-z"]);
    terminal.shows("Stopped");
    assert_eq!(terminal.tells("#{alternate_on} #{cursor_flag}"), "0 1");
    terminal.enter("fg");
    terminal.shows("q quits");
    assert_eq!(terminal.tells("#{alternate_on} #{cursor_flag}"), "1 0");
    terminal.press(&["q"]);
    terminal.shows("Stopped");
}

#[test]
fn it_waits_for_an_agent_that_has_ended_and_goes_on_with_the_next_one() {
    let Some(desk) = Desk::new() else { return };
    let Some(terminal) = desk.terminal(80, 24, &[]) else {
        return;
    };
    terminal.enter(&format!("{WATCH}; echo rc=$?"));
    // There was none from the beginning: there is nothing to wait for.
    terminal.shows("rc=5");
    let agent = desk.agent();
    terminal.enter(WATCH);
    terminal.shows("● far");
    drop(agent);
    let text = terminal.shows("the agent has ended").join("\n");
    assert!(text.contains("○ far"), "{text}");
    assert!(text.contains("Waiting for it to return"), "{text}");
    let _agent = desk.agent();
    let text = terminal.shows("● far").join("\n");
    assert!(!text.contains("has ended"), "{text}");
}

#[test]
fn it_never_wakes_while_nothing_happens() {
    const STILL: Duration = Duration::from_secs(20);
    let Some(desk) = Desk::new() else { return };
    let (home, run) = (desk.user.path(""), desk.user.path("run"));
    let vars = desk.vars(home.to_str().unwrap(), run.to_str().unwrap());
    let _agent = desk.agent();
    let words: Vec<&std::ffi::OsStr> = WATCH.split(' ').map(std::ffi::OsStr::new).collect();
    let Some(terminal) = Terminal::running(80, 24, &vars, &words) else {
        return;
    };
    terminal.shows("just now");
    let pid = terminal.tells("#{pane_pid}");
    // Whatever the beginning has set off is over when a second passes without it.
    let deadline = Instant::now() + SOON;
    let mut last = naps(&pid);
    loop {
        std::thread::park_timeout(Duration::from_secs(1));
        let now = naps(&pid);
        if now == last {
            break;
        }
        assert!(Instant::now() < deadline, "it never comes to rest");
        last = now;
    }
    let quiet = Instant::now() + STILL;
    while let Some(left) = quiet.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    assert_eq!(naps(&pid), last, "within {STILL:?} of nothing");
}

#[test]
fn the_time_on_it_grows_old() {
    let Some(desk) = Desk::new() else { return };
    let Some(terminal) = desk.terminal(80, 24, &[]) else {
        return;
    };
    desk.goroam("once").exits(0);
    let path = desk.user.path(".local/state/goroam/state.json");
    let mut state: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let since: jiff::Timestamp = state["since"].as_str().unwrap().parse().unwrap();
    let earlier = since - jiff::SignedDuration::from_secs(115);
    state["since"] = earlier.to_string().into();
    std::fs::write(&path, state.to_string()).unwrap();
    let _agent = desk.agent();
    terminal.enter(WATCH);
    terminal.shows("q quits");
    terminal.shows("(2 min)");
}

#[test]
fn a_terminal_without_unicode_gets_none_and_a_dumb_one_gets_lines() {
    let Some(desk) = Desk::new() else { return };
    let _agent = desk.agent();
    let Some(terminal) = desk.terminal(80, 24, &[("LC_ALL", "C")]) else {
        return;
    };
    terminal.enter(WATCH);
    let text = terminal.shows("q quits").join("\n");
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains("* far - since"), "{text}");
    assert!(text.contains("x  nothing listens"), "{text}");
    terminal.press(&["q"]);
    terminal.until("the shell", |lines| !lines.join("").contains("far"));
    terminal.enter(&format!("TERM=dumb {WATCH}"));
    terminal.shows("far · automatic");
    assert_eq!(terminal.tells("#{alternate_on} #{cursor_flag}"), "0 1");
    terminal.press(&["C-c"]);
}
