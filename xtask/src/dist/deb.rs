//! `goroam_VERSION-1_amd64.deb`, `goroam_VERSION-1_arm64.deb` and `goroam-tray_VERSION-1_amd64.deb`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{self, Result};

use super::linux::Package;
use super::release::{self, Release};
use super::tree::{self, Tree};

/// Builds the package with dpkg-deb, for Debian's architecture `arch`.
pub fn package(release: &Release, package: &Package<'_>, arch: &str) -> Result<PathBuf> {
    release::tools(&[("dpkg-deb", "dpkg"), ("dpkg-shlibdeps", "dpkg-dev")])?;
    let name = package.name;
    let work = release.work("deb")?;
    let mut tree = package.tree(release, "vendor-completions")?;
    documents(release, package, &mut tree)?;
    let depends = match arch {
        "amd64" => depends(release, &work, package)?,
        _ => of_symbols(&work, package)?,
    };
    let control = control(release, package, arch, &tree, &depends)?;
    tree.file("DEBIAN/md5sums", md5sums(&work, &tree, release)?);
    tree.file("DEBIAN/control", control);
    // Only the agent is a service.
    if name == "goroam" {
        tree.program("DEBIAN/prerm", release.template("deb/prerm")?);
    }

    let root = work.join("root");
    std::fs::create_dir(&root).map_err(|err| format!("{}: {err}", root.display()))?;
    tree.write(&root, release.epoch)?;
    let file = format!("{name}_{}-1_{arch}.deb", release.version);
    let file = release.out.join(file);
    let mut dpkg = release.command("dpkg-deb");
    // With several threads, the compressed data is cut into blocks, whose number depends on the
    // number of processors.
    dpkg.env("DPKG_DEB_THREADS_MAX", "1")
        .args(["--root-owner-group", "-Zxz", "-z9", "--build"])
        .args([&root, &file]);
    run::output(&mut dpkg)?;
    Ok(file)
}

/// Adds the files that Debian's policy requires in `/usr/share/doc` (chapter 12).
fn documents(release: &Release, package: &Package<'_>, tree: &mut Tree) -> Result {
    let (name, content) = (package.name, package.content);
    let doc = format!("usr/share/doc/{name}");
    let (changes, copyright) = papers(release, name)?;
    tree.file(
        format!("{doc}/changelog.Debian.gz"),
        tree::gzip(changes.as_bytes())?,
    );
    tree.file(
        format!("{doc}/changelog.gz"),
        tree::gzip(content.changelog.as_bytes())?,
    );
    // The pages are about the agent; the tray depends on its package.
    let pages = content.docs.iter().filter(|_| name == "goroam");
    for (page, text) in pages {
        if page.ends_with(".svg") {
            tree.file(format!("{doc}/{page}"), text.as_bytes());
        } else {
            tree.file(format!("{doc}/{page}.gz"), tree::gzip(text.as_bytes())?);
        }
    }
    tree.file(
        format!("{doc}/THIRD-PARTY.txt.gz"),
        tree::gzip(package.notices.as_bytes())?,
    );
    tree.file(format!("{doc}/copyright"), copyright);
    let overrides = release
        .template("deb/lintian-overrides")?
        .replace("@NAME@", name);
    tree.file(format!("usr/share/lintian/overrides/{name}"), overrides);
    Ok(())
}

/// Returns Debian's changelog and the copyright file of this package.
pub fn papers(release: &Release, name: &str) -> Result<(String, String)> {
    let mit = release::read(&run::root().join("LICENSE-MIT"))?;
    let changes = release
        .template("deb/changelog")?
        .replace("@NAME@", name)
        .replace("@DATE@", &release.date("%a, %d %b %Y %H:%M:%S +0000")?);
    let copyright = release
        .template("deb/copyright")?
        .replace("@NAME@", name)
        .replace("@MIT@", &indented(&mit));
    Ok((changes, copyright))
}

/// Formats the text of the licence as a field of a control file: a dot replaces an empty line.
/// There the title and the holder have lines of their own.
fn indented(licence: &str) -> String {
    let terms = licence
        .split_once("Permission is")
        .map_or(licence, |(before, _)| &licence[before.len()..]);
    let lines = terms.trim_end().lines().map(|line| match line.trim() {
        "" => " .".to_owned(),
        text => format!(" {text}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn control(
    release: &Release,
    package: &Package<'_>,
    arch: &str,
    tree: &Tree,
    depends: &str,
) -> Result<String> {
    // Counts as dpkg-gencontrol does: each file is rounded up to a kibibyte, a directory counts as
    // one.
    let files: usize = tree
        .files
        .values()
        .map(|entry| entry.bytes.len().div_ceil(1024))
        .sum();
    let folders = tree.paths().len() - tree.files.len();
    Ok(release
        .template(&format!("deb/control.{}", package.name))?
        .replace("@ARCH@", arch)
        .replace("@DEPENDS@", depends)
        .replace("@SIZE@", &(files + folders).to_string()))
}

/// Returns the libraries that the program's symbols require, each with the version that provides
/// them.
fn depends(release: &Release, work: &Path, package: &Package<'_>) -> Result<String> {
    let mut probe = Tree::default();
    probe.program("program", package.program);
    probe.file(
        "debian/control",
        "Source: goroam\n\nPackage: goroam\nArchitecture: any\n",
    );
    let folder = work.join("depends");
    std::fs::create_dir(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    probe.write(&folder, release.epoch)?;
    let mut shlibdeps = Command::new("dpkg-shlibdeps");
    shlibdeps.current_dir(&folder).args(["-O", "-eprogram"]);
    let said = run::output(&mut shlibdeps)?;
    let depends = said
        .lines()
        .find_map(|line| line.strip_prefix("shlibs:Depends="));
    depends
        .map(ToOwned::to_owned)
        .ok_or_else(|| format!("dpkg-shlibdeps names no library: {said}"))
}

/// Returns the same for a program of another architecture, whose libraries are not on this machine.
/// Such a program is linked with the C library alone: anything else is an error.
fn of_symbols(work: &Path, package: &Package<'_>) -> Result<String> {
    let file = work.join("program");
    release::write(&file, package.program)?;
    let mut readelf = Command::new("readelf");
    readelf
        .env("LC_ALL", "C")
        .args(["--wide", "--dynamic", "--version-info"]);
    libc_of(&run::output(readelf.arg(&file))?)
}

fn libc_of(told: &str) -> Result<String> {
    // All of them are in the package libc6.
    const LIBC: [&str; 6] = [
        "libc.",
        "libm.",
        "libpthread.",
        "libdl.",
        "librt.",
        "ld-linux-",
    ];
    let needed = told.lines().filter(|line| line.contains("(NEEDED)"));
    let mut names = needed.filter_map(|line| line.split(['[', ']']).nth(1));
    if let Some(other) = names.find(|name| !LIBC.iter().any(|start| name.starts_with(start))) {
        return Err(format!(
            "the program needs {other}, which is not a part of libc6"
        ));
    }
    let versions = told.split("Name: GLIBC_2.").skip(1);
    let minors = versions.filter_map(|rest| rest.split([' ', '.']).next()?.parse::<u32>().ok());
    let newest = minors
        .max()
        .ok_or("the program names no version of glibc")?;
    Ok(format!("libc6 (>= 2.{newest})"))
}

fn md5sums(work: &Path, tree: &Tree, release: &Release) -> Result<String> {
    let folder = work.join("sums");
    std::fs::create_dir(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    tree.write(&folder, release.epoch)?;
    run::output(
        Command::new("md5sum")
            .current_dir(&folder)
            .args(tree.files.keys()),
    )
}

#[cfg(test)]
mod tests {
    use super::{indented, libc_of};

    #[test]
    fn a_foreign_program_needs_the_newest_glibc_that_its_symbols_name() {
        let told = " 0x1 (NEEDED)  Shared library: [libm.so.6]\n \
                    0x1 (NEEDED)  Shared library: [libc.so.6]\n  \
                    0x0020:   Name: GLIBC_2.17  Flags: none\n  \
                    0x0030:   Name: GLIBC_2.34  Flags: none\n";
        assert_eq!(libc_of(told).unwrap(), "libc6 (>= 2.34)");
        let other = told.replace("libm.so.6", "libssl.so.3");
        assert!(libc_of(&other).unwrap_err().contains("libssl.so.3"));
        assert!(libc_of("").is_err());
    }

    #[test]
    fn a_licence_becomes_a_field_of_a_control_file() {
        let licence = "MIT License\n\nCopyright\n\nPermission is hereby\n  granted\n\nTHE END\n";
        assert_eq!(
            indented(licence),
            " Permission is hereby\n granted\n .\n THE END"
        );
    }
}
