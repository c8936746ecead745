//! A user at a desktop of their own.
#![allow(clippy::unwrap_used)] // all of it is test code

use std::process::{Child, Stdio};

use super::wait::until;
use crate::cli::{self, User};
use crate::desktop::Bus;
use crate::go;

/// The first one holds nowhere: the addresses are reserved (RFC 1112).
pub(crate) const POLICY: &str = r#"
version = 1

[[profile]]
name = "home_R&D"
when = { subnet = "240.0.0.0/4" }
env = { GOPROXY = "https://home.example" }

[[profile]]
name = "public"
env = { GOPROXY = "https://proxy.golang.org,direct" }
"#;

/// A process of this test; it ends with it.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// How often the threads of a process have gone to sleep, all together.
    pub(crate) fn naps(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let naps = tasks.map(|task| {
            let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let mut lines = status.lines();
            let line = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse::<u64>().unwrap()
        });
        naps.sum()
    }
}

/// A user at a desktop, with a policy, a go command and something that opens files.
pub(crate) struct Desk {
    pub(crate) user: User,
    pub(crate) bus: Bus,
    pub(crate) path: String,
}

impl Desk {
    pub(crate) fn new() -> Option<Desk> {
        let go = go::go(go::VERSIONS[0])?;
        let user = User::new();
        let bus = Bus::start(&user.path("run"))?;
        user.write(".config/goroam/goroam.toml", POLICY);
        let opener = user.write("bin/xdg-open", "#!/bin/sh\ncp \"$1\" \"$HOME/opened\"\n");
        cli::mode(&opener, 0o755);
        let folders = [opener.parent().unwrap(), go.parent().unwrap()];
        let folders = folders.map(|folder| folder.display().to_string()).join(":");
        let path = format!("{folders}:/usr/bin:/bin");
        Some(Desk { user, bus, path })
    }

    pub(crate) fn start(&self, program: &str, words: &str) -> Running {
        let mut command = self
            .user
            .run(program)
            .args(words)
            .env("PATH", &self.path)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus.address)
            .command();
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        Running(child.unwrap())
    }

    pub(crate) fn agent(&self) -> Running {
        self.start(env!("CARGO_BIN_EXE_goroam"), "agent")
    }

    pub(crate) fn tray(&self) -> Running {
        self.start(env!("CARGO_BIN_EXE_goroam-tray"), "")
    }

    /// What `goroam status --json` says.
    pub(crate) fn status(&self) -> serde_json::Value {
        self.user.goroam("status --json").exits(0).json()
    }

    pub(crate) async fn until_status(&self, what: &str, is: impl Fn(&serde_json::Value) -> bool) {
        until(what, async || {
            let status = self.status();
            if is(&status) {
                Ok(())
            } else {
                Err(status.to_string())
            }
        })
        .await;
    }
}
