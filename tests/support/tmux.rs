//! A real terminal: a tmux server of the test's own, with one window.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "a test says why it is skipped")]
#![allow(dead_code, reason = "each test file uses the words that it needs")]

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A terminal with a shell in it; it goes away when this is dropped.
pub(crate) struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// Of this size; the shell has these variables, a PATH, and nothing else. `None`, with a
    /// line that says so, where there is no tmux.
    pub(crate) fn open(columns: u16, rows: u16, vars: &[(&str, &str)]) -> Option<Terminal> {
        let shell: Vec<&OsStr> = ["bash", "--norc", "--noprofile"].map(OsStr::new).to_vec();
        Terminal::running(columns, rows, vars, &shell)
    }

    /// The same with another program than a shell.
    pub(crate) fn running(
        columns: u16,
        rows: u16,
        vars: &[(&str, &str)],
        program: &[&OsStr],
    ) -> Option<Terminal> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("skipped: there is no tmux here");
            return None;
        }
        let terminal = Terminal {
            folder: tempfile::tempdir().unwrap(),
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut command = terminal.tmux();
        command
            .args(["new-session", "-d", "-x", &columns, "-y", &rows])
            .args(["env", "-i", "TERM=screen-256color", "PS1=$ "])
            .arg(
                [OsStr::new("PATH="), &path]
                    .into_iter()
                    .collect::<std::ffi::OsString>(),
            )
            .args(vars.iter().map(|(name, value)| format!("{name}={value}")))
            .args(program);
        done(command.output().unwrap());
        Some(terminal)
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        // -u: what is captured is UTF-8, whatever this test's own locale is.
        tmux.env_remove("TMUX")
            .env("TMUX_TMPDIR", self.folder.path())
            .args(["-u", "-f", "/dev/null"]);
        tmux
    }

    fn ask(&self, args: &[&str]) -> String {
        done(self.tmux().args(args).output().unwrap())
    }

    /// Presses keys, by tmux's names or as letters.
    pub(crate) fn press(&self, keys: &[&str]) {
        self.ask(&[&["send-keys"], keys].concat());
    }

    /// Types a text as it is, and Enter.
    pub(crate) fn enter(&self, text: &str) {
        if !text.is_empty() {
            self.ask(&["send-keys", "-l", text]);
        }
        self.press(&["Enter"]);
    }

    /// The lines on the screen.
    pub(crate) fn screen(&self) -> Vec<String> {
        let text = self.ask(&["capture-pane", "-p"]);
        text.lines().map(str::to_owned).collect()
    }

    /// What tmux knows of the window: `#{cursor_flag}`.
    pub(crate) fn tells(&self, format: &str) -> String {
        self.ask(&["display-message", "-p", format])
            .trim()
            .to_owned()
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.ask(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// Until the screen is so; what it shows then.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + SOON;
        loop {
            let screen = self.screen();
            if is(&screen) {
                return screen;
            }
            let shown = screen.join("\n");
            assert!(Instant::now() < deadline, "never {what}:\n{shown}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Until it shows this text.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> Vec<String> {
        self.until(text, |lines| lines.join("\n").contains(text))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.tmux().arg("kill-server").output());
    }
}

#[track_caller]
fn done(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// How often the threads of a process have gone to sleep or were put to it.
pub(crate) fn naps(pid: &str) -> u64 {
    let tasks = std::fs::read_dir(Path::new("/proc").join(pid).join("task")).unwrap();
    let naps_of = |task: std::io::Result<std::fs::DirEntry>| {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let numbers = status.lines().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.ends_with("voluntary_ctxt_switches")
                .then(|| value.trim().parse::<u64>().unwrap())
        });
        numbers.sum::<u64>()
    };
    tasks.map(naps_of).sum()
}
