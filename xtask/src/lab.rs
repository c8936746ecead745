//! The network lab of `tests/lab`, as the tasks use it.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{self, Result};

/// The go versions that the tests run against: old, current minus a few, current.
const GO_VERSIONS: [&str; 3] = ["1.27.3", "1.24.11", "1.21.13"];

/// A script of the lab.
pub fn script(name: &str) -> Command {
    let mut command = Command::new(run::root().join("tests/lab").join(name));
    command.current_dir(run::root());
    command
}

/// Where everything of it lives.
pub fn dir() -> PathBuf {
    std::env::var_os("LAB").map_or_else(|| PathBuf::from("/var/tmp/goroam-lab"), PathBuf::from)
}

/// Installs and builds what this machine can have of it; returns what it cannot have, and why.
pub fn prepare(with_networks: bool) -> Result<Vec<String>> {
    if !cfg!(target_os = "linux") {
        return Ok(vec!["no lab: it needs Linux".to_owned()]);
    }
    let mut missing = Vec::new();
    let mut can = |part: &str| match run::output(script("can").arg(part)) {
        Ok(_) => true,
        Err(_) => {
            missing.push(format!("no {part}: see tests/lab/can"));
            false
        }
    };
    let systemd = with_networks && can("systemd");
    if with_networks && can("net") {
        let mut setup = script("setup");
        run::output(if systemd {
            setup.arg("--systemd")
        } else {
            &mut setup
        })?;
    }
    if can("go") {
        for version in GO_VERSIONS {
            run::output(script("go").arg(version))?;
        }
        if can("modules") {
            run::output(&mut script("mods"))?;
            run::output(&mut script("ca"))?;
            run::output(script("sumdb").arg("start"))?;
        }
    }
    Ok(missing)
}

/// Ends everything of it that runs. What was built stays for the next time.
pub fn tear_down() -> Result {
    if !cfg!(target_os = "linux") || !dir().exists() {
        return Ok(());
    }
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
