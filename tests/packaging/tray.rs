//! `goroam-tray` as a package of its own, around the program as the tests have it.

use std::process::Command;

use crate::support::dist::{dist, has, only, said, xtask};
use crate::support::skip;

#[test]
fn the_tray_comes_apart_from_the_agent_and_needs_it() {
    let program = match dist() {
        Ok(folder) => folder.join("goroam"),
        Err(why) => skip!("{why}"),
    };
    let temp = tempfile::tempdir().unwrap();
    // Without what only a debugger reads it is packed in seconds.
    let tray = temp.path().join("goroam-tray");
    let mut strip = Command::new("strip");
    said(
        strip
            .arg("-o")
            .arg(&tray)
            .arg(env!("CARGO_BIN_EXE_goroam-tray")),
    );
    let out = temp.path().join("dist");
    let mut pack = xtask(&["--deb", "--rpm", "--tray"], &out);
    said(pack.arg("--bin").arg(program).arg("--tray-bin").arg(tray));

    let deb = only(&out, "goroam-tray_", "_amd64.deb");
    let depends = said(
        Command::new("dpkg-deb")
            .arg("--field")
            .arg(&deb)
            .arg("Depends"),
    );
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        depends.starts_with(&format!("goroam (>= {version}), libc6 (>= 2.")),
        "{depends}"
    );
    let root = temp.path().join("root");
    said(
        Command::new("dpkg-deb")
            .arg("--raw-extract")
            .args([&deb, &root]),
    );
    let version = said(Command::new(root.join("usr/bin/goroam-tray")).arg("--version"));
    assert!(version.starts_with("goroam-tray "), "{version}");
    let entry = root.join("usr/share/applications/goroam-tray.desktop");
    let entry = std::fs::read_to_string(entry).unwrap();
    assert!(
        entry.lines().any(|line| line == "Exec=goroam-tray"),
        "{entry}"
    );
    // Two packages must not bring the same file.
    let files = |deb: &std::path::Path| -> Vec<String> {
        let listed = said(Command::new("dpkg-deb").arg("--contents").arg(deb));
        let files = listed.lines().filter(|line| !line.starts_with('d'));
        files
            .map(|line| line.rsplit(' ').next().unwrap().to_owned())
            .collect()
    };
    let others = files(&only(&out, "goroam_", "_amd64.deb"));
    assert!(files(&deb).iter().all(|file| !others.contains(file)));

    let rpm = only(&out, "goroam-tray-", ".x86_64.rpm");
    let requires = said(Command::new("rpm").args(["-qp", "--requires"]).arg(rpm));
    assert!(requires.contains("goroam >= "), "{requires}");
    if has("lintian") {
        let mut lintian = Command::new("lintian");
        // The program of the tests is not the one of a release: other flags, other sections.
        lintian.args(["--suppress-tags", "hardening-no-pie,hardening-no-bindnow"]);
        said(
            lintian
                .args(["--fail-on", "error,warning", "--allow-root"])
                .arg(deb),
        );
    }
}
