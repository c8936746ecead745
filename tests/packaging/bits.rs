//! The same commit makes the same bits.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use crate::support::dist::{dist, said, xtask};
use crate::support::skip;

/// What is in the file with the hashes.
fn sums(folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let lines = text.lines().map(|line| line.split_once("  ").unwrap());
    lines
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect()
}

#[test]
fn neither_folder_nor_clock_nor_umask_nor_language_shows_in_a_package() {
    let folder = match dist() {
        Ok(folder) => folder,
        Err(why) => skip!("{why}"),
    };
    let program = folder.join("goroam");
    let temp = tempfile::tempdir().unwrap();
    let pack = |name: &str, umask: libc::mode_t, zone: &str, language: &str| {
        let out = temp.path().join(name);
        let mut xtask = xtask(&["--deb", "--rpm", "--tar", "--source"], &out);
        xtask.arg("--bin").arg(&program);
        xtask
            .env("TZ", zone)
            .env("LANG", language)
            .env("LC_ALL", language);
        // SAFETY: umask is async-signal-safe and cannot fail.
        unsafe {
            xtask.pre_exec(move || {
                libc::umask(umask);
                Ok(())
            });
        }
        said(&mut xtask);
        sums(&out)
    };
    let one = pack("one", 0o022, "UTC", "C.UTF-8");
    let other = pack("another folder", 0o077, "Asia/Kathmandu", "C");
    assert_eq!(one.len(), 5, "{one:?}");
    assert_eq!(one, other);
    // And the same as those that the program was built for.
    assert_eq!(
        one,
        sums(&folder)
            .into_iter()
            .filter(|(name, _)| one.contains_key(name))
            .collect()
    );
}

#[test]
fn the_hashes_are_those_of_the_files() {
    let folder = match dist() {
        Ok(folder) => folder,
        Err(why) => skip!("{why}"),
    };
    let mut check = std::process::Command::new("sha256sum");
    said(
        check
            .current_dir(&folder)
            .args(["--check", "--strict", "SHA256SUMS"]),
    );
}
