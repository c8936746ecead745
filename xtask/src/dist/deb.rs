//! `goroam_VERSION-1_amd64.deb` and `goroam-tray_VERSION-1_amd64.deb`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{self, Result};

use super::linux::Package;
use super::release::{self, Release};
use super::tree::{self, Tree};

/// Builds the package with dpkg-deb.
pub fn package(release: &Release, package: &Package<'_>) -> Result<PathBuf> {
    release::tools(&[("dpkg-deb", "dpkg"), ("dpkg-shlibdeps", "dpkg-dev")])?;
    let name = package.name;
    let work = release.work("deb")?;
    let mut tree = package.tree(release, "vendor-completions")?;
    documents(release, package, &mut tree)?;
    let control = control(release, name, &tree, &depends(release, &work, package)?)?;
    tree.file("DEBIAN/md5sums", md5sums(&work, &tree, release)?);
    tree.file("DEBIAN/control", control);
    // Only the agent is a service.
    if name == "goroam" {
        tree.program("DEBIAN/prerm", release.template("deb/prerm")?);
    }

    let root = work.join("root");
    std::fs::create_dir(&root).map_err(|err| format!("{}: {err}", root.display()))?;
    tree.write(&root, release.epoch)?;
    let file = format!("{name}_{}-1_amd64.deb", release.version);
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
    let changes = release
        .template("deb/changelog")?
        .replace("@NAME@", name)
        .replace("@DATE@", &release.date("%a, %d %b %Y %H:%M:%S +0000")?);
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
    let copyright = release
        .template("deb/copyright")?
        .replace("@NAME@", name)
        .replace("@MIT@", &indented(&content.mit));
    tree.file(format!("{doc}/copyright"), copyright);
    let overrides = release
        .template("deb/lintian-overrides")?
        .replace("@NAME@", name);
    tree.file(format!("usr/share/lintian/overrides/{name}"), overrides);
    Ok(())
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

fn control(release: &Release, name: &str, tree: &Tree, depends: &str) -> Result<String> {
    // Counts as dpkg-gencontrol does: each file is rounded up to a kibibyte, a directory counts as
    // one.
    let files: usize = tree
        .files
        .values()
        .map(|entry| entry.bytes.len().div_ceil(1024))
        .sum();
    let folders = tree.paths().len() - tree.files.len();
    Ok(release
        .template(&format!("deb/control.{name}"))?
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
    use super::indented;

    #[test]
    fn a_licence_becomes_a_field_of_a_control_file() {
        let licence = "MIT License\n\nCopyright\n\nPermission is hereby\n  granted\n\nTHE END\n";
        assert_eq!(
            indented(licence),
            " Permission is hereby\n granted\n .\n THE END"
        );
    }
}
