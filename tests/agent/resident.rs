//! A real agent in a home of its own, with a real go.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::cli::{Run, User};

/// Long enough on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A user who has go.
pub(crate) struct Desk {
    pub(crate) user: User,
    go: PathBuf,
}

impl Desk {
    /// With this policy.
    pub(crate) fn new(go: PathBuf, policy: &str) -> Desk {
        let user = User::new();
        user.write(".config/goroam/goroam.toml", policy);
        Desk { user, go }
    }

    /// With go on its PATH.
    pub(crate) fn in_path(&self, run: Run) -> Run {
        let folder = self.go.parent().unwrap().display();
        run.env("PATH", &format!("{folder}:/usr/bin:/bin:/usr/sbin:/sbin"))
    }

    /// `goroam …`, words separated by spaces.
    pub(crate) fn goroam(&self, words: &str) -> Run {
        self.in_path(self.user.goroam(words))
    }

    /// `go …`, as a terminal of this user runs it.
    pub(crate) fn go(&self, words: &str) -> String {
        let run = self.in_path(self.user.run(self.go.to_str().unwrap()));
        let run = run.env("GOTOOLCHAIN", "local").env("GOTELEMETRY", "off");
        run.args(words).exits(0).stdout().trim().to_owned()
    }

    /// A running shell with these words.
    pub(crate) fn shell(&self, words: &str) -> Program {
        let run = self.in_path(self.user.run("sh")).arg("-c").arg(words);
        let run = run.env("GOTOOLCHAIN", "local").env("GOTELEMETRY", "off");
        Program(run.command().spawn().unwrap())
    }

    /// The go env file.
    pub(crate) fn env_file(&self) -> PathBuf {
        self.user.path(".config/go/env")
    }

    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.user.path(".local/state/goroam").join(name)
    }

    /// What the go env file says of a variable.
    pub(crate) fn line(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.env_file()).unwrap_or_default();
        text.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix('=')?;
            Some(value.to_owned())
        })
    }

    /// Waits until it says so.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, value: Option<&str>) {
        wait_until(&format!("{name} is {value:?}"), || {
            let line = self.line(name);
            (line.as_deref() == value)
                .then_some(())
                .ok_or(format!("{line:?}"))
        });
    }

    /// Starts an agent, without waiting for it.
    pub(crate) fn spawn(&self, run: impl FnOnce(Run) -> Run) -> Resident {
        let log = self.user.path(&format!("agent.{}.log", next_number()));
        let mut command = run(self.goroam("agent")).command();
        let file = std::fs::File::create(&log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Resident { child, log }
    }

    /// An agent that listens, and has taken its first turn.
    pub(crate) fn agent(&self) -> Resident {
        let agent = self.spawn(|run| run);
        wait_until("an agent with a profile", || {
            let output = self.goroam("status --json").command().output().unwrap();
            let status: serde_json::Value =
                serde_json::from_slice(&output.stdout).unwrap_or_default();
            let is_up = status["agent"] == "running" && !status["profile"].is_null();
            is_up.then_some(()).ok_or_else(|| agent.log())
        });
        agent
    }

    /// The status, as scripts get it.
    pub(crate) fn status(&self) -> serde_json::Value {
        self.goroam("status --json").exits(0).json()
    }

    /// The journal's turns, oldest first.
    pub(crate) fn history(&self) -> Vec<serde_json::Value> {
        let turns = self.goroam("history -n 100000 --json").exits(0).json();
        turns.as_array().unwrap().clone()
    }
}

fn next_number() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// An agent's process; ends with the test.
pub(crate) struct Resident {
    pub(crate) child: Child,
    log: PathBuf,
}

impl Resident {
    /// What it has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; its exit code.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let log = self.log.clone();
        let child = &mut self.child;
        wait_until("the agent's end", || match child.try_wait().unwrap() {
            Some(status) => Ok(status.code()),
            None => Err(std::fs::read_to_string(&log).unwrap_or_default()),
        })
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// A program that ends with the test.
pub(crate) struct Program(pub(crate) Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// Asks again until there is an answer; fails with what was seen last.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let last = match ask() {
            Ok(answer) => return answer,
            Err(last) => last,
        };
        assert!(
            Instant::now() < end,
            "not within {PATIENCE:?}: {what}; last: {last}"
        );
        // Only the pace of asking.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A file that only this user may write to.
pub(crate) fn private(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    super::cli::mode(path, 0o600);
}
