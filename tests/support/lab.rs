//! The network lab of `tests/lab`, one test at a time on a machine.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::laptop::Laptop;

/// The lab, up, with the laptop in no network. It goes back to that when this is dropped.
pub struct Lab {
    dir: PathBuf,
    touched: RefCell<BTreeSet<String>>,
    _lock: File,
}

impl Lab {
    /// Waits for its turn, then brings the lab up; `None`, with a `skipped:` line, on a machine
    /// that cannot have one.
    pub fn get() -> Option<Lab> {
        let why = match Command::new(script("can"))
            .arg("net")
            .stderr(Stdio::null())
            .output()
        {
            Ok(can) if can.status.success() => None,
            Ok(can) => Some(String::from_utf8_lossy(&can.stdout).trim().to_owned()),
            Err(err) => Some(format!("tests/lab/can: {err}")),
        };
        if let Some(why) = why {
            println!("skipped: no network lab: {why}");
            return None;
        }
        let dir = lab_dir();
        std::fs::create_dir_all(dir.join("homes")).unwrap();
        let lock = File::create(dir.join("rust.lock")).unwrap();
        lock.lock().unwrap();
        let lab = Lab {
            dir,
            touched: RefCell::default(),
            _lock: lock,
        };
        lab.net(&["up"]);
        // A test that was killed could not tidy up.
        if lab.dirty().exists() {
            lab.reset_all();
        }
        File::create(lab.dirty()).unwrap();
        Some(lab)
    }

    /// Where everything built or running lives: `$LAB`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `tests/lab/net ARGS`; its output.
    pub fn net(&self, args: &[&str]) -> String {
        let kind = match args {
            ["fault", place, ..] => format!("fault {place}"),
            ["dns", place, ..] => format!("dns {place}"),
            [verb, ..] => (*verb).to_owned(),
            [] => String::new(),
        };
        self.touched.borrow_mut().insert(kind);
        run("net", args).unwrap()
    }

    /// Moves the laptop: `office`, `home`, `hotspot`, `airplane`, or `vpn-on`, `vpn-off`.
    pub fn travel(&self, to: &str) {
        if to.starts_with("vpn-") {
            self.net(&[to]);
        } else {
            self.net(&["move", to]);
        }
    }

    /// Lets a server misbehave: `fault("home", "proxy.golang.org", "503:5")`; see `faultd --help`.
    pub fn fault(&self, place: &str, server: &str, mode: &str) {
        self.net(&["fault", place, server, mode]);
    }

    /// The same, with another certificate: `public corp expired wronghost selfsigned`.
    pub fn fault_with(&self, place: &str, server: &str, mode: &str, cert: &str) {
        self.net(&["fault", place, server, mode, cert]);
    }

    /// The resolver of office, home or hotspot: `ok nxdomain refused silent`.
    pub fn dns(&self, place: &str, mode: &str) {
        self.net(&["dns", place, mode]);
    }

    /// `tests/lab/systemd ARGS`: `up`, `user CMD…`, `root CMD…`, `push FILE DEST`; its output.
    /// The container is powered off when the lab is dropped.
    pub fn systemd(&self, args: &[&str]) -> String {
        self.touched.borrow_mut().insert("systemd".to_owned());
        run("systemd", args).unwrap()
    }

    /// The same in a Debian that nobody has used yet: `fresh` unpacks it, `login`, `logout` and
    /// `session CMD…` are its user's. `Err` has what the command said.
    pub fn fresh_systemd(&self, args: &[&str]) -> Result<String, String> {
        self.touched.borrow_mut().insert("systemd".to_owned());
        run_with("systemd", args, &[("LAB_ROOT", "fresh")])
    }

    /// Where that Debian's files are, seen from outside.
    pub fn fresh_root(&self) -> PathBuf {
        self.dir.join("fresh")
    }

    /// When the last move or VPN change was complete.
    pub fn moved_at(&self) -> SystemTime {
        let text = std::fs::read_to_string(self.dir.join("net/moved")).unwrap();
        let seconds: f64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)
    }

    /// The policy for the lab's networks (`tests/lab/policy.toml`) with this machine's keys.
    pub fn policy(&self) -> String {
        self.render(&script("policy.toml"))
    }

    /// Any other policy that uses `@LAB@`, `@KEY NAME@`, `@SUM MODULE@VERSION@`, `@PIN CERT@`.
    pub fn policy_of(&self, template: &str) -> String {
        let file = tempfile::NamedTempFile::new_in(&self.dir).unwrap();
        std::fs::write(file.path(), template).unwrap();
        self.render(file.path())
    }

    /// The verifier key of `sum.golang.org`, `sum.corp.test` or `lab.sum.test` in the lab.
    pub fn sumdb_key(&self, name: &str) -> String {
        run("sumdb", &["key", name]).unwrap().trim().to_owned()
    }

    /// What nginx was asked since the lab is up: JSON lines of `office` or `home`.
    pub fn requests(&self, place: &str) -> String {
        let log = self.dir.join(format!("log/nginx-{place}.jsonl"));
        std::fs::read_to_string(log).unwrap_or_default()
    }

    /// A laptop with a fresh home.
    pub fn laptop(&self) -> Laptop<'_> {
        Laptop::new(self)
    }

    fn render(&self, template: &Path) -> String {
        let out = tempfile::NamedTempFile::new_in(&self.dir).unwrap();
        let args = [
            template.as_os_str(),
            "--out".as_ref(),
            out.path().as_os_str(),
        ];
        run("policy", &args).unwrap();
        std::fs::read_to_string(out.path()).unwrap()
    }

    fn dirty(&self) -> PathBuf {
        self.dir.join("rust.dirty")
    }

    fn reset_all(&self) {
        for what in [
            "fault office",
            "fault home",
            "dns office",
            "dns home",
            "dns hotspot",
            "office-mode",
            "hotspot-mode",
            "systemd",
        ] {
            self.touched.borrow_mut().insert(what.to_owned());
        }
        self.reset();
    }

    fn reset(&self) {
        let touched = self.touched.take();
        if touched.contains("systemd")
            && let Err(err) = run("systemd", &["down"])
        {
            println!("lab: not reset: {err}");
        }
        for what in touched {
            let args: &[&str] = match what.as_str() {
                "fault office" => &["fault", "office", "all", "pass", "corp"],
                "fault home" => &["fault", "home", "all", "pass", "public"],
                "dns office" => &["dns", "office", "ok"],
                "dns home" => &["dns", "home", "ok"],
                "dns hotspot" => &["dns", "hotspot", "ok"],
                "office-mode" => &["office-mode", "unreachable"],
                "hotspot-mode" => &["hotspot-mode", "portal302"],
                _ => continue,
            };
            if let Err(err) = run("net", args) {
                println!("lab: not reset: {err}");
            }
        }
        let moved = run("net", &["vpn-off"]).and_then(|_| run("net", &["move", "airplane"]));
        if let Err(err) = moved {
            println!("lab: not reset: {err}");
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.reset();
        let _ = std::fs::remove_file(self.dirty());
    }
}

/// A script of the lab.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/lab")
        .join(name)
}

/// The path of a real go binary, installed on first use; `None` where that cannot be done.
pub fn go(version: &str) -> Option<PathBuf> {
    let path = run("go", &[version]).ok()?;
    Some(PathBuf::from(path.trim()))
}

fn lab_dir() -> PathBuf {
    std::env::var_os("LAB").map_or_else(|| PathBuf::from("/var/tmp/goroam-lab"), PathBuf::from)
}

fn run<A: AsRef<std::ffi::OsStr>>(name: &str, args: &[A]) -> Result<String, String> {
    run_with(name, args, &[])
}

fn run_with<A: AsRef<std::ffi::OsStr>>(
    name: &str,
    args: &[A],
    env: &[(&str, &str)],
) -> Result<String, String> {
    let said = Command::new(script(name))
        .args(args)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .map_err(|err| format!("tests/lab/{name}: {err}"))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let args: Vec<_> = args
        .iter()
        .map(|arg| arg.as_ref().to_string_lossy())
        .collect();
    let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&said.stdout);
    Err(format!(
        "tests/lab/{name} {}: {stdout}{stderr}",
        args.join(" ")
    ))
}
