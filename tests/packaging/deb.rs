//! The Debian package, as Debian's own tools see it.

use std::path::PathBuf;
use std::process::Command;

use crate::support::dist::{dist, has, only, said};
use crate::support::skip;

fn deb() -> Result<PathBuf, String> {
    Ok(only(&dist()?, "goroam_", "_amd64.deb"))
}

#[test]
fn lintian_has_nothing_to_say() {
    let deb = match deb() {
        Ok(deb) if has("lintian") => deb,
        Ok(_) => skip!("there is no lintian on this machine"),
        Err(why) => skip!("{why}"),
    };
    let mut lintian = Command::new("lintian");
    // It asks not to be run as root; here it unpacks a file that was made a moment ago.
    lintian
        .args(["--fail-on", "error,warning", "--allow-root"])
        .arg(deb);
    let told = said(&mut lintian);
    let tags: Vec<&str> = told
        .lines()
        .filter(|line| !line.starts_with("N:"))
        .collect();
    assert!(tags.is_empty(), "{tags:#?}");
}

#[test]
fn it_holds_what_a_user_looks_for_and_starts_nothing() {
    let deb = match deb() {
        Ok(deb) => deb,
        Err(why) => skip!("{why}"),
    };
    let root = tempfile::tempdir().unwrap();
    said(
        Command::new("dpkg-deb")
            .arg("--raw-extract")
            .arg(&deb)
            .arg(root.path()),
    );
    for path in [
        "usr/bin/goroam",
        "usr/share/man/man1/goroam.1.gz",
        "usr/share/man/man1/goroam-service.1.gz",
        "usr/share/man/man1/goroam-mirror-add.1.gz",
        "usr/share/man/man5/goroam.toml.5.gz",
        "usr/share/doc/goroam/goroam.schema.json",
        "usr/share/doc/goroam/docs/troubleshooting.md.gz",
        "usr/share/doc/goroam/docs/zh-CN/troubleshooting.md.gz",
        "usr/share/bash-completion/completions/goroam",
        "usr/share/zsh/vendor-completions/_goroam",
        "usr/share/fish/vendor_completions.d/goroam.fish",
        "usr/share/doc/goroam/copyright",
        "usr/share/doc/goroam/changelog.gz",
        "usr/share/doc/goroam/changelog.Debian.gz",
        "usr/share/doc/goroam/THIRD-PARTY.txt.gz",
    ] {
        assert!(root.path().join(path).is_file(), "{path}");
    }
    let unit = root.path().join("usr/lib/systemd/user/goroam.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    assert!(unit.contains("\nExecStart=/usr/bin/goroam agent"), "{unit}");
    assert!(!unit.contains(".cargo"), "{unit}");

    // What `init` names to editors is there.
    let program = root.path().join("usr/bin/goroam");
    let policy = said(Command::new(program).args(["init", "--stdout"]));
    let schema = policy.strip_prefix("#:schema file://").unwrap();
    let schema = schema.split('\n').next().unwrap();
    assert_eq!(
        std::fs::read_to_string(schema).unwrap(),
        std::fs::read_to_string("docs/goroam.schema.json").unwrap()
    );

    // No script that runs on installing; the one on removing knows only the users' managers.
    let mut scripts: Vec<String> = std::fs::read_dir(root.path().join("DEBIAN"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    scripts.sort();
    assert_eq!(scripts, ["control", "md5sums", "prerm"]);
    let mut md5sum = Command::new("md5sum");
    said(md5sum.current_dir(root.path()).args([
        "--check",
        "--strict",
        "--quiet",
        "DEBIAN/md5sums",
    ]));
    said(
        Command::new("sh")
            .arg("-n")
            .arg(root.path().join("DEBIAN/prerm")),
    );
}

#[test]
fn it_asks_for_the_libraries_that_the_program_was_linked_with_and_no_newer_ones() {
    let deb = match deb() {
        Ok(deb) => deb,
        Err(why) => skip!("{why}"),
    };
    let field = |name: &str| {
        let said = said(Command::new("dpkg-deb").arg("--field").arg(&deb).arg(name));
        said.trim().to_owned()
    };
    let depends = field("Depends");
    // docs/install.md says glibc 2.34: Debian 12 has 2.36, Ubuntu 22.04 has 2.35.
    let version = depends.split_once("libc6 (>= 2.").unwrap().1;
    let minor: u32 = version.split_once(')').unwrap().0.parse().unwrap();
    assert!(minor <= 34, "{depends}");
    assert!(depends.contains("libgcc-s1"), "{depends}");
    assert_eq!(field("Version"), format!("{}-1", env!("CARGO_PKG_VERSION")));
}
