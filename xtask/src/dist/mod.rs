//! `cargo xtask dist`: what a release is made of, the same bits wherever it is built.
//!
//! The program is built once, then packed from a tree that is data (`tree`): names, modes and
//! bytes, so that no umask, clock, locale or folder of this machine is in what comes out.

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

use self::release::Release;

/// Options that are switches.
pub const FLAGS: [&str; 7] = [
    "--deb",
    "--rpm",
    "--tar",
    "--source",
    "--windows",
    "--all",
    "--verify",
];
/// Options with a value.
pub const VALUED: [&str; 3] = ["--bin", "--exe", "--out"];

/// The target of everything for Linux.
const LINUX: &str = "x86_64-unknown-linux-gnu";

/// Builds and packs what was asked for; without a choice, everything that this machine can.
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

    let mut files = Vec::new();
    if wants("--source") {
        files.push(pack::source(&release)?);
    }
    if wants("--deb") || wants("--rpm") || wants("--tar") {
        let program = match &program {
            Some(program) => program.clone(),
            None => build::linux(&release)?,
        };
        files.extend(linux(&release, &program, &wants)?);
    }
    if chosen("--windows") || !any && build::can_windows() {
        files.extend(windows::zip(&release, program.as_deref(), exe.as_deref())?);
    }
    files.sort();
    let sums = release.sums(&files)?;
    recipes::write(&release, &sums)?;
    println!("\n{sums}");
    for file in &files {
        println!("{}", file.display());
    }
    Ok(())
}

/// Everything for Linux that is wanted, and the program itself beside it.
fn linux(release: &Release, program: &Path, wants: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let crates = crates::linked(LINUX, "")?;
    let sbom = release
        .out
        .join(format!("goroam-{}-x86_64-linux.cdx.json", release.version));
    release::write(&sbom, sbom::cyclonedx(release, LINUX, &crates)?.as_bytes())?;
    let notices = notices::third_party(&crates)?;
    let content = linux::Content::of(program, notices)?;
    let mut beside = tree::Tree::default();
    beside.program("goroam", content.program.clone());
    beside.write(&release.out, release.epoch)?;
    let mut files = vec![sbom];
    if wants("--deb") {
        files.push(deb::package(release, &content)?);
    }
    if wants("--rpm") {
        files.push(rpm::package(release, &content, &crates)?);
    }
    if wants("--tar") {
        files.push(pack::tar(release, &content)?);
    }
    Ok(files)
}
