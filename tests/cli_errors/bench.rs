//! A user with a real go command, whom no packet leaves.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::cli::{Run, User};

/// One profile that always holds, so that a turn needs no network.
pub(crate) const POLICY: &str = r#"version = 1
[agent]
recheck = "off"
[[profile]]
name = "only"
env = { GOPROXY = "off" }
"#;
pub(crate) const ENV: &str = ".config/go/env";
pub(crate) const STATE: &str = ".local/state/goroam";
/// No event that these tests wait for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A user with a policy and a go command.
pub(crate) struct Bench {
    pub(crate) user: User,
    go: PathBuf,
}

impl Bench {
    /// `None`, with a line that says so, where there is no namespace or no go command.
    pub(crate) fn new() -> Option<Bench> {
        let made = Command::new("unshare").args(["-nm", "true"]).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: only root can make network and mount namespaces");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/go");
        let said = Command::new(script).arg("1.27.3").output().unwrap();
        let go = PathBuf::from(String::from_utf8(said.stdout).unwrap().trim());
        if !go.is_file() {
            let why = String::from_utf8_lossy(&said.stderr).into_owned();
            println!("skipped: no go 1.27.3 here: {}", why.trim());
            return None;
        }
        let user = User::new();
        user.write(".config/goroam/goroam.toml", POLICY);
        Some(Bench { user, go })
    }

    pub(crate) fn policy(&self, text: &str) {
        self.user.write(".config/goroam/goroam.toml", text);
    }

    /// The folder of the go command.
    pub(crate) fn go_folder(&self) -> &Path {
        self.go.parent().unwrap()
    }

    /// `goroam …` in an empty network.
    pub(crate) fn goroam(&self, words: &str) -> Run {
        self.after("", words)
    }

    /// The same on a machine whose own go command, if it has one, is hidden.
    pub(crate) fn hiding_go(&self, words: &str) -> Run {
        let script =
            "for go in /usr/local/go/bin/go /usr/lib/go*/bin/go /usr/*bin/go /usr/local/bin/go; do
            [ ! -e \"$go\" ] || mount --bind /dev/null \"$(readlink -f \"$go\")\"; done";
        self.after(script, words)
    }

    /// The same, after a shell script that may mount what nobody else sees.
    pub(crate) fn after(&self, script: &str, words: &str) -> Run {
        let path = format!(
            "{}:/usr/bin:/bin:/usr/sbin:/sbin",
            self.go_folder().display()
        );
        let script = format!("{script}\nexec \"$GOROAM\" \"$@\"");
        self.user
            .run("unshare")
            .arg("-nm")
            .arg("sh")
            .arg("-ec")
            .arg(script)
            .arg("goroam")
            .args(words)
            .env("GOROAM", env!("CARGO_BIN_EXE_goroam"))
            .env("PATH", &path)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.user.path(name)).unwrap()
    }

    pub(crate) fn is_there(&self, name: &str) -> bool {
        self.user.path(name).symlink_metadata().is_ok()
    }

    /// `goroam agent`, once it has said `first`.
    pub(crate) fn agent(&self, run: Run, first: &str) -> Agent {
        let mut child = run
            .command()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, lines) = mpsc::channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                drop(told.send(line));
            }
        });
        let mut agent = Agent { child, lines };
        agent.wait_for(first);
        agent
    }
}

/// An agent that runs until this is dropped.
pub(crate) struct Agent {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Agent {
    /// Its next line with this in it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => said.push(line),
                Err(_) => panic!("no {text:?} in {said:#?}"),
            }
        }
    }

    /// How many open files it may have from now on; to be raised again up to 1024.
    pub(crate) fn most_files(&self, most: u32) {
        let set = Command::new("prlimit")
            .arg(format!("--pid={}", self.child.id()))
            .arg(format!("--nofile={most}:1024"))
            .status();
        assert!(set.unwrap().success());
    }

    /// Everything that it has said since, once it is gone.
    pub(crate) fn last_words(mut self) -> Vec<String> {
        self.kill();
        self.lines.iter().collect()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An executable shell script.
pub(crate) fn script(bench: &Bench, name: &str, text: &str) -> PathBuf {
    let path = bench.user.write(name, format!("#!/bin/sh\n{text}\n"));
    crate::cli::mode(&path, 0o755);
    path
}
