//! Runs goroam as a user would: its own home, its own environment, arguments in, output and
//! exit code out.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "each test file uses the words that it needs")]
#![allow(clippy::print_stdout, reason = "a test says why it was skipped")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A user with an empty home.
pub(crate) struct User {
    home: tempfile::TempDir,
}

impl User {
    pub(crate) fn new() -> User {
        // Always as long, since lines are broken by it; and short, for sockets.
        let home = tempfile::tempdir_in("/tmp").unwrap();
        std::fs::create_dir(home.path().join("run")).unwrap();
        User { home }
    }

    /// A path in the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Where goroam looks for the policy.
    pub(crate) fn policy(&self) -> PathBuf {
        self.path(".config/goroam/goroam.toml")
    }

    /// Writes a file that only this user may write to.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        mode(&path, 0o644);
        path
    }

    /// `goroam …`, words separated by spaces.
    pub(crate) fn goroam(&self, words: &str) -> Run {
        self.run(env!("CARGO_BIN_EXE_goroam")).args(words)
    }

    /// Any command, in this home and in an environment with nothing else.
    pub(crate) fn run(&self, program: &str) -> Run {
        let mut command = Command::new(program);
        command
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .stdin(Stdio::null());
        Run { command }
    }
}

/// Sets the permissions of a file.
pub(crate) fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;

    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Reports whether a test may mount a directory over another one.
pub(crate) fn can_mount() -> bool {
    let tried = Command::new("unshare").args(["-mn", "true"]).status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        println!("skipped: a mount over a directory needs root");
    }
    can
}

/// A command that is about to run.
pub(crate) struct Run {
    command: Command,
}

impl Run {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Run {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Run {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Run {
        self.command.arg(arg);
        self
    }

    /// Words separated by spaces.
    pub(crate) fn args(mut self, words: &str) -> Run {
        self.command.args(words.split_whitespace());
        self
    }

    /// Where `machine/` of this home is `/etc/goroam`, without a network; the process ID stays.
    pub(crate) fn with_machine(self) -> Run {
        const MOUNT: &str = "mkdir -p /etc/goroam && mount --bind \"$HOME/machine\" /etc/goroam \
                             && exec \"$0\" \"$@\"";
        let words = ["unshare", "-mn", "sh", "-c", MOUNT];
        self.through(&words.map(str::to_owned))
    }

    /// By another program, whose command line comes first.
    pub(crate) fn through(self, words: &[String]) -> Run {
        let inner = self.command;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.arg(inner.get_program()).args(inner.get_args());
        command.env_clear().stdin(Stdio::null());
        let set = inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        command.envs(set);
        if let Some(folder) = inner.get_current_dir() {
            command.current_dir(folder);
        }
        Run { command }
    }

    /// Runs it to its end and expects this exit code.
    #[track_caller]
    pub(crate) fn exits(mut self, code: i32) -> Done {
        let output = self.command.output().unwrap();
        let done = Done { output };
        assert_eq!(done.output.status.code(), Some(code), "{}", done.all());
        done
    }

    /// The command itself, for what the builder has no word for.
    pub(crate) fn command(self) -> Command {
        self.command
    }
}

/// A command that has run.
pub(crate) struct Done {
    output: Output,
}

impl Done {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.output.stderr.clone()).unwrap()
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout()) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {}", self.all()),
        }
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Done {
        assert!(
            self.stdout().contains(text),
            "no {text:?} in {}",
            self.all()
        );
        self
    }

    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Done {
        assert!(
            self.stderr().contains(text),
            "no {text:?} in {}",
            self.all()
        );
        self
    }

    /// Both outputs, and how it ended.
    pub(crate) fn all(&self) -> String {
        format!(
            "{:?}\n{}\n{}",
            self.output.status,
            self.stdout(),
            self.stderr()
        )
    }
}
