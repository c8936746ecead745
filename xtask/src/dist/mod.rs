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
mod source;
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
pub const FLAGS: [&str; 9] = [
    "--deb",
    "--rpm",
    "--tar",
    "--tray",
    "--source",
    "--source-packages",
    "--windows",
    "--all",
    "--verify",
];
/// Options with a value.
pub const VALUED: [&str; 6] = [
    "--bin",
    "--tray-bin",
    "--exe",
    "--out",
    "--targets",
    "--profile",
];

/// A kind of Linux that a release has programs for.
pub struct Target {
    /// How `--targets` and `xtask/cross/check` call it.
    name: &'static str,
    triple: &'static str,
    /// How the names of archives end.
    archive: &'static str,
    /// Debian's and RPM's name of the architecture; a static program has no packages.
    packages: Option<(&'static str, &'static str)>,
}

/// The first one is this machine's own.
const TARGETS: [Target; 4] = [
    Target {
        name: "native",
        triple: "x86_64-unknown-linux-gnu",
        archive: "x86_64-linux",
        packages: Some(("amd64", "x86_64")),
    },
    Target {
        name: "arm",
        triple: "aarch64-unknown-linux-gnu",
        archive: "aarch64-linux",
        packages: Some(("arm64", "aarch64")),
    },
    Target {
        name: "musl",
        triple: "x86_64-unknown-linux-musl",
        archive: "x86_64-linux-musl",
        packages: None,
    },
    Target {
        name: "arm-musl",
        triple: "aarch64-unknown-linux-musl",
        archive: "aarch64-linux-musl",
        packages: None,
    },
];

impl Target {
    fn is_native(&self) -> bool {
        self.name == TARGETS[0].name
    }
}

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
    if wants("--source") || wants("--source-packages") {
        files.push(pack::source(&release)?);
    }
    if wants("--source-packages") {
        files.extend(source::packages(&release)?);
    }
    if wants("--deb") || wants("--rpm") || wants("--tar") {
        let profile = options.get("--profile").unwrap_or("release");
        let built = |given: &Option<PathBuf>, name: &str| match given {
            Some(program) => Ok(program.clone()),
            None => build::linux(name, profile),
        };
        let tray = match wants("--tray") {
            true => Some(built(&tray, "goroam-tray")?),
            false => None,
        };
        // This one also writes the pages and completions of the others.
        let native = built(&program, "goroam")?;
        for target in targets(options.get("--targets"), options.has("--all") || !any)? {
            let (program, tray) = match target.is_native() {
                true => (native.clone(), tray.as_deref()),
                false => (build::crossed(target, profile)?, None),
            };
            let programs = [native.as_path(), program.as_path()];
            files.extend(linux(&release, target, programs, tray, &wants)?);
        }
    }
    if chosen("--windows") || !any && build::can_cross() {
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

/// Returns the targets that `--targets` lists. Without it, with `all`, those that this machine can
/// build for; else its own.
fn targets(listed: Option<&str>, all: bool) -> Result<Vec<&'static Target>> {
    let Some(listed) = listed else {
        let can = |target: &&Target| target.is_native() || all && build::can_cross();
        return Ok(TARGETS.iter().filter(can).collect());
    };
    let find = |name: &str| {
        let names = TARGETS.map(|target| target.name).join(", ");
        let found = TARGETS.iter().find(|target| target.name == name);
        found.ok_or_else(|| format!("--targets {listed}: no target {name:?}; there are {names}"))
    };
    listed.split(',').map(find).collect()
}

/// Builds the requested Linux packages, and this machine's own program beside them. `programs`: one
/// that this machine can run, and the one to pack.
fn linux(
    release: &Release,
    target: &Target,
    programs: [&Path; 2],
    tray: Option<&Path>,
    wants: &dyn Fn(&str) -> bool,
) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut listed = |name: &str, features: &str| {
        let crates = crates::linked(target.triple, features)?;
        let file = format!("{name}-{}-{}.cdx.json", release.version, target.archive);
        let file = release.out.join(file);
        let list = sbom::cyclonedx(release, target.triple, &crates)?;
        release::write(&file, list.as_bytes())?;
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
    let content = linux::Content::of(programs, notices::third_party(&crates)?)?;
    if target.is_native() {
        let mut beside = tree::Tree::default();
        beside.program("goroam", content.program.clone());
        beside.write(&release.out, release.epoch)?;
    }

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
        let Some((deb, rpm)) = target.packages else {
            continue;
        };
        if wants("--deb") {
            files.push(deb::package(release, &package, deb)?);
        }
        if wants("--rpm") {
            files.push(rpm::package(release, &package, rpm, crates)?);
        }
    }
    if wants("--tar") {
        files.push(pack::tar(release, &content, target.archive)?);
    }
    Ok(files)
}
