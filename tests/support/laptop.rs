//! The laptop that is moved among the lab's networks: commands in it, its go env, an agent on it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::lab::{Lab, script};
use super::{goroam_bin, wait_until};

/// Longer than any command here may take when all is well, or all is down.
const PATIENCE: Duration = Duration::from_secs(60);

/// A user's account on the laptop, with a home of its own that goes with it.
pub struct Laptop<'lab> {
    lab: &'lab Lab,
    home: TempDir,
    uid: u32,
    ca: &'static str,
    env: Vec<(String, String)>,
}

/// What a command did.
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// A resident program on the laptop; it ends when this is dropped.
pub struct Agent {
    child: Child,
    log: PathBuf,
}

impl<'lab> Laptop<'lab> {
    pub(super) fn new(lab: &'lab Lab) -> Laptop<'lab> {
        let home = tempfile::Builder::new()
            .prefix("home-")
            .tempdir_in(lab.dir().join("homes"))
            .unwrap();
        Laptop {
            lab,
            home,
            uid: 0,
            ca: "all",
            env: Vec::new(),
        }
    }

    /// As this user, not as root.
    pub fn user(mut self, uid: u32) -> Self {
        self.uid = uid;
        self.own(self.home());
        self
    }

    /// What its system trusts: `all` (default), `lab`, `corp` or `none` of the lab's authorities.
    pub fn trusting(mut self, ca: &'static str) -> Self {
        self.ca = ca;
        self
    }

    /// One more variable in the environment of everything that runs here.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the policy where goroam looks for it.
    pub fn with_policy(self, text: &str) -> Self {
        self.write_policy(text);
        self
    }

    /// The same, later; as an editor saves: a new file takes the name.
    pub fn write_policy(&self, text: &str) {
        let folder = self.home().join(".config/goroam");
        fs::create_dir_all(&folder).unwrap();
        let new = tempfile::NamedTempFile::new_in(&folder).unwrap();
        fs::write(new.path(), text).unwrap();
        self.own(&self.home().join(".config"));
        self.own(&folder);
        self.own(new.path());
        new.persist(folder.join("goroam.toml")).unwrap();
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command in the laptop, not started yet. Its pid is the program's own.
    pub fn command<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[A]) -> Command {
        let mut command = Command::new(script("in-laptop"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("XDG_") || name == "GOROAM_CONFIG" {
                command.env_remove(name);
            }
        }
        command
            .env("LAB_HOME", self.home())
            .env("LAB_UID", self.uid.to_string())
            .env("LAB_CA", self.ca)
            .env("RUST_BACKTRACE", "0")
            // Where a line breaks depends on how long the paths in it are.
            .env("COLUMNS", "200")
            .current_dir("/")
            .stdin(Stdio::null());
        if !self.env.is_empty() {
            command.arg("env");
            command.args(
                self.env
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            );
        }
        command.arg(program).args(args);
        command
    }

    /// Runs a command to its end.
    pub fn run<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[A]) -> Ran {
        let program = program.as_ref().to_owned();
        let limit = PATIENCE.as_secs().to_string();
        let args = [OsString::from(limit), program]
            .into_iter()
            .chain(args.iter().map(|arg| arg.as_ref().to_owned()));
        let start = Instant::now();
        let said = self
            .command("timeout", &args.collect::<Vec<_>>())
            .output()
            .unwrap();
        let took = start.elapsed();
        assert!(
            said.status.code() != Some(124),
            "not done within {PATIENCE:?}"
        );
        Ran {
            status: said.status,
            stdout: String::from_utf8_lossy(&said.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&said.stderr).into_owned(),
            took,
        }
    }

    /// `goroam ARGS`.
    pub fn goroam(&self, args: &[&str]) -> Ran {
        self.run(self.goroam_path(), args)
    }

    /// `go ARGS`, with the go version of the lab.
    pub fn go(&self, args: &[&str]) -> Ran {
        self.run("go", args)
    }

    /// Starts `goroam agent`.
    pub fn agent(&self) -> Agent {
        self.start(self.goroam_path(), &["agent"])
    }

    /// Starts anything else that stays, with its output in a log.
    pub fn start<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[A]) -> Agent {
        let (file, log) = tempfile::Builder::new()
            .prefix("agent-")
            .suffix(".log")
            .tempfile_in(self.home())
            .unwrap()
            .keep()
            .unwrap();
        let child = self
            .command(program, args)
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Agent { child, log }
    }

    /// The file that `go env -w` writes.
    pub fn go_env_file(&self) -> PathBuf {
        self.home().join(".config/go/env")
    }

    /// What is in it; nothing when it is not there.
    pub fn go_env(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.go_env_file()).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Waits until the go env file has this value.
    pub fn wait_for(&self, name: &str, value: &str, limit: Duration) {
        self.wait_env(&format!("{name}={value}"), limit, |env| {
            env.get(name).is_some_and(|have| have == value)
        });
    }

    /// Waits until the go env file is as `is` wants it.
    pub fn wait_env(
        &self,
        what: &str,
        limit: Duration,
        is: impl Fn(&BTreeMap<String, String>) -> bool,
    ) -> BTreeMap<String, String> {
        wait_until(&format!("go env with {what}"), limit, || {
            let env = self.go_env();
            if is(&env) {
                Ok(env)
            } else {
                Err(format!("{env:?}"))
            }
        })
    }

    /// Waits until the late events of a move are over: the carrier's, and IPv6's duplicate
    /// address detection, which takes up to two seconds after it.
    pub fn wait_settled(&self) {
        let seen = || {
            let ip = self.run("ip", &["-o", "addr"]);
            (ip.stdout.contains("tentative"), ip.stdout)
        };
        let (mut last, mut since) = (seen(), Instant::now());
        wait_until("quiet after a move", Duration::from_secs(15), || {
            let now = seen();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            let quiet = since.elapsed() > Duration::from_millis(2500);
            if quiet && !last.0 {
                Ok(())
            } else {
                Err(last.1.clone())
            }
        });
    }

    /// From the end of the last move to the last write of the go env file.
    pub fn switched_in(&self) -> Duration {
        let written = fs::metadata(self.go_env_file())
            .unwrap()
            .modified()
            .unwrap();
        written
            .duration_since(self.lab.moved_at())
            .unwrap_or_default()
    }

    /// The binary under test, where this user may run it.
    fn goroam_path(&self) -> PathBuf {
        if self.uid == 0 {
            return goroam_bin();
        }
        let copy = self.home().join("goroam");
        if !copy.exists() {
            fs::copy(goroam_bin(), &copy).unwrap();
        }
        copy
    }

    fn own(&self, path: &Path) {
        #[cfg(unix)]
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.uid)).unwrap();
        #[cfg(not(unix))]
        let _ = path;
    }
}

impl Ran {
    /// Its standard output, when it went well.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert!(
            self.status.success(),
            "{}: {}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        &self.stdout
    }
}

impl Agent {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its exit status, when it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends a signal: `TERM`, `INT`, `HUP`, `KILL`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status();
        assert!(sent.unwrap().success(), "kill -s {name} {}", self.pid());
    }

    /// Ends it as a service manager does, and waits for it.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        wait_until(
            "the agent's end after SIGTERM",
            Duration::from_secs(10),
            || self.ended().ok_or_else(|| self.log()),
        )
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            println!("--- what the agent said:\n{}", self.log());
        }
    }
}
