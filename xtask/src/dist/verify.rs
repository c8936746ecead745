//! `cargo xtask dist --verify`: builds the same release again, in another directory, and compares.

use std::path::Path;
use std::process::Command;

use crate::options::Options;
use crate::run::{self, Result};

use super::FLAGS;
use super::release;

/// Builds here and in a fresh clone, and fails unless every file has the same bits.
pub fn verify(options: &Options) -> Result {
    let status = Command::new("git")
        .current_dir(run::root())
        .args(["status", "--porcelain"])
        .output();
    if status
        .map_err(|err| format!("git: {err}"))?
        .stdout
        .iter()
        .any(|byte| *byte > b' ')
    {
        return Err(
            "--verify builds the last commit, and there are changes beside it: commit \
                    or stash them"
                .to_owned(),
        );
    }
    let chosen: Vec<&str> = FLAGS
        .iter()
        .copied()
        .filter(|flag| *flag != "--verify" && options.has(flag))
        .collect();
    let folder = std::env::temp_dir().join(format!("goroam-verify-{}", std::process::id()));
    let compared = twice(&chosen, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    compared
}

fn twice(chosen: &[&str], folder: &Path) -> Result {
    let clone = folder.join("another folder");
    run::show(
        Command::new("git")
            .args(["clone", "--quiet", "--no-hardlinks"])
            .args([&run::root(), &clone]),
    )?;
    let dist = |root: &Path, out: &Path| {
        let mut cargo = run::cargo();
        cargo.current_dir(root).env_remove("CARGO_TARGET_DIR");
        cargo.args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "xtask",
            "--",
            "dist",
        ]);
        run::show(cargo.args(chosen).arg("--out").arg(out))?;
        release::read(&out.join("SHA256SUMS"))
    };
    let here = dist(&run::root(), &folder.join("here"))?;
    let there = dist(&clone, &folder.join("there"))?;
    let differing: Vec<&str> = here
        .lines()
        .filter(|line| !there.lines().any(|other| other == *line))
        .collect();
    if here.lines().count() != there.lines().count() || !differing.is_empty() {
        return Err(format!(
            "not the same in another folder:\n{}",
            differing.join("\n")
        ));
    }
    println!("\nthe same bits in two folders:\n{here}");
    Ok(())
}
