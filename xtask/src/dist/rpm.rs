//! `goroam-VERSION-1.x86_64.rpm`, `goroam-VERSION-1.aarch64.rpm` and
//! `goroam-tray-VERSION-1.x86_64.rpm`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{self, Result};

use super::crates::Crate;
use super::linux::Package;
use super::release::{self, Release};

/// Settings for rpmbuild that keep the machine and its distribution out of the result.
const SETTINGS: [&str; 9] = [
    "_build_id_links none",
    "_buildhost localhost",
    "_binary_payload w19.zstdio",
    "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
    "debug_package %{nil}",
    // Neither strips nor compresses: the tree is already as it must be.
    "__os_install_post %{nil}",
    "use_source_date_epoch_as_buildtime 1",
    "clamp_mtime_to_source_date_epoch 1",
    "source_date_epoch_from_changelog 0",
];

/// Builds the package with rpmbuild, for RPM's architecture `arch`.
pub fn package(
    release: &Release,
    package: &Package<'_>,
    arch: &str,
    crates: &[Crate],
) -> Result<PathBuf> {
    release::tools(&[("rpmbuild", "rpm")])?;
    // rpmbuild's own scripts do not quote: none of their directories may have a space in its name.
    let work = std::env::temp_dir().join(format!("goroam-rpm-{}", std::process::id()));
    std::fs::create_dir(&work).map_err(|err| format!("{}: {err}", work.display()))?;
    let packed = packed(release, package, arch, crates, &work);
    let _ = std::fs::remove_dir_all(&work);
    packed
}

fn packed(
    release: &Release,
    package: &Package<'_>,
    arch: &str,
    crates: &[Crate],
    work: &Path,
) -> Result<PathBuf> {
    let (name, content) = (package.name, package.content);
    let mut tree = package.tree(release, "site-functions")?;
    let pages = content.docs.iter();
    // The pages are about the agent; the tray depends on its package.
    let pages = pages.filter(|_| name == "goroam");
    let pages = pages.map(|(page, text)| ("doc", page.as_str(), text.as_str()));
    for (folder, file, text) in pages.chain([
        ("doc", "CHANGELOG.md", content.changelog.as_str()),
        ("licenses", "LICENSE-MIT", &content.mit),
        ("licenses", "LICENSE-APACHE", &content.apache),
        ("licenses", "THIRD-PARTY.txt", package.notices),
    ]) {
        tree.file(format!("usr/share/{folder}/{name}/{file}"), text);
    }
    let root = work.join("tree");
    std::fs::create_dir(&root).map_err(|err| format!("{}: {err}", root.display()))?;
    tree.write(&root, release.epoch)?;
    let spec = release
        .template(&format!("rpm/{name}.spec"))?
        .replace("@LICENCE@", &licence(crates))
        .replace("@DATE@", &release.date("%a %b %d %Y")?);
    let file = work.join("package.spec");
    release::write(&file, spec.as_bytes())?;

    let mut rpmbuild = rpmbuild(release, work);
    rpmbuild.args(["-bb", "--target", &format!("{arch}-linux")]);
    rpmbuild.args(["--define", &format!("goroam_tree {}", root.display())]);
    run::output(rpmbuild.arg(&file))?;
    let name = format!("{name}-{}-1.{arch}.rpm", release.version);
    let (made, file) = (work.join(&name), release.out.join(&name));
    std::fs::copy(&made, &file).map_err(|err| format!("{}: {err}", made.display()))?;
    Ok(file)
}

/// Makes a command of rpmbuild whose files are in `work`.
pub fn rpmbuild(release: &Release, work: &Path) -> Command {
    let mut rpmbuild = release.command("rpmbuild");
    rpmbuild.arg("--quiet");
    let folders = [
        format!("_topdir {}", work.display()),
        format!("_dbpath {}", work.join("db").display()),
        format!("_rpmdir {}", work.display()),
    ];
    let folders = folders.iter().map(String::as_str);
    for setting in SETTINGS.iter().copied().chain(folders) {
        rpmbuild.args(["--define", setting]);
    }
    rpmbuild
}

/// Returns the licences of everything in the program, as Fedora requires for static linking: each
/// expression once, joined by AND.
pub fn licence(crates: &[Crate]) -> String {
    let all: BTreeSet<&str> = crates.iter().map(|each| each.licence.as_str()).collect();
    let bracketed = all.iter().map(|each| {
        if each.contains(" OR ") {
            format!("({each})")
        } else {
            (*each).to_owned()
        }
    });
    bracketed.collect::<Vec<_>>().join(" AND ")
}
