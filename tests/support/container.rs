//! A machine with a real systemd and a user `dev`, in the laptop's networks.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::lab::{Lab, script};
use super::{goroam_bin, wait_until};

/// The container has two processors to share with everything else.
pub const SOON: Duration = Duration::from_secs(60);
/// Where the tests install goroam; it is in dev's PATH.
pub const PROGRAM: &str = "/home/dev/.local/bin/goroam";

/// The machine, up, with nothing of goroam's but its program and a policy.
pub struct Container<'lab> {
    lab: &'lab Lab,
}

/// What a command in it did.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl<'lab> Container<'lab> {
    /// Boots it and tidies up after whoever was there before. `dev` lingers.
    pub fn boot(lab: &'lab Lab) -> Container<'lab> {
        lab.systemd(&["up"]);
        let container = Container { lab };
        container.user("systemctl --user disable --now goroam.service 2>/dev/null; true");
        container.root("loginctl enable-linger dev").ok();
        // A user manager reads no shell profile: go is found in one of the usual places.
        container.root("ln -sfn /opt/go /usr/local/go").ok();
        let tidy = "cd /home/dev && find . -mindepth 1 -maxdepth 1 ! -name '.bash*' ! -name .profile \
                    -exec rm -rf {} +; rm -rf /run/user/1000/goroam \
                    /etc/systemd/user/goroam.service /etc/systemd/logind.conf.d";
        container.root(tidy).ok();
        container.user("systemctl --user daemon-reload; systemctl --user reset-failed; true");
        container.user("mkdir -p .local/bin .config/goroam").ok();
        container.push(&goroam_bin(), PROGRAM);
        container.write_policy(&lab.policy());
        // go counts its own calls from the first one on; that is not goroam's doing.
        container.user("go env GOVERSION >/dev/null").ok();
        container
    }

    /// A shell line as `dev`, as after a login but with the go command in PATH.
    pub fn user(&self, line: &str) -> Said {
        self.run(&["user", "sh", "-c", &format!("cd; umask 022; {line}")])
    }

    /// A shell line as root.
    pub fn root(&self, line: &str) -> Said {
        self.run(&["root", "sh", "-c", line])
    }

    fn run(&self, args: &[&str]) -> Said {
        let output = Command::new(script("systemd"))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Copies a file into it as package managers do: a new file takes the name.
    pub fn push(&self, from: &Path, to: &str) {
        let new = format!("{to}.new");
        self.lab.systemd(&["push", from.to_str().unwrap(), &new]);
        self.root(&format!("mv -f {new} {to}")).ok();
    }

    /// The same with a text.
    pub fn write(&self, text: &str, to: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        self.push(file.path(), to);
    }

    /// Writes the policy where goroam looks for it, with the paths of this machine.
    pub fn write_policy(&self, text: &str) {
        let lab = self.lab.dir().to_str().unwrap();
        let text = text.replace(&format!("{lab}/ca/"), "/etc/ssl/lab/");
        self.write(&text, "/home/dev/.config/goroam/goroam.toml");
    }

    /// A file of it, as this machine sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.lab
            .dir()
            .join("rootfs")
            .join(path.trim_start_matches('/'))
    }

    /// What is in the go env file.
    pub fn go_env(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.path("home/dev/.config/go/env")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Waits until the go env file has this value.
    #[track_caller]
    pub fn wait_for(&self, name: &str, value: &str) {
        wait_until(&format!("{name}={value}"), SOON, || {
            let env = self.go_env();
            match env.get(name).is_some_and(|have| have == value) {
                true => Ok(()),
                false => Err(format!("{env:?}\n{}", self.log())),
            }
        });
    }

    /// A property of the unit.
    pub fn show(&self, property: &str) -> String {
        let said = self.user(&format!(
            "systemctl --user show -P {property} goroam.service"
        ));
        said.stdout.trim().to_owned()
    }

    /// The agent's process, as the container counts.
    pub fn pid(&self) -> u32 {
        self.show("MainPID").parse().unwrap_or(0)
    }

    /// The last that the agent has told.
    pub fn log(&self) -> String {
        let line = "journalctl --user -u goroam.service -b -n 12 -o cat --no-pager";
        self.user(line).stdout
    }

    /// Every file below dev's home: kind, mode and bytes.
    pub fn tree(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let home = self.path("home/dev");
        let mut tree = BTreeMap::new();
        walk(&home, &mut tree);
        // go's own counters, which its every call changes.
        tree.retain(|path, _| !path.starts_with(home.join(".config/go/telemetry")));
        tree
    }
}

impl Said {
    /// Its standard output, when it went well.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        &self.stdout
    }

    /// The same without the breaks of its lines.
    #[track_caller]
    pub fn words(&self) -> String {
        let words: Vec<&str> = self.ok().split_whitespace().collect();
        words.join(" ")
    }

    /// Its complaint, when it ended with this code.
    #[track_caller]
    pub fn fails(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        &self.stderr
    }
}

fn walk(folder: &Path, tree: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let bytes = match (meta.is_file(), meta.is_symlink()) {
            (true, _) => fs::read(&path).unwrap(),
            (_, true) => fs::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes(),
            _ => Vec::new(),
        };
        // Whose it is matters as well: root's own leftovers could not be removed by dev.
        assert_eq!(meta.uid(), 1000, "{}", path.display());
        tree.insert(path.clone(), (meta.permissions().mode(), bytes));
        if meta.is_dir() {
            walk(&path, tree);
        }
    }
}
