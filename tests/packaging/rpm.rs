//! The RPM package, as rpm itself sees it.

use std::path::PathBuf;
use std::process::Command;

use crate::support::dist::{dist, has, only, said};
use crate::support::skip;

fn rpm() -> Result<PathBuf, String> {
    match dist() {
        Ok(folder) if has("rpm") => Ok(only(&folder, "goroam-", ".x86_64.rpm")),
        Ok(_) => Err("there is no rpm on this machine".to_owned()),
        Err(why) => Err(why),
    }
}

fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn it_goes_into_an_empty_system_and_out_of_it_again() {
    let package = match rpm() {
        Ok(package) if is_root() => package,
        Ok(_) => skip!("rpm --root needs root"),
        Err(why) => skip!("{why}"),
    };
    let root = tempfile::tempdir().unwrap();
    let rpm = |args: &[&str]| {
        let mut rpm = Command::new("rpm");
        // --noscripts: there is no shell in an empty system. --nodeps: and no libc.
        said(rpm.arg("--root").arg(root.path()).args(args))
    };
    let file = package.to_str().unwrap();
    rpm(&["--install", "--nodeps", "--noscripts", file]);
    rpm(&["--verify", "--nodeps", "--noscripts", "goroam"]);
    let listed = rpm(&["--query", "--list", "goroam"]);
    let paths: Vec<PathBuf> = listed
        .lines()
        .map(|path| root.path().join(&path[1..]))
        .collect();
    assert!(paths.iter().all(|path| path.exists()), "{listed}");
    let program = root.path().join("usr/bin/goroam");
    let version = said(Command::new(&program).arg("--version"));
    assert_eq!(
        version.trim(),
        format!("goroam {}", env!("CARGO_PKG_VERSION"))
    );
    let unit = root.path().join("usr/lib/systemd/user/goroam.service");
    assert!(
        std::fs::read_to_string(unit)
            .unwrap()
            .contains("\nExecStart=/usr/bin/goroam agent")
    );

    rpm(&["--erase", "--nodeps", "--noscripts", "goroam"]);
    let left: Vec<_> = paths.iter().filter(|path| path.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn its_digests_hold_and_it_knows_what_it_needs_and_is_made_of() {
    let package = match rpm() {
        Ok(package) => package,
        Err(why) => skip!("{why}"),
    };
    let check = said(
        Command::new("rpm")
            .args(["--checksig", "--nosignature"])
            .arg(&package),
    );
    assert!(check.contains("digests OK"), "{check}");
    let ask = |query: &[&str]| {
        said(
            Command::new("rpm")
                .args(["-q", "-p"])
                .args(query)
                .arg(&package),
        )
    };
    let listed = ask(&["--list"]);
    for path in [
        "/usr/share/man/man1/goroam.1.gz",
        "/usr/share/zsh/site-functions/_goroam",
    ] {
        assert!(
            listed.lines().any(|line| line == path),
            "{path} in {listed}"
        );
    }
    assert!(ask(&["--requires"]).contains("libc.so.6(GLIBC_2.34)(64bit)"));
    let scripts = ask(&["--scripts"]);
    assert!(
        scripts.contains("remove-user-units goroam.service"),
        "{scripts}"
    );
    assert!(!scripts.contains("postinstall"), "{scripts}");
    assert!(ask(&["--queryformat", "%{LICENSE}"]).contains("ISC"));
    assert_eq!(ask(&["--queryformat", "%{BUILDHOST}"]), "localhost");
}
