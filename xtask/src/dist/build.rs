//! The release build; the result does not show where it was built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cross;
use crate::run::{self, Result};

use super::{TARGETS, Target, crates};

/// The separator of flags in `CARGO_ENCODED_RUSTFLAGS`; there a directory's name may contain a
/// space.
const SEPARATOR: &str = "\x1f";

/// Builds `goroam` or `goroam-tray` for this machine; returns its path.
pub fn linux(name: &str, profile: &str) -> Result<PathBuf> {
    println!("build: the release build takes five minutes the first time");
    let target = run::target_dir().join("dist/build");
    let triple = TARGETS[0].triple;
    let mut cargo = run::cargo();
    cargo.args([
        "build",
        "--locked",
        "--profile",
        profile,
        "--target",
        triple,
    ]);
    cargo.args(["--package", "goroam", "--bin", name]);
    // This is not done for `goroam`: the tray's dependencies would be linked into it.
    if name == "goroam-tray" {
        cargo.args(["--features", "tray"]);
    }
    clean(&mut cargo, &target, &[])?;
    run::show(&mut cargo)?;
    let program = target.join(triple).join(profile).join(name);
    no_trace(&program)?;
    Ok(program)
}

/// Builds `goroam` for another kind of Linux; returns its path.
pub fn crossed(target: &Target, profile: &str) -> Result<PathBuf> {
    if !can_cross() {
        return Err("no cross tools: run `cargo xtask cross setup`".to_owned());
    }
    // std is built here, too, so rustc has no C library of its own to link with: zig brings it.
    let flags: &[&str] = match target.packages {
        Some(_) => &[],
        None => &["-Clink-self-contained=no", "-Ctarget-feature=+crt-static"],
    };
    let folder = run::target_dir().join("dist/build");
    let mut check = Command::new(run::root().join("xtask/cross/check"));
    check
        .arg(run::root())
        .args([target.name, "build", "--locked"]);
    check.args([
        "--profile",
        profile,
        "--package",
        "goroam",
        "--bin",
        "goroam",
    ]);
    clean(&mut check, &folder, flags)?;
    run::show(&mut check)?;
    let program = folder.join("cross").join(target.triple).join(profile);
    let program = program.join("goroam");
    no_trace(&program)?;
    Ok(program)
}

/// Builds `goroam.exe` and `goroam-tray.exe`; returns their directory.
pub fn windows() -> Result<PathBuf> {
    let target = run::target_dir().join("dist/build");
    let mut check = Command::new(run::root().join("xtask/cross/check"));
    check
        .arg(run::root())
        .args(["win", "build", "--release", "--locked"]);
    check.args(["--package", "goroam", "--features", "tray", "--bins"]);
    clean(&mut check, &target, &[])?;
    run::show(&mut check)?;
    // The script builds in its own directory below this one.
    let folder = target.join("cross/x86_64-pc-windows-gnu/release");
    for program in ["goroam.exe", "goroam-tray.exe"] {
        no_trace(&folder.join(program))?;
    }
    Ok(folder)
}

/// Reports whether the cross tools are installed (`cargo xtask cross setup`).
pub fn can_cross() -> bool {
    cross::env_file().exists()
}

/// Sets an environment in which directories of this machine get names that are the same everywhere,
/// and in which no flags of the user apply, but these.
fn clean(command: &mut Command, target: &Path, more: &[&str]) -> Result {
    let sysroot = run::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let version = run::output(Command::new("rustc").arg("-vV"))?;
    let commit = version
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "));
    let std = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    let mut folders = vec![
        (run::root(), "/goroam".to_owned()),
        (target.to_owned(), "/target".to_owned()),
        // The path that rustc itself writes if the sources of std are not installed.
        (std, format!("/rustc/{}", commit.unwrap_or("unknown"))),
    ];
    for folder in crates::sources()? {
        folders.push((folder, "/crates".to_owned()));
    }
    let flags = |option: &str| -> Vec<String> {
        folders
            .iter()
            .map(|(from, to)| format!("{option}={}={to}", from.display()))
            .collect()
    };
    let own: Vec<String> = more.iter().map(|flag| (*flag).to_owned()).collect();
    command
        .env("CARGO_TARGET_DIR", target)
        // For C's __DATE__. This is not the release's time: C code would be compiled again for each
        // commit.
        .env("SOURCE_DATE_EPOCH", "1")
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            [flags("--remap-path-prefix"), own].concat().join(SEPARATOR),
        )
        // Names of directories may contain spaces, so the cc crate is told to parse the flags as a
        // shell does.
        .env("CC_SHELL_ESCAPED_FLAGS", "1")
        .env("CFLAGS", quoted(&flags("-ffile-prefix-map")));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let profile = text.starts_with("CARGO_PROFILE_") || text.starts_with("CARGO_BUILD_");
        if profile || text == "RUSTFLAGS" || text == "CARGO_INCREMENTAL" {
            command.env_remove(&name);
        }
    }
    Ok(())
}

fn quoted(flags: &[String]) -> String {
    let quoted = flags.iter().map(|flag| format!("'{flag}'"));
    quoted.collect::<Vec<_>>().join(" ")
}

/// Fails if the program contains the directories that it was built from.
fn no_trace(program: &Path) -> Result {
    let bytes = std::fs::read(program).map_err(|err| format!("{}: {err}", program.display()))?;
    let mut folders = vec![run::root()];
    folders.extend(crates::sources()?);
    for folder in folders {
        let folder = folder.display().to_string();
        if bytes
            .windows(folder.len())
            .any(|part| part == folder.as_bytes())
        {
            let program = program.display();
            return Err(format!(
                "{program} holds the name of this machine's folder {folder}"
            ));
        }
    }
    Ok(())
}
