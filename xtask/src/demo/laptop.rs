//! A new user's laptop in the lab: an empty home in a temporary directory, which is carried from
//! network to network. It reads and writes no file of the user who runs the demo.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::pty::{Pty, Size};
use super::svg::{Row, rows};
use crate::lab;
use crate::options::Options;
use crate::run::{self, Result};

/// No command of the demo takes longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The columns of a terminal as it opens on most systems.
pub const COLUMNS: u16 = 80;

/// The laptop. The lab is put back in order when this is dropped.
pub struct Laptop {
    home: TempDir,
    goroam: PathBuf,
    agents: Vec<Child>,
    was_up: bool,
    /// `None`: the caller holds it (`--locked`).
    _lock: Option<File>,
}

/// What a terminal shows of a command.
pub struct Shown {
    pub rows: Vec<Row>,
    pub succeeded: bool,
}

impl Laptop {
    /// Waits for the lab and brings it up; the laptop is in no network.
    pub fn new(options: &Options) -> Result<Laptop> {
        run::output(lab::script("can").arg("net"))
            .map_err(|why| format!("the demo needs Linux, root and Debian's packages: {why}"))?;
        let goroam = match options.get("--bin") {
            Some(path) => {
                std::path::absolute(path).map_err(|err| format!("--bin {path}: {err}"))?
            }
            None => {
                eprintln!("building goroam");
                let args = ["build", "--package", "goroam", "--bin", "goroam"];
                run::output(run::cargo().args(args))?;
                run::target_dir().join("debug/goroam")
            }
        };
        let lock = match options.has("--locked") {
            true => None,
            false => Some(lab::lock()?),
        };
        let was_up = run::output(lab::script("net").arg("status")).is_ok();
        eprintln!("bringing the lab up");
        net(&["up"])?;
        let home = tempfile::tempdir_in("/var/tmp").map_err(|err| err.to_string())?;
        let laptop = Laptop {
            home,
            goroam,
            agents: Vec::new(),
            was_up,
            _lock: lock,
        };
        laptop.in_order();
        // The programs are made now, so that no command waits for them.
        run::output(&mut laptop.script())?;
        Ok(laptop)
    }

    /// Removes all faults; the laptop leaves its network.
    fn in_order(&self) {
        for words in [
            "fault home all pass public",
            "fault office all pass corp",
            "dns home ok",
            "dns office ok",
            "office-mode unreachable",
            "hotspot-mode portal302",
            "vpn-off",
            "move airplane",
        ] {
            let _ = net(&words.split(' ').collect::<Vec<_>>());
        }
    }

    /// An empty home in no network, as on the first day.
    pub fn forget(&mut self) -> Result {
        self.end_agents();
        self.in_order();
        let made = tempfile::tempdir_in("/var/tmp").map_err(|err| err.to_string())?;
        self.home = made;
        run::output(&mut self.script()).map(drop)
    }

    /// Goes to the office, and has the company's policy written there.
    pub fn join_company(&self) -> Result {
        net(&["move", "office"])?;
        // The others are far away: at home no decision waits for them.
        for (name, delay) in [
            ("goproxy.cn", "0.6"),
            ("goproxy.io", "0.7"),
            ("mirrors.aliyun.com", "0.7"),
            ("sum.golang.google.cn", "0.6"),
        ] {
            net(&["fault", "home", name, &format!("pass:{delay}")])?;
        }
        self.quietly("goroam init --proxy https://goproxy.corp.test --no-service")
            .map(drop)
    }

    fn script(&self) -> Command {
        let mut command = lab::script("as-me");
        command.arg(self.home.path()).env("GOROAM", &self.goroam);
        command
    }

    /// Makes a command line of a shell in the laptop.
    pub fn command(&self, line: &str) -> Command {
        let mut command = self.script();
        command.args(["bash", "-c", line]);
        command
    }

    /// Writes a file in the home.
    pub fn write(&self, name: &str, text: &str) -> Result {
        let path = self.home.path().join(name);
        let folder = path.parent().unwrap_or(&path);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        written.map_err(|err| format!("{}: {err}", path.display()))?;
        let mut own = Command::new("chown");
        own.args(["-R", "1000:1000"]).arg(self.home.path());
        run::output(&mut own).map(drop)
    }

    /// Runs a command line; returns its standard output.
    pub fn quietly(&self, line: &str) -> Result<String> {
        run::output(&mut self.command(line))
    }

    /// Runs a command line in a terminal, as if it were typed there.
    pub fn show(&self, line: &str) -> Result<Shown> {
        let size = Size {
            columns: COLUMNS,
            rows: 200,
        };
        let mut terminal = super::cast::terminal(size.columns, size.rows);
        terminal.process(format!("\x1b[1m$ {line}\x1b[m\r\n").as_bytes());
        let (sends, events) = std::sync::mpsc::channel();
        let mut pty = Pty::start(self.command(line), size, sends, |bytes| bytes)?;
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let bytes = events.recv_timeout(left);
            let bytes = bytes.map_err(|_| format!("{line}: not done in {PATIENCE:?}"))?;
            if bytes.is_empty() {
                break;
            }
            terminal.process(&bytes);
        }
        Ok(Shown {
            succeeded: pty.wait()?,
            rows: rows(terminal.screen()),
        })
    }

    /// Waits until the kernel has finished with a new network: IPv6 takes two seconds.
    pub fn wait_settled(&self) -> Result {
        let end = Instant::now() + PATIENCE;
        while self.quietly("ip -o addr")?.contains("tentative") && Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Starts `goroam agent`, which stays until the next first day.
    pub fn start_agent(&mut self) -> Result {
        let log =
            File::create(self.home.path().join("agent.log")).map_err(|err| err.to_string())?;
        let mut agent = self.script();
        agent
            .args(["goroam", "agent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let agent = agent.spawn().map_err(|err| format!("the agent: {err}"))?;
        self.agents.push(agent);
        Ok(())
    }

    /// Waits until the go env file has this line.
    pub fn wait_for(&self, line: &str) -> Result {
        let path = self.home.path().join(".config/go/env");
        let end = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if text.lines().any(|own| own == line) {
                return Ok(());
            }
            if Instant::now() > end {
                let log = fs::read_to_string(self.home.path().join("agent.log"));
                let log = log.unwrap_or_default();
                return Err(format!(
                    "{line} is never in {}:\n{text}{log}",
                    path.display()
                ));
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn end_agents(&mut self) {
        for mut agent in self.agents.drain(..) {
            // Its home goes with it: there is nothing that it could leave half done.
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

impl Drop for Laptop {
    fn drop(&mut self) {
        self.end_agents();
        self.in_order();
        if !self.was_up {
            let _ = net(&["down"]);
            let _ = run::output(lab::script("sumdb").arg("stop"));
        }
    }
}

/// Runs `tests/lab/net`.
pub fn net(words: &[&str]) -> Result {
    run::output(lab::script("net").args(words)).map(drop)
}
