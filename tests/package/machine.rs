//! A Debian that nobody has used yet, in the laptop's place, with its user.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::dist::{only, said};
use crate::support::{Lab, wait_until};

/// The user's home, inside.
const HOME: &str = "/home/dev";

/// Folders whose content comes and goes by itself, or with any package: logs, what runs, caches.
const PASSING: [&str; 10] = [
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",
    "/var/tmp",
    "/var/log",
    "/var/cache",
    "/var/lib/systemd",
    "/var/lib/apt",
];

/// The running machine.
pub(crate) struct Machine<'lab> {
    lab: &'lab Lab,
    root: PathBuf,
    packages: PathBuf,
}

pub(crate) type Env = BTreeMap<String, String>;

/// Does go take modules from its own cache only?
pub(crate) fn is_offline(env: &Env) -> bool {
    let proxy = env.get("GOPROXY");
    proxy.is_some_and(|proxy| proxy.starts_with("file:///") && proxy.ends_with(",off"))
}

impl<'lab> Machine<'lab> {
    /// Unpacks and boots it. As somebody who administers it has left it: go is installed, the
    /// company's certificate too, and the downloaded package is in the user's home.
    pub(crate) fn boot(lab: &'lab Lab, packages: &Path) -> Machine<'lab> {
        let machine = Machine {
            lab,
            root: lab.fresh_root(),
            packages: packages.to_owned(),
        };
        machine.ask(&["fresh"]);
        machine.ask(&["up"]);
        for authority in ["lab", "corp"] {
            let to = format!("usr/local/share/ca-certificates/{authority}.crt");
            let from = lab.dir().join(format!("ca/{authority}.pem"));
            fs::copy(from, machine.root.join(to)).unwrap();
        }
        machine.ask(&["root", "update-ca-certificates"]);
        machine.ask(&["root", "ln", "-s", "/opt/go", "/usr/local/go"]);
        // go itself asks nobody; and where a person would press Enter, apt goes on.
        machine.ask(&[
            "root",
            "ln",
            "-s",
            "/usr/local/go/bin/go",
            "/usr/local/bin/go",
        ]);
        let yes = "APT::Get::Assume-Yes \"true\";\n";
        fs::write(machine.root.join("etc/apt/apt.conf.d/90yes"), yes).unwrap();
        machine.push(&only(packages, "goroam_", "_amd64.deb"));
        machine.push(&packages.join("SHA256SUMS"));
        machine
    }

    /// Begins a session as at a console; when it began.
    #[allow(
        clippy::disallowed_methods,
        reason = "compared with the time of a file"
    )]
    pub(crate) fn login(&self) -> SystemTime {
        let start = SystemTime::now();
        self.ask(&["login"]);
        start
    }

    /// Ends it, and waits until nothing of the user runs any more.
    pub(crate) fn logout(&self) {
        self.ask(&["logout"]);
    }

    /// A line of shell in a session of its own; what it said, or how it failed.
    pub(crate) fn session(&self, line: &str) -> Result<String, String> {
        self.lab.fresh_systemd(&["session", "bash", "-c", line])
    }

    /// The same beside the session, which costs less; it must go well.
    #[track_caller]
    pub(crate) fn dev(&self, line: &str) -> String {
        self.ask(&["user", "sh", "-c", line])
    }

    /// Writes the policy as the user would.
    pub(crate) fn write_policy(&self, text: &str) {
        let text = text.replace(self.lab.dir().to_str().unwrap(), "@LAB@");
        let text = text.replace("@LAB@/ca/", "/etc/ssl/lab/");
        assert!(!text.contains("@LAB@/"), "{text}");
        let policy = self.home().join(".config/goroam/goroam.toml");
        assert!(policy.exists(), "`goroam init` has written none");
        fs::write(policy, text).unwrap();
    }

    /// The go env file.
    pub(crate) fn go_env_text(&self) -> String {
        fs::read_to_string(self.go_env_file()).unwrap_or_default()
    }

    /// A variable in it.
    pub(crate) fn go_env(&self, name: &str) -> Option<String> {
        self.env().remove(name)
    }

    /// When it was last written.
    pub(crate) fn written_at(&self) -> SystemTime {
        fs::metadata(self.go_env_file())
            .unwrap()
            .modified()
            .unwrap()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, value: &str, limit: Duration) {
        self.wait_env(&format!("{name}={value}"), limit, |env| {
            env.get(name).is_some_and(|have| have == value)
        });
    }

    #[track_caller]
    pub(crate) fn wait_env(&self, what: &str, limit: Duration, is: impl Fn(&Env) -> bool) {
        wait_until(what, limit, || {
            let env = self.env();
            is(&env).then_some(()).ok_or_else(|| format!("{env:?}"))
        });
    }

    /// The agent as its systemd knows it; 0: none.
    pub(crate) fn main_pid(&self) -> u32 {
        let pid = self.dev("systemctl --user show --property=MainPID --value goroam");
        pid.trim().parse().unwrap()
    }

    /// The same process as this machine's kernel knows it from outside.
    pub(crate) fn host_pid(&self) -> Option<u32> {
        let inside = self.main_pid().to_string();
        let is_it = |pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let mut lines = status
                .lines()
                .filter_map(|line| line.strip_prefix("NSpid:"));
            let pids: Vec<&str> = lines
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            pids.len() > 1 && pids.last() == Some(&inside.as_str()) && status.contains("goroam")
        };
        let all = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.find(is_it)
    }

    /// How many turns the journal has.
    pub(crate) fn turns(&self) -> usize {
        let journal: serde_json::Value =
            serde_json::from_str(&self.dev("goroam history -n 100000 --json")).unwrap();
        journal.as_array().unwrap().len()
    }

    /// Every path of the system and of the user that is there to stay.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let mut find = Command::new("find");
        find.arg(&self.root).arg("-xdev");
        for folder in PASSING {
            find.args([
                "-path",
                &format!("{}{folder}", self.root.display()),
                "-prune",
                "-o",
            ]);
        }
        let listed = said(find.arg("-print"));
        let root = self.root.display().to_string();
        let paths = listed
            .lines()
            .map(|path| path.strip_prefix(&root).unwrap().to_owned());
        // What dpkg keeps of the day before, and bash of a session.
        paths
            .filter(|path| !(path.starts_with("/var/lib/dpkg/") && path.ends_with("-old")))
            .filter(|path| !path.starts_with(&format!("{HOME}/goroam_")))
            .collect()
    }

    /// Those in the user's home.
    pub(crate) fn files_of_home(&self) -> BTreeSet<String> {
        self.files_in(&self.files())
    }

    /// Those of them that are in the user's home.
    pub(crate) fn files_in(&self, files: &BTreeSet<String>) -> BTreeSet<String> {
        files
            .iter()
            .filter(|path| path.starts_with(HOME))
            .cloned()
            .collect()
    }

    /// The downloaded package gives way to the next version of it.
    pub(crate) fn put_newer_package(&self) {
        let old = only(&self.packages, "goroam_", "_amd64.deb");
        let temp = tempfile::tempdir().unwrap();
        let tree = temp.path().join("tree");
        said(
            Command::new("dpkg-deb")
                .arg("--raw-extract")
                .args([&old, &tree]),
        );
        let control = tree.join("DEBIAN/control");
        let text = fs::read_to_string(&control).unwrap();
        let version = format!("Version: {}-1\n", env!("CARGO_PKG_VERSION"));
        let newer = format!("Version: {}-2\n", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&version), "{text}");
        fs::write(&control, text.replace(&version, &newer)).unwrap();
        fs::remove_file(self.home().join(old.file_name().unwrap())).unwrap();
        let to = temp
            .path()
            .join(format!("goroam_{}-2_amd64.deb", env!("CARGO_PKG_VERSION")));
        said(
            Command::new("dpkg-deb")
                .args(["--root-owner-group", "-Znone", "--build"])
                .args([&tree, &to]),
        );
        self.push(&to);
        let sums = said(
            Command::new("sha256sum")
                .current_dir(temp.path())
                .arg(to.file_name().unwrap()),
        );
        fs::write(self.home().join("SHA256SUMS"), sums).unwrap();
    }

    fn home(&self) -> PathBuf {
        self.root.join(&HOME[1..])
    }

    fn go_env_file(&self) -> PathBuf {
        self.home().join(".config/go/env")
    }

    fn env(&self) -> Env {
        let text = self.go_env_text();
        let lines = text.lines().filter_map(|line| line.split_once('='));
        lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Into the user's home, by its own name.
    fn push(&self, file: &Path) {
        let to = format!("{HOME}/{}", file.file_name().unwrap().to_str().unwrap());
        self.ask(&["push", file.to_str().unwrap(), &to]);
    }

    #[track_caller]
    fn ask(&self, args: &[&str]) -> String {
        self.lab
            .fresh_systemd(args)
            .unwrap_or_else(|err| panic!("{err}"))
    }
}
