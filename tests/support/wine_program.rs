//! A program under Wine: arguments in, outputs and exit code out.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Longer than any program of a test takes, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// A program that is about to run.
pub struct Run {
    pub(super) command: Command,
    /// Where its outputs go.
    pub(super) logs: PathBuf,
}

impl Run {
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(name, value);
        self
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Run {
        self.command.arg(arg);
        self
    }

    /// Words separated by spaces.
    pub fn args(mut self, words: &str) -> Run {
        self.command.args(words.split_whitespace());
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Running {
        let log = |end| {
            let file = tempfile::Builder::new().suffix(end).tempfile_in(&self.logs);
            file.unwrap().into_temp_path()
        };
        let (stdout, stderr) = (log(".out"), log(".err"));
        // Files: what a program leaves behind would keep a pipe open.
        self.command.stdout(File::create(&stdout).unwrap());
        self.command.stderr(File::create(&stderr).unwrap());
        let spelled = format!("{:?}", self.command.get_args().collect::<Vec<_>>());
        let child = self.command.spawn().unwrap();
        Running {
            child,
            spelled,
            stdout,
            stderr,
        }
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn done(self) -> Done {
        self.start().wait()
    }

    /// Runs it to its end and expects this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Done {
        let done = self.done();
        assert_eq!(done.status.code(), Some(code), "{}", done.all());
        done
    }
}

/// A program that runs.
pub struct Running {
    child: Child,
    spelled: String,
    stdout: tempfile::TempPath,
    stderr: tempfile::TempPath,
}

impl Running {
    /// Has it ended?
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has said until now, both outputs.
    pub fn said(&self) -> String {
        format!("{}{}", text(&self.stdout), text(&self.stderr))
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Done {
        let end = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                let _ = self.child.kill();
                panic!("{} does not end:\n{}", self.spelled, self.said());
            }
            // Not a guess at how long it takes: only the pace of asking.
            std::thread::park_timeout(Duration::from_millis(2));
        };
        let done = Done {
            status,
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
        };
        let crash = ["wine: Unimplemented function", "Unhandled exception"];
        let crashed = crash.iter().any(|words| done.stderr.contains(words));
        assert!(!crashed, "{} {}", self.spelled, done.all());
        done
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that has run.
pub struct Done {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {}", self.all()),
        }
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Done {
        assert!(self.stdout.contains(text), "no {text:?} in {}", self.all());
        self
    }

    #[track_caller]
    pub fn complains(self, text: &str) -> Done {
        assert!(self.stderr.contains(text), "no {text:?} in {}", self.all());
        self
    }

    /// Both outputs, and how it ended.
    pub fn all(&self) -> String {
        format!("{:?}\n{}\n{}", self.status, self.stdout, self.stderr)
    }
}

fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
