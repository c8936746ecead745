//! `cargo xtask cross`: Windows and macOS from a Linux machine: type-checks for both, and runs
//! under Wine what was built for Windows. The suite uses the same functions.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::packages;
use crate::run::{self, Result};

/// The target of the tests under Wine.
const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// The integration tests that are built for Windows and run under Wine. Their files that use shell
/// scripts, socket files or something specific to Linux say so with `cfg`.
const UNDER_WINE: [&str; 3] = ["policy", "probe", "state_journal"];

/// Runs `setup`, or `check|clippy|build|test [TARGETS [CARGO ARGUMENTS]]`; `check` alone checks the
/// same as the suite.
pub fn cross(args: &[String]) -> Result {
    match args.split_first() {
        Some((verb, rest)) if verb == "setup" => run::show(script("setup").args(rest)),
        Some((verb, [])) if verb == "check" => {
            let failed = checks().filter_map(|(name, mut command)| {
                let why = run::show(&mut command).err()?;
                Some(format!("{name}: {why}"))
            });
            match failed.collect::<Vec<_>>().as_slice() {
                [] => Ok(()),
                failed => Err(failed.join("\n")),
            }
        }
        Some((verb, rest)) if matches!(verb.as_str(), "check" | "clippy" | "build" | "test") => {
            let (targets, rest) = match rest.split_first() {
                Some((targets, rest)) if !targets.starts_with('-') => (targets.as_str(), rest),
                _ => ("win,mac", rest),
            };
            let mut check = script("check");
            run::show(check.arg(run::root()).args([targets, verb]).args(rest))
        }
        _ => Err("cross setup, or cross check|clippy|build|test [win,mac,mac-intel]".to_owned()),
    }
}

/// The checks: name, cargo's arguments. The check without the tray covers only the programs that are
/// shipped without it.
const CHECKS: [(&str, &[&str]); 2] = [
    (
        "windows and macos clippy",
        &["--all-targets", TRAY[0], TRAY[1]],
    ),
    ("windows and macos clippy without the tray", &[]),
];

const TRAY: [&str; 2] = ["--features", "tray"];

/// Returns clippy for both other systems: the name of each check, and its command.
pub fn checks() -> impl Iterator<Item = (&'static str, Command)> {
    CHECKS.iter().map(|(name, args)| {
        let mut command = script("check");
        command.arg(run::root()).args(["win,mac", "clippy"]);
        command.args(*args).args(["--", "-D", "warnings"]);
        (*name, command)
    })
}

/// Sets it up if that is possible without asking the user: on Debian, as root. Any user can use an
/// existing set-up.
pub fn prepare() -> Result {
    if !cfg!(target_os = "linux") {
        return Err("needs Linux".to_owned());
    }
    packages::hosts_file()?;
    if run::is_root() && run::find("apt-get").is_some() {
        return run::output(&mut script("setup")).map(drop);
    }
    if env_file().exists() {
        return Ok(());
    }
    Err("set up by root on Debian only: cargo xtask cross setup".to_owned())
}

/// Builds the programs for Windows, in the directory where tests/support/wine.rs expects them, and
/// the test binaries. Returns cargo's output, which has a line `Executable … (PATH)` for each.
pub fn build_for_wine() -> Result<String> {
    let mut args = vec!["test", "--no-run", "--color", "never"];
    args.extend(["-Zbuild-std=std,panic_abort", "--target", WINDOWS]);
    args.extend([TRAY[0], TRAY[1], "--lib"]);
    args.extend(UNDER_WINE.iter().flat_map(|name| ["--test", name]));
    println!("$ cargo {}", args.join(" "));
    let mut command = Command::new("bash");
    command.current_dir(run::root());
    command.args(["-c", r#". "$0" && exec cargo "$@""#]);
    command.arg(env_file()).args(args);
    command.env("CARGO_TARGET_DIR", run::target_dir().join("cross"));
    let limit = std::time::Duration::from_secs(3600);
    let (status, text) = run::transcript(&mut command, limit)?;
    if status.is_some_and(|status| status.success()) {
        Ok(text)
    } else {
        Err(format!("the tests for Windows do not build:\n{text}"))
    }
}

/// Returns the path of the program for Windows after it was built.
pub fn goroam_exe() -> PathBuf {
    let built = run::target_dir().join("cross").join(WINDOWS);
    built.join("debug/goroam.exe")
}

/// Makes a command that runs a program for Windows under Wine, in the prefix that the set-up made.
pub fn under_wine(program: &std::path::Path) -> Command {
    let mut command = Command::new("wine");
    command.arg(program);
    command.env("WINEPREFIX", root().join("wine"));
    command.env("WINEDEBUG", "-all").env_remove("DISPLAY");
    command
}

/// Recognises Wine's output if a part of Wine is missing and the program has crashed; the exit code
/// may be 0 all the same.
pub fn has_crashed(text: &str) -> bool {
    let crash = ["wine: Unimplemented function", "Unhandled exception"];
    text.lines()
        .any(|line| crash.iter().any(|start| line.starts_with(start)))
}

fn script(name: &str) -> Command {
    Command::new(run::root().join("xtask/cross").join(name))
}

/// Returns the file with the environment for builds; it exists after the set-up is done.
pub fn env_file() -> PathBuf {
    root().join("env")
}

/// Returns the `ROOT` directory of the scripts.
fn root() -> PathBuf {
    let var = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let cache = || {
        let home = || PathBuf::from(var("HOME").unwrap_or_default()).join(".cache");
        let cache = var("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
        cache.join("goroam-cross")
    };
    var("CROSS_ROOT").map_or_else(cache, PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::has_crashed;

    #[test]
    fn a_crash_of_wines_is_told_from_what_a_test_says() {
        assert!(has_crashed(
            "running 1 test\nwine: Unimplemented function iphlpapi.dll.X called at address 0x7\n"
        ));
        assert!(!has_crashed("test wine ... ok\nskipped: wine: no\n"));
    }
}
