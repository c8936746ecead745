//! A user with a project and a real go, and `goroam exec` in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::User;
use crate::go;

/// In the folder `w` of a user's own.
pub(crate) struct Project {
    pub(crate) user: User,
    go: PathBuf,
}

/// What one run of `goroam exec --summary json` has said.
pub(crate) struct Told {
    /// Its last line.
    pub(crate) summary: Value,
    /// All of its standard error.
    pub(crate) said: String,
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) took: Duration,
}

impl Project {
    /// `None`, and said so, where there is no such go.
    pub(crate) fn new(version: &str, requires: &str, program: &str) -> Option<Project> {
        let go = go::go(version)?;
        let user = User::new();
        let text = format!("module w.test\n\ngo 1.21\n\nrequire {requires}\n");
        user.write("w/go.mod", text);
        user.write("w/w.go", program);
        Some(Project { user, go })
    }

    /// `goroam exec ARGS -- COMMAND`; ARGS are words.
    pub(crate) fn exec(&self, proxy: &str, args: &str, command: &[&str]) -> Command {
        let run = self.user.goroam("exec").args(args).arg("--");
        let mut run = run.command();
        run.args(command);
        self.prepared(run, proxy)
    }

    /// The command without goroam.
    pub(crate) fn bare(&self, proxy: &str, command: &[&str]) -> Command {
        let mut run = Command::new(command[0]);
        run.args(&command[1..]);
        self.prepared(run, proxy)
    }

    fn prepared(&self, mut run: Command, proxy: &str) -> Command {
        let folder = self.go.parent().unwrap().display();
        run.current_dir(self.user.path("w"))
            .env("PATH", format!("{folder}:/usr/bin:/bin"))
            .envs([
                ("GOPROXY", proxy),
                ("GOSUMDB", "off"),
                ("GOTOOLCHAIN", "local"),
                ("GOFLAGS", "-mod=mod"),
                ("GOTELEMETRY", "off"),
            ])
            .env("GOMODCACHE", self.user.path("mod"))
            .env("GOCACHE", lab().join("gocache"));
        run
    }

    /// How a run with `--summary json` ends.
    #[track_caller]
    pub(crate) fn told(&self, proxy: &str, args: &str, command: &[&str]) -> Told {
        let args = format!("--summary json {args}");
        let mut command = self.exec(proxy, &args, command);
        let begun = Instant::now();
        let done = command.output().unwrap();
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let last = said.lines().last().unwrap_or_default();
        let Ok(summary) = serde_json::from_str(last) else {
            panic!("{said}");
        };
        Told {
            summary,
            said,
            took,
        }
    }
}

impl Drop for Project {
    /// go makes its module cache read-only.
    fn drop(&mut self) {
        let mut chmod = Command::new("chmod");
        chmod.arg("-R").arg("u+w").arg(self.user.path("mod"));
        drop(chmod.stderr(Stdio::null()).status());
    }
}

/// Where the lab keeps its things; its build cache is shared, so that each go compiles its own
/// library once.
pub(crate) fn lab() -> PathBuf {
    std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), PathBuf::from)
}

/// The lab's tree of public modules; `None`, and said so, where it cannot be made.
pub(crate) fn tree() -> Option<PathBuf> {
    let tree = lab().join("tree/public");
    let mods = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mods");
    let made = Command::new(mods).output();
    if !tree.is_dir() {
        println!("skipped: the lab has no modules: {made:?}");
        return None;
    }
    Some(tree)
}
