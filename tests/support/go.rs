//! Real go commands for tests: those of the lab, by version.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what is wrong by panicking, and why it is skipped by printing"
)]
#![allow(dead_code, reason = "not every test file uses every helper")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use goroam::environment::Environment;
use goroam::gocmd::{Applied, ApplyError, EnvFile, EnvText, GoCommand, find, prepare};
use goroam::model::plan::{Plan, PlanStep};

/// The versions that the tests run with: the first with go.env, one before and one after
/// `go env -w GOROOT` was closed.
pub(crate) const VERSIONS: [&str; 3] = ["1.21.13", "1.24.11", "1.27.3"];

/// The go binary of a version; `None`, with a line that says so, where it cannot be had.
pub(crate) fn go(version: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/go");
    let out = Command::new(&script).arg(version).output();
    match out {
        Ok(out) if out.status.success() => {
            Some(PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()))
        }
        Ok(out) => {
            let said = String::from_utf8_lossy(&out.stderr);
            println!("skipped: no go {version} here: {}", said.trim());
            None
        }
        Err(error) => {
            println!("skipped: {} cannot be run: {error}", script.display());
            None
        }
    }
}

/// A go command for `prepare`.
pub(crate) async fn command(version: &str, env: &Environment) -> Option<GoCommand> {
    let path = go(version)?;
    Some(find::find(Some(&path), env).await.unwrap())
}

/// The newest one, for tests that are not about versions.
pub(crate) async fn newest(env: &Environment) -> Option<GoCommand> {
    command(VERSIONS[2], env).await
}

/// Somebody's home, with a go env file in it.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) env: Environment,
    pub(crate) file: EnvFile,
}

impl Home {
    pub(crate) fn new() -> Home {
        Home::with(&[])
    }

    pub(crate) fn with(vars: &[(&str, &str)]) -> Home {
        let folder = tempfile::tempdir().unwrap();
        Home::within(folder, vars)
    }

    pub(crate) fn within(folder: tempfile::TempDir, vars: &[(&str, &str)]) -> Home {
        let home = folder.path().to_str().unwrap().to_owned();
        let env: Environment = [("HOME", home.as_str()), ("PATH", "/usr/bin:/bin")]
            .into_iter()
            .chain(vars.iter().copied())
            .collect();
        let file = EnvFile::locate(&env).unwrap();
        Home { folder, env, file }
    }

    /// With a file that holds this.
    pub(crate) fn holding(bytes: impl AsRef<[u8]>) -> Home {
        let home = Home::new();
        home.write(bytes);
        home
    }

    pub(crate) fn write(&self, bytes: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.file.path.parent().unwrap()).unwrap();
        std::fs::write(&self.file.path, bytes).unwrap();
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.file.path).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// Everything in the file's folder but go's own counters.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = names_in(self.file.path.parent().unwrap());
        names.retain(|name| name != "telemetry");
        names
    }

    /// Until the file says so; fails after a while.
    pub(crate) fn wait_for(&self, name: &str, value: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while EnvText(self.bytes()).get(name) != Some(value) {
            let text = self.text();
            assert!(Instant::now() < deadline, "{name} is not {value}:\n{text}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Prepares and commits.
    pub(crate) async fn apply(&self, go: &GoCommand, plan: &Plan) -> Result<Applied, ApplyError> {
        prepare(go, &self.file, &self.env, plan)
            .await?
            .commit()
            .await
    }

    /// The user's own go command, with nothing of goroam's around it.
    pub(crate) fn user_go(&self, go: &GoCommand, args: &[&str]) -> std::process::Output {
        Command::new(&go.path)
            .args(args)
            .env_clear()
            .envs(self.env.iter())
            .env("GOTOOLCHAIN", "local")
            .current_dir("/")
            .output()
            .unwrap()
    }
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// `NAME=VALUE` sets, `NAME` alone unsets.
pub(crate) fn plan(steps: &[&str]) -> Plan {
    let step = |text: &&str| match text.split_once('=') {
        Some((name, value)) => PlanStep::Set {
            name: name.to_owned(),
            value: value.to_owned(),
        },
        None => PlanStep::Unset {
            name: (*text).to_owned(),
        },
    };
    Plan {
        steps: steps.iter().map(step).collect(),
    }
}

/// Root in a container of its own, as CI is.
#[cfg(unix)]
pub(crate) fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// There is no root.
#[cfg(not(unix))]
pub(crate) fn is_root() -> bool {
    false
}
