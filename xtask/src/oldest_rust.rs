//! `cargo xtask oldest-rust`: finds the oldest Rust that compiles goroam, by compiling it.

use std::ops::RangeInclusive;
use std::process::Command;

use crate::run::{self, Result};

/// What Cargo.toml promises.
const PROMISED: &str = env!("CARGO_PKG_RUST_VERSION");

/// Compiles goroam with older and older versions of Rust, and compares the oldest one that can do it
/// with the promise of Cargo.toml. With `check`, compiles it with the promised version only.
pub fn oldest_rust(check: bool) -> Result {
    let promised = minor(PROMISED).ok_or("Cargo.toml: rust-version is not 1.MINOR")?;
    if check {
        return match compiles(promised)? {
            Some(true) => Ok(()),
            Some(false) => Err(format!("Cargo.toml promises Rust {PROMISED}, which fails")),
            None => Err(format!("Rust {PROMISED} cannot be had here")),
        };
    }
    let versions = needed()?..=current()?;
    println!("the crates need Rust 1.{}", versions.start());
    match oldest(versions, compiles)? {
        Some(found) if found == promised => Ok(()),
        Some(found) => Err(format!(
            "the oldest Rust here that compiles goroam is 1.{found}; Cargo.toml promises {PROMISED}: \
             change rust-version there, and docs/install.md in both editions"
        )),
        None => Err("no Rust here compiles goroam".to_owned()),
    }
}

/// Bisects: what compiles with a version compiles with all later ones. `works` returns `None` for a
/// version that cannot be had; the next later one stands for it.
fn oldest(
    versions: RangeInclusive<u32>,
    mut works: impl FnMut(u32) -> Result<Option<bool>>,
) -> Result<Option<u32>> {
    let (mut low, mut high) = (*versions.start(), *versions.end() + 1);
    let mut found = None;
    while low < high {
        let middle = low + (high - low) / 2;
        let mut tried = middle;
        let answer = loop {
            match works(tried)? {
                Some(answer) => break Some(answer),
                None if tried + 1 < high => tried += 1,
                None => break None,
            }
        };
        match answer {
            Some(true) => (found, high) = (Some(tried), middle),
            Some(false) => low = tried + 1,
            // None between the middle and the upper end can be had.
            None => high = middle,
        }
    }
    Ok(found)
}

/// Compiles the programs with Rust 1.`minor`; `None`: it is not installed and cannot be installed.
fn compiles(version: u32) -> Result<Option<bool>> {
    let mut cargo = if current()? == version {
        run::cargo()
    } else {
        let name = format!("1.{version}");
        let mut install = Command::new("rustup");
        install.args(["toolchain", "install", &name, "--profile", "minimal"]);
        if run::output(install.arg("--no-self-update")).is_err() {
            println!("Rust {name}: cannot be had");
            return Ok(None);
        }
        let mut cargo = Command::new("rustup");
        cargo.current_dir(run::root()).args(["run", &name, "cargo"]);
        // The one that runs this task is another version.
        cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        cargo
    };
    let target = run::target_dir().join("oldest-rust");
    cargo.args([
        "check",
        "--locked",
        "--package",
        "goroam",
        "--lib",
        "--bins",
    ]);
    cargo.args(["--features", "tray", "--ignore-rust-version"]);
    let done = run::output(cargo.env("CARGO_TARGET_DIR", target));
    match &done {
        Ok(_) => println!("Rust 1.{version}: compiles"),
        Err(why) => {
            let first = why.lines().find(|line| line.starts_with("error"));
            println!("Rust 1.{version}: {}", first.unwrap_or("fails"));
        }
    }
    Ok(Some(done.is_ok()))
}

/// Returns the newest Rust that a crate of Cargo.lock asks for.
fn needed() -> Result<u32> {
    let mut cargo = run::cargo();
    cargo.args(["metadata", "--locked", "--format-version", "1"]);
    let text = run::output(&mut cargo)?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).map_err(|err| format!("cargo metadata: {err}"))?;
    let packages = metadata["packages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let others = packages
        .iter()
        .filter(|package| !package["source"].is_null());
    let versions = others.filter_map(|package| minor(package["rust_version"].as_str()?));
    versions
        .max()
        .ok_or_else(|| "no crate asks for a version of Rust".to_owned())
}

/// Returns the version of the compiler that runs now.
fn current() -> Result<u32> {
    let told = run::output(Command::new("rustc").arg("--version"))?;
    let version = told.split(' ').nth(1).and_then(minor);
    version.ok_or_else(|| format!("rustc --version: {told}"))
}

fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("1.")?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_promise_is_a_version_that_the_crates_allow_and_that_compiles_this() {
        let promised = minor(PROMISED).unwrap();
        assert!(needed().unwrap() <= promised, "a crate needs a newer Rust");
        assert!(promised <= current().unwrap());
        for page in ["docs/install.md", "docs/zh-CN/install.md"] {
            let text = std::fs::read_to_string(run::root().join(page)).unwrap();
            assert!(text.contains(&format!("Rust {PROMISED}")), "{page}");
        }
    }

    #[test]
    fn the_oldest_version_is_found_also_where_some_cannot_be_had() {
        for limit in 88..=96 {
            let all = oldest(88..=95, |version| Ok(Some(version >= limit)));
            assert_eq!(all.unwrap(), Some(limit).filter(|limit| *limit <= 95));
            // Only three of them can be had.
            let had = [89, 92, 95];
            let few = oldest(88..=95, |version| {
                Ok(had.contains(&version).then_some(version >= limit))
            });
            let expected = had.into_iter().find(|version| *version >= limit);
            assert_eq!(few.unwrap(), expected, "{limit}");
        }
    }
}
