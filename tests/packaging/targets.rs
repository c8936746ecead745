//! The programs for other processors and another C library, run: aarch64 under qemu, the static one
//! in an Alpine Linux. They are built as those of a release are, but not optimised.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::dist::{dist, has, only, root, said, xtask};
use crate::support::skip;

/// The directory with the files for other targets. `cargo xtask test` makes them.
fn quick() -> Result<PathBuf, String> {
    let folder = dist()?.join("quick");
    if !folder.join("SHA256SUMS").exists() {
        let args = ["--deb", "--rpm", "--tar", "--targets", "arm,musl"];
        let mut make = xtask(&args, &folder);
        make.args(["--profile", "quick", "--bin"]);
        said(make.arg(dist()?.join("goroam")));
    }
    Ok(folder)
}

fn lab(script: &str) -> PathBuf {
    let path = said(&mut Command::new(root().join("tests/lab").join(script)));
    PathBuf::from(path.trim())
}

/// Unpacks the program of this archive.
fn program(archive: &Path, to: &Path) -> PathBuf {
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(to);
    said(tar.arg("--strip-components=1"));
    to.join("bin/goroam")
}

/// A policy whose profile holds if a connection to this port of `localhost` can be made: for it the
/// program looks a name up, as this C library does, and calls go.
const PROXY: &str = "https://proxy.example.test";
fn policy(port: u16) -> String {
    format!(
        "version = 1\n\n[target.local]\ntcp = \"localhost:{port}\"\n\n[[profile]]\nname = \"local\"\n\
         when = {{ up = \"local\" }}\nenv = {{ GOPROXY = \"{PROXY}\" }}\n\n\
         [[profile]]\nname = \"other\"\nenv = {{ GOPROXY = \"off\" }}\n"
    )
}

/// What `readelf` says of the header and the needed libraries.
fn elf(program: &Path) -> String {
    let mut readelf = Command::new("readelf");
    said(
        readelf
            .args(["--wide", "--file-header", "--dynamic"])
            .arg(program),
    )
}

#[test]
fn the_program_for_aarch64_does_a_turn_under_qemu() {
    let folder = match quick() {
        Ok(folder) if has("qemu-aarch64-static") => folder,
        Ok(_) => skip!("there is no qemu-aarch64-static on this machine"),
        Err(why) => skip!("{why}"),
    };
    let temp = tempfile::tempdir().unwrap();
    let archive = only(&folder, "goroam-", "-aarch64-linux.tar.gz");
    let program = program(&archive, temp.path());
    assert!(elf(&program).contains("AArch64"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = temp.path().join("goroam.toml");
    std::fs::write(&file, policy(listener.local_addr().unwrap().port())).unwrap();
    let goroam = |args: &[&str]| {
        let mut qemu = Command::new("qemu-aarch64-static");
        qemu.args(["-L", "/usr/aarch64-linux-gnu"]).arg(&program);
        let bin = lab("go").parent().unwrap().display().to_string();
        qemu.args(args).env_clear().env("HOME", temp.path());
        said(qemu.env("PATH", format!("{bin}:/usr/bin:/bin")))
    };
    let version = goroam(&["--version"]);
    assert_eq!(version, format!("goroam {}\n", env!("CARGO_PKG_VERSION")));
    goroam(&["once", "--config", file.to_str().unwrap()]);
    let env = std::fs::read_to_string(temp.path().join(".config/go/env")).unwrap();
    assert_eq!(env, format!("GOPROXY={PROXY}\n"));
}

#[test]
fn the_packages_for_aarch64_say_so_and_ask_for_no_newer_glibc_than_the_others() {
    let folder = match quick() {
        Ok(folder) => folder,
        Err(why) => skip!("{why}"),
    };
    let deb = only(&folder, "goroam_", "_arm64.deb");
    let field = |name: &str| {
        let said = said(Command::new("dpkg-deb").arg("--field").arg(&deb).arg(name));
        said.trim().to_owned()
    };
    assert_eq!(field("Architecture"), "arm64");
    let depends = field("Depends");
    let version = depends.strip_prefix("libc6 (>= 2.").unwrap();
    let minor: u32 = version.strip_suffix(')').unwrap().parse().unwrap();
    assert!(minor <= 34, "{depends}");
    if has("rpm") {
        let rpm = only(&folder, "goroam-", ".aarch64.rpm");
        let mut ask = Command::new("rpm");
        ask.args(["-qp", "--requires", "--queryformat", "%{ARCH}\n"]);
        let told = said(ask.arg(rpm));
        assert!(
            told.contains("aarch64\n") && told.contains("libc.so.6(GLIBC_2."),
            "{told}"
        );
    }
}

#[test]
fn the_static_program_does_a_turn_in_an_alpine_linux() {
    let folder = match quick() {
        Ok(folder) => folder,
        Err(why) => skip!("{why}"),
    };
    let temp = tempfile::tempdir().unwrap();
    let system = temp.path().join("alpine");
    said(Command::new("cp").arg("-a").arg(lab("alpine")).arg(&system));
    let archive = only(&folder, "goroam-", "-x86_64-linux-musl.tar.gz");
    let program = program(&archive, &system.join("usr/local"));
    assert!(!elf(&program).contains("NEEDED"), "{}", elf(&program));
    // Of go only what sets values; it is a static program, too.
    let (bin, go) = (lab("go"), system.join("opt/go"));
    let goroot = bin.parent().unwrap().parent().unwrap();
    for name in ["VERSION", "go.env", "bin/go"] {
        std::fs::create_dir_all(go.join(name).parent().unwrap()).unwrap();
        std::fs::copy(goroot.join(name), go.join(name)).unwrap();
    }
    std::fs::create_dir_all(go.join("pkg/tool/linux_amd64")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let policy = policy(listener.local_addr().unwrap().port());
    std::fs::write(system.join("etc/goroam.toml"), policy).unwrap();
    std::fs::write(system.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    let script = "set -e; . /etc/os-release; echo \"$ID\"; mount -t proc proc /proc
                  test -e /dev/null || mknod -m 666 /dev/null c 1 3
                  goroam --version; goroam once --config /etc/goroam.toml; go env GOPROXY";
    // The mount ends with the last process.
    let mut chroot = Command::new("unshare");
    chroot.args(["--mount", "chroot"]).arg(&system);
    chroot.args(["/bin/sh", "-c", script]).env_clear();
    chroot.env("HOME", "/root").env(
        "PATH",
        "/usr/local/bin:/opt/go/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    );
    let told = said(&mut chroot);
    assert!(
        told.starts_with(&format!("alpine\ngoroam {}\n", env!("CARGO_PKG_VERSION"))),
        "{told}"
    );
    assert!(told.ends_with(&format!("\n{PROXY}\n")), "{told}");
}
