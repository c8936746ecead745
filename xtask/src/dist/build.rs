//! The release build, without a trace of where it was built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cross;
use crate::run::{self, Result};

use super::LINUX;
use super::crates;

/// Between flags in `CARGO_ENCODED_RUSTFLAGS`, where a folder's name may hold a space.
const SEPARATOR: &str = "\x1f";

/// Builds `goroam` or `goroam-tray` for Linux; its path.
pub fn linux(name: &str) -> Result<PathBuf> {
    println!("build: the release build takes five minutes the first time");
    let target = run::target_dir().join("dist/build");
    let mut cargo = run::cargo();
    cargo.args(["build", "--locked", "--release", "--target", LINUX]);
    cargo.args(["--package", "goroam", "--bin", name]);
    // Not for `goroam`: what the tray needs would be linked into it.
    if name == "goroam-tray" {
        cargo.args(["--features", "tray"]);
    }
    clean(&mut cargo, &target)?;
    run::show(&mut cargo)?;
    let program = target.join(LINUX).join("release").join(name);
    no_trace(&program)?;
    Ok(program)
}

/// Builds `goroam.exe` and `goroam-tray.exe`; the folder that they are in.
pub fn windows() -> Result<PathBuf> {
    let target = run::target_dir().join("dist/build");
    let mut check = Command::new(run::root().join("xtask/cross/check"));
    check
        .arg(run::root())
        .args(["win", "build", "--release", "--locked"]);
    check.args(["--package", "goroam", "--features", "tray", "--bins"]);
    clean(&mut check, &target)?;
    run::show(&mut check)?;
    // The script builds in a folder of its own below.
    let folder = target.join("cross/x86_64-pc-windows-gnu/release");
    for program in ["goroam.exe", "goroam-tray.exe"] {
        no_trace(&folder.join(program))?;
    }
    Ok(folder)
}

/// Are the cross tools here? (`cargo xtask cross setup`)
pub fn can_windows() -> bool {
    cross::env_file().exists()
}

/// An environment in which folders of this machine get names that are the same everywhere, and
/// nobody's own flags count.
fn clean(command: &mut Command, target: &Path) -> Result {
    let sysroot = run::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let version = run::output(Command::new("rustc").arg("-vV"))?;
    let commit = version
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "));
    let std = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    let mut folders = vec![
        (run::root(), "/goroam".to_owned()),
        (target.to_owned(), "/target".to_owned()),
        // What rustc itself writes where the sources of std are not installed.
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
    command
        .env("CARGO_TARGET_DIR", target)
        // For C's __DATE__. Not the release's: C code would be compiled anew for each commit.
        .env("SOURCE_DATE_EPOCH", "1")
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            flags("--remap-path-prefix").join(SEPARATOR),
        )
        // Folders' names may hold spaces; so the cc crate is told to read them as a shell does.
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

/// Looks into the program for the folders that it was built from.
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
