//! Source packages that a build service can build without a network: `goroam_VERSION-1.dsc` with its
//! files, and `goroam-VERSION-1.src.rpm`. Both have the crates in `goroam-VERSION-vendor.tar.xz`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{self, Result};

use super::crates::Crate;
use super::release::{self, Release};
use super::tree::Tree;
use super::{TARGETS, crates, deb, notices, pack, rpm};

/// Makes all of them; returns the files beside the source archive, which must exist.
pub fn packages(release: &Release) -> Result<Vec<PathBuf>> {
    release::tools(&[
        ("dpkg-source", "dpkg-dev"),
        ("rpmbuild", "rpm"),
        ("xz", "xz-utils"),
    ])?;
    let crates = crates::linked(TARGETS[0].triple, "")?;
    let notices = notices::third_party(&crates)?;
    let vendor = vendor(release)?;
    let mut files = debian(release, &notices)?;
    files.push(source_rpm(release, &vendor, &crates, &notices)?);
    files.push(vendor);
    Ok(files)
}

/// Packs the crates of Cargo.lock. Those that no Linux program needs (Windows and macOS, tests) have
/// only their manifest: cargo must know them, but builds none of them.
fn vendor(release: &Release) -> Result<PathBuf> {
    let work = release.work("vendor")?;
    let folder = work.join("vendor");
    let mut cargo = run::cargo();
    cargo.args(["vendor", "--locked", "--quiet", "--versioned-dirs"]);
    run::output(cargo.arg(&folder))?;
    let mut needed = BTreeSet::new();
    for target in &TARGETS {
        let mut tree = run::cargo();
        tree.args([
            "tree",
            "--locked",
            "--package",
            "goroam",
            "--prefix",
            "none",
        ]);
        tree.args(["--edges", "normal,build", "--target", target.triple]);
        tree.args(["--features", "tray", "--format", "{p}"]);
        for line in run::output(&mut tree)?.lines() {
            let mut words = line.split(' ');
            if let (Some(name), Some(version)) = (words.next(), words.next()) {
                needed.insert(format!("{name}-{}", version.trim_start_matches('v')));
            }
        }
    }
    let listed = fs::read_dir(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    for path in listed.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !needed.contains(&*name) {
            hollow(&path).map_err(|err| format!("{}: {err}", path.display()))?;
        }
    }
    let name = format!("goroam-{}-vendor", release.version);
    let file = release.out.join(format!("{name}.tar.xz"));
    let mut tar = release.command("tar");
    tar.current_dir(&work)
        .args(["--create", "--format=gnu", "--sort=name", "--numeric-owner"])
        .args(["--owner=0", "--group=0", "--mode=u=rwX,go=rX"])
        .arg(format!("--mtime=@{}", release.epoch))
        // One thread: with several, the blocks depend on the number of processors.
        .args(["--use-compress-program=xz -3 --threads=1", "--file"]);
    run::output(tar.arg(&file).arg("vendor"))?;
    Ok(file)
}

/// Removes everything from a crate but what cargo reads to know it.
fn hollow(folder: &Path) -> std::io::Result<()> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
    let checksum = fs::read_to_string(folder.join(".cargo-checksum.json"))?;
    // `{"files":{…},"package":"…"}`: without a file there is none to compare.
    let package = checksum
        .rsplit_once("\"package\":")
        .map_or("null}", |(_, rest)| rest);
    let checksum = format!("{{\"files\":{{}},\"package\":{package}");
    fs::remove_dir_all(folder)?;
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), &manifest)?;
    fs::write(folder.join(".cargo-checksum.json"), checksum)?;
    // A target that a manifest names must exist.
    let paths = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \""));
    for path in paths
        .filter_map(|rest| rest.strip_suffix('"'))
        .chain(["src/lib.rs"])
    {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap_or(folder))?;
        fs::write(file, "")?;
    }
    Ok(())
}

/// The files of Debian's source format 3.0 (quilt).
fn debian(release: &Release, notices: &str) -> Result<Vec<PathBuf>> {
    let version = &release.version;
    let work = release.work("debian")?;
    let copy = |from: String, to: String| {
        let copied = fs::copy(release.out.join(&from), work.join(to));
        copied.map(drop).map_err(|err| format!("{from}: {err}"))
    };
    let orig = format!("goroam_{version}.orig");
    copy(format!("goroam-{version}.tar.gz"), format!("{orig}.tar.gz"))?;
    copy(
        format!("goroam-{version}-vendor.tar.xz"),
        format!("{orig}-vendor.tar.xz"),
    )?;
    let root = work.join(format!("goroam-{version}"));
    pack::unpack(&work.join(format!("{orig}.tar.gz")), &work)?;
    pack::unpack(&work.join(format!("{orig}-vendor.tar.xz")), &root)?;
    let binary = release.template("deb/control.goroam")?;
    let (_, description) = binary
        .split_once("\nDescription:")
        .ok_or("no description")?;
    let control = release
        .template("deb/source/control")?
        .replace("@RUST@", env!("CARGO_PKG_RUST_VERSION"))
        .replace("@DESCRIPTION@", description.trim_end());
    let (changelog, copyright) = deb::papers(release, "goroam")?;
    let mut tree = Tree::default();
    tree.file("debian/control", control);
    tree.program("debian/rules", release.template("deb/source/rules")?);
    tree.file("debian/changelog", changelog);
    tree.file("debian/copyright", copyright);
    tree.file("debian/goroam.prerm", release.template("deb/prerm")?);
    tree.file("debian/source/format", "3.0 (quilt)\n");
    tree.file("debian/THIRD-PARTY.txt", notices);
    tree.write(&root, release.epoch)?;
    let mut dpkg = release.command("dpkg-source");
    run::output(
        dpkg.current_dir(&work)
            .args(["--threads-max=1", "-b"])
            .arg(&root),
    )?;
    let made = [
        format!("{orig}.tar.gz"),
        format!("{orig}-vendor.tar.xz"),
        format!("goroam_{version}-1.debian.tar.xz"),
        format!("goroam_{version}-1.dsc"),
    ];
    let moved = made.map(|name| {
        let to = release.out.join(&name);
        let copied = fs::copy(work.join(&name), &to);
        copied.map(|_| to).map_err(|err| format!("{name}: {err}"))
    });
    moved.into_iter().collect()
}

/// The package for rpmbuild.
fn source_rpm(
    release: &Release,
    vendor: &Path,
    crates: &[Crate],
    notices: &str,
) -> Result<PathBuf> {
    let binary = release.template("rpm/goroam.spec")?;
    let between = |start: &str, end: &str| {
        let rest = binary.split_once(start).map(|(_, rest)| rest);
        let part = rest
            .and_then(|rest| rest.split_once(end))
            .map(|(part, _)| part);
        part.ok_or_else(|| format!("packaging/rpm/goroam.spec: no {start} before {end}"))
    };
    let rest = binary.find("%preun").map(|start| &binary[start..]);
    let rest = rest.ok_or("packaging/rpm/goroam.spec: no %preun")?;
    let licences = "%license LICENSE-MIT LICENSE-APACHE THIRD-PARTY.txt\n";
    let rest = rest
        .replace("%license %{_datadir}/licenses/goroam\n", licences)
        // A system's own rpmbuild compresses the pages in its way.
        .replace(".gz\n", "*\n");
    let description = between("%description", "%install")?;
    let spec = release
        .template("rpm/goroam-source.spec")?
        .replace("@DESCRIPTION@", description.trim_end())
        .replace("@REST@", &rest)
        .replace("@RUST@", env!("CARGO_PKG_RUST_VERSION"))
        .replace("@LICENCE@", &rpm::licence(crates))
        .replace("@DATE@", &release.date("%a %b %d %Y")?);
    let source = release
        .out
        .join(format!("goroam-{}.tar.gz", release.version));
    // rpmbuild's own scripts do not quote: none of their directories may have a space in its name.
    let work = std::env::temp_dir().join(format!("goroam-srpm-{}", std::process::id()));
    fs::create_dir(&work).map_err(|err| format!("{}: {err}", work.display()))?;
    let made = (|| {
        for file in [source.as_path(), vendor] {
            let to = work.join(file.file_name().unwrap_or_default());
            fs::copy(file, to).map_err(|err| format!("{}: {err}", file.display()))?;
        }
        release::write(&work.join("THIRD-PARTY.txt"), notices.as_bytes())?;
        release::write(&work.join("goroam.spec"), spec.as_bytes())?;
        let mut rpmbuild = rpm::rpmbuild(release, &work);
        rpmbuild.args(["-bs", "--define"]);
        rpmbuild.arg(format!("_sourcedir {}", work.display()));
        rpmbuild.args(["--define", &format!("_srcrpmdir {}", work.display())]);
        run::output(rpmbuild.arg(work.join("goroam.spec")))?;
        let name = format!("goroam-{}-1.src.rpm", release.version);
        let file = release.out.join(&name);
        let copied = fs::copy(work.join(&name), &file);
        copied.map(|_| file).map_err(|err| format!("{name}: {err}"))
    })();
    let _ = fs::remove_dir_all(&work);
    made
}

#[cfg(test)]
mod tests {
    use super::hollow;

    #[test]
    fn a_hollow_crate_keeps_its_manifest_its_hash_and_its_targets() {
        let temp = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(temp.path().join(name), text).unwrap();
        write(
            "Cargo.toml",
            "[package]\nname = \"a\"\n\n[lib]\npath = \"lib/a.rs\"\n",
        );
        write("big.a", "binary");
        write(
            ".cargo-checksum.json",
            r#"{"files":{"big.a":"00","Cargo.toml":"11"},"package":"22"}"#,
        );
        hollow(temp.path()).unwrap();
        assert!(!temp.path().join("big.a").exists());
        assert!(temp.path().join("lib/a.rs").exists());
        let sums = std::fs::read_to_string(temp.path().join(".cargo-checksum.json")).unwrap();
        assert_eq!(sums, r#"{"files":{},"package":"22"}"#);
    }
}
