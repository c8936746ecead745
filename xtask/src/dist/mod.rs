//! `cargo xtask dist`: builds the files of a release, bit for bit the same on every machine.
//!
//! The program is built once, then packed from a tree that is data (`tree`): names, modes and
//! bytes. So no umask, clock, locale or directory of this machine affects the result.

mod build;
mod crates;
mod deb;
mod linux;
mod notices;
mod pack;
mod recipes;
mod release;
mod rpm;
mod sbom;
mod tree;
mod verify;
mod windows;

use std::path::{Path, PathBuf};

use crate::options::Options;
use crate::run::Result;

pub use self::release::REPOSITORY;
use self::release::Release;

/// The icon of the programs. `goroam-SIZE.png` beside it are made of it (tests/packaging/icon.rs).
pub const ICON: &str = "packaging/icon/goroam.svg";
pub const ICON_SIZES: [u32; 7] = [16, 24, 32, 48, 64, 128, 256];

/// Options without a value.
pub const FLAGS: [&str; 8] = [
    "--deb",
    "--rpm",
    "--tar",
    "--tray",
    "--source",
    "--windows",
    "--all",
    "--verify",
];
/// Options with a value.
pub const VALUED: [&str; 4] = ["--bin", "--tray-bin", "--exe", "--out"];

/// The target of all Linux packages.
const LINUX: &str = "x86_64-unknown-linux-gnu";

/// Builds and packs what the options request; without a choice, everything that this machine can
/// build.
pub fn dist(options: &Options) -> Result {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(
            "dist needs Linux on x86_64: dpkg-deb, rpmbuild, GNU tar and the cross tools".into(),
        );
    }
    if options.has("--verify") {
        return verify::verify(options);
    }
    let release = Release::here(options.get("--out").map(Path::new))?;
    let chosen = |name: &str| options.has(name) || options.has("--all");
    let any = FLAGS.iter().any(|flag| options.has(flag));
    let wants = |name: &str| chosen(name) || !any;

    let given = |name: &str| match options.get(name) {
        None => Ok(None),
        Some(file) => std::path::absolute(file)
            .map(Some)
            .map_err(|err| format!("{name} {file}: {err}")),
    };
    let (program, exe) = (given("--bin")?, given("--exe")?);
    let tray = given("--tray-bin")?;

    let mut files = Vec::new();
    if wants("--source") {
        files.push(pack::source(&release)?);
    }
    if wants("--deb") || wants("--rpm") || wants("--tar") {
        let built = |given: &Option<PathBuf>, name: &str| match given {
            Some(program) => Ok(program.clone()),
            None => build::linux(name),
        };
        let tray = match wants("--tray") {
            true => Some(built(&tray, "goroam-tray")?),
            false => None,
        };
        let program = built(&program, "goroam")?;
        files.extend(linux(&release, &program, tray.as_deref(), &wants)?);
    }
    if chosen("--windows") || !any && build::can_windows() {
        files.extend(windows::zip(&release, program.as_deref(), exe.as_deref())?);
    }
    files.sort();
    let sums = release.sums(&files)?;
    recipes::write(&release, &sums)?;
    release.tidy();
    println!("\n{sums}");
    for file in &files {
        println!("{}", file.display());
    }
    Ok(())
}

/// Builds the requested Linux packages, and the program itself beside them.
fn linux(
    release: &Release,
    program: &Path,
    tray: Option<&Path>,
    wants: &dyn Fn(&str) -> bool,
) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut listed = |name: &str, features: &str| {
        let crates = crates::linked(LINUX, features)?;
        let file = format!("{name}-{}-x86_64-linux.cdx.json", release.version);
        let file = release.out.join(file);
        release::write(&file, sbom::cyclonedx(release, LINUX, &crates)?.as_bytes())?;
        files.push(file);
        Ok::<_, String>(crates)
    };
    let crates = listed("goroam", "")?;
    let tray = match tray {
        None => None,
        Some(tray) => {
            let crates = listed("goroam-tray", "tray")?;
            let program =
                std::fs::read(tray).map_err(|err| format!("{}: {err}", tray.display()))?;
            Some((program, notices::third_party(&crates)?, crates))
        }
    };
    let content = linux::Content::of(program, notices::third_party(&crates)?)?;
    let mut beside = tree::Tree::default();
    beside.program("goroam", content.program.clone());
    beside.write(&release.out, release.epoch)?;

    let command = (&content.program, &content.notices, &crates);
    let tray = tray
        .as_ref()
        .map(|(program, notices, crates)| (program, notices, crates));
    let both = [("goroam", Some(command)), ("goroam-tray", tray)];
    for (name, (program, notices, crates)) in both
        .into_iter()
        .filter_map(|(name, made)| Some((name, made?)))
    {
        let package = linux::Package {
            name,
            program,
            notices,
            content: &content,
        };
        if wants("--deb") {
            files.push(deb::package(release, &package)?);
        }
        if wants("--rpm") {
            files.push(rpm::package(release, &package, crates)?);
        }
    }
    if wants("--tar") {
        files.push(pack::tar(release, &content)?);
    }
    Ok(files)
}
