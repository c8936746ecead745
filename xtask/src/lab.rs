//! The network lab of `tests/lab`, for use by the tasks.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages;
use crate::run::{self, Result};

/// The go versions that the tests use: the current one, one a few releases older, and an old one.
const GO_VERSIONS: [&str; 3] = ["1.27.3", "1.24.11", "1.21.13"];

/// Programs that single tests need: three shells and bash-completion complete, direnv takes a
/// project's values, chattr makes a file that cannot be replaced, strace counts system calls, tmux
/// provides a terminal to read, dbus-daemon carries the tray, ssh-keygen signs commits, Chromium shows
/// the relay's page, rsvg-convert draws the icon; the rest read packages, manual pages and recipes.
/// Name of the program, name of its package.
const TOOLS: [(&str, &str); 24] = [
    ("zsh", "zsh"),
    ("fish", "fish"),
    ("elvish", "elvish"),
    ("dh_bash-completion", "bash-completion"),
    ("direnv", "direnv"),
    ("chattr", "e2fsprogs"),
    ("strace", "strace"),
    ("dpkg-shlibdeps", "dpkg-dev"),
    ("lintian", "lintian"),
    ("rpmbuild", "rpm"),
    ("ruby", "ruby"),
    ("nix-instantiate", "nix-bin"),
    ("unzip", "unzip"),
    ("rsvg-convert", "librsvg2-bin"),
    ("minisign", "minisign"),
    ("apt-ftparchive", "apt-utils"),
    ("gpg", "gnupg"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("mandoc", "mandoc"),
    ("groff", "groff"),
    ("tmux", "tmux"),
    ("dbus-daemon", "dbus-daemon"),
    ("ssh-keygen", "openssh-client"),
    ("chromium-headless-shell", "chromium-headless-shell"),
];

const ARM_LIBC: &str = "/usr/aarch64-linux-gnu/lib/libc.so.6";

/// Makes a command for a script of the lab.
pub fn script(name: &str) -> Command {
    let mut command = Command::new(run::root().join("tests/lab").join(name));
    command.current_dir(run::root());
    command
}

/// Returns the lab's directory.
pub fn dir() -> PathBuf {
    std::env::var_os("LAB").map_or_else(|| PathBuf::from("/var/tmp/goroam-lab"), PathBuf::from)
}

/// Installs and builds the parts of the lab that this machine supports; returns the parts that are
/// missing, and why. A test that needs one of these skips itself, or fails.
pub fn prepare(with_networks: bool) -> Vec<String> {
    if !cfg!(target_os = "linux") {
        return vec!["no lab: it needs Linux".to_owned()];
    }
    let mut missing: Vec<String> = packages::hosts_file().err().into_iter().collect();
    let networks = with_networks && can("net", &mut missing);
    if with_networks && can("systemd", &mut missing) {
        let ready = run::output(script("setup").arg("--systemd"));
        let ready = ready.and_then(|_| run::output(script("systemd").arg("fresh-tar")));
        missing.extend(ready.err());
    } else if networks {
        missing.extend(run::output(&mut script("setup")).err());
    }
    if run::is_root() {
        for (_, package) in TOOLS
            .iter()
            .filter(|(program, _)| run::find(program).is_none())
        {
            missing.extend(packages::install_named(package).err());
        }
        // What a program for aarch64 is linked with.
        if !Path::new(ARM_LIBC).exists() {
            missing.extend(packages::install_named("libc6-arm64-cross").err());
        }
        missing.extend(run::output(&mut script("alpine")).err());
        // Needed by tests of the snippets for CI services, which use any python3 that has it.
        let yaml = |python: &str| run::output(Command::new(python).args(["-c", "import yaml"]));
        if yaml("python3")
            .or_else(|_| yaml("/usr/bin/python3"))
            .is_err()
        {
            missing.extend(packages::install_named("python3-yaml").err());
        }
    }
    // Who watches goroam's health.
    for (part, name) in [("go", "collector"), ("modules", "prometheus")] {
        if can(part, &mut missing) {
            missing.extend(run::output(&mut script(name)).err());
        }
    }
    if can("go", &mut missing) {
        let installed = GO_VERSIONS
            .iter()
            .try_for_each(|version| run::output(script("go").arg(version)).map(drop));
        let built = installed.and_then(|()| {
            if can("modules", &mut missing) {
                run::output(&mut script("mods"))?;
                run::output(&mut script("ca"))?;
                run::output(script("sumdb").arg("start"))?;
            }
            Ok(())
        });
        missing.extend(built.err());
    }
    missing
}

/// Returns a PATH with the lab's newest go at its end, if the machine has no go of its own: some
/// tests are about a user who has one.
pub fn path_with_go() -> Option<std::ffi::OsString> {
    if run::find("go").is_some() {
        return None;
    }
    let bin = dir().join("go").join(GO_VERSIONS[0]).join("go/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([bin]);
    std::env::join_paths(folders).ok()
}

fn can(part: &str, missing: &mut Vec<String>) -> bool {
    let can = run::output(script("can").arg(part));
    if can.is_err() {
        missing.push(format!("no {part}; `tests/lab/can {part}` says why"));
    }
    can.is_ok()
}

/// Waits until no test and no other task uses the networks, and keeps others out while the lock is
/// held (`tests/support/lab.rs` takes the same lock).
pub fn lock() -> Result<File> {
    let path = dir().join("rust.lock");
    let locked = std::fs::create_dir_all(dir())
        .and_then(|()| File::create(&path))
        .and_then(|file| {
            file.lock()?;
            Ok(file)
        });
    locked.map_err(|err| format!("{}: {err}", path.display()))
}

/// Ends all running parts of the lab. Built files stay for the next time.
pub fn tear_down(_alone: &File) -> Result {
    let mut faults = Vec::new();
    if run::is_root() {
        faults.extend(run::output(script("systemd").arg("down")).err());
        faults.extend(run::output(script("net").arg("down")).err());
    }
    for name in ["faultd", "proxy", "sumdb"] {
        faults.extend(run::output(script(name).arg("stop")).err());
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}
