//! `cargo xtask try`: from a fresh machine to one real turn.

use std::process::Command;

use crate::gotool::{self, Go};
use crate::packages;
use crate::run::{self, Result};

/// The variables that a policy most probably sets.
const WATCHED: [&str; 9] = [
    "GOPROXY",
    "GOSUMDB",
    "GOPRIVATE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOINSECURE",
    "GOVCS",
    "GOTOOLCHAIN",
    "GOFLAGS",
];

/// Finds or installs go, builds goroam, takes one turn with the user's own settings.
pub fn first_run() -> Result {
    let go = match gotool::find() {
        Some(go) => go,
        None => {
            println!("There is no go command on this machine; installing it.");
            packages::install_go()?;
            gotool::find().ok_or("go was installed, but is neither in PATH nor at a usual place")?
        }
    };
    println!("go     {} ({})", go.path.display(), go.version);
    println!("build  unoptimised, because that is quicker; the first time takes a minute or two");
    run::show(run::cargo().args(["build", "--package", "goroam", "--bin", "goroam"]))?;
    let goroam = run::target_dir().join(format!("debug/goroam{}", std::env::consts::EXE_SUFFIX));
    let shown = goroam
        .strip_prefix(run::root())
        .unwrap_or(&goroam)
        .display()
        .to_string();

    let before = values(&go);
    println!(
        "\nNow one real turn with your own settings ({}):\n",
        go.env("GOENV")?
    );
    let mut once = Command::new(&goroam);
    once.arg("once").env("PATH", path_with(&go)?);
    let turn = run::show(&mut once);
    println!();
    let after = values(&go);
    let mut changed = false;
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        if before != after {
            changed = true;
            println!(
                "{name:12} was  {}\n{:12} now  {}",
                or_empty(before),
                "",
                or_empty(after)
            );
        }
    }
    if !changed {
        println!("`go env` is as it was: nothing had to change.");
    }
    for name in WATCHED
        .iter()
        .filter(|name| std::env::var_os(name).is_some())
    {
        println!("note: {name} is set in this shell, which wins over `go env -w` here");
    }
    turn?;
    println!("\nundo       {shown} restore");
    println!("the why    {shown} why");
    println!("stay on    {shown} agent        (follows the network until you end it)");
    println!("install    cargo install --path .");
    Ok(())
}

fn values(go: &Go) -> Vec<(&'static str, String)> {
    WATCHED
        .iter()
        .map(|name| (*name, go.env(name).unwrap_or_default()))
        .collect()
}

fn or_empty(value: &str) -> &str {
    if value.is_empty() { "(empty)" } else { value }
}

/// Returns a PATH with which goroam finds the same go command, wherever it is.
fn path_with(go: &Go) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(go.path.parent().map(ToOwned::to_owned));
    std::env::join_paths(dirs).map_err(|err| format!("PATH: {err}"))
}
