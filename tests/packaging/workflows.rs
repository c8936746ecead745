//! The repository's own workflows and forms.

use std::path::Path;
use std::process::Command;

use crate::support::dist::{root, said};
use crate::support::skip;

/// `cargo xtask workflows` for the files of this directory.
fn read(folder: &Path) -> Command {
    let mut xtask = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    xtask.current_dir(root());
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "workflows"]);
    xtask.arg("--dir").arg(folder);
    xtask
}

#[test]
fn the_workflows_pin_what_they_run_and_have_no_more_rights_than_they_need() {
    if !cfg!(target_arch = "x86_64") {
        skip!("there is no zizmor to download for this machine");
    }
    said(&mut read(&root().join(".github")));
    // It finds a workflow that names an action by a tag, which its owner may move.
    let temp = tempfile::tempdir().unwrap();
    let flows = temp.path().join(".github/workflows");
    std::fs::create_dir_all(&flows).unwrap();
    let ci = std::fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap();
    let hash = "3d3c42e5aac5ba805825da76410c181273ba90b1";
    assert!(ci.contains(hash));
    std::fs::write(flows.join("ci.yml"), ci.replace(hash, "v7")).unwrap();
    let done = read(temp.path()).output().unwrap();
    let stdout = String::from_utf8_lossy(&done.stdout);
    assert!(
        !done.status.success() && stdout.contains("unpinned-uses"),
        "{stdout}"
    );
}

#[test]
fn a_release_signs_with_the_script_that_the_tests_run() {
    let flow = std::fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    for line in [
        "cargo xtask dist --all",
        "packaging/sign dist ",
        "subject-checksums: dist/SHA256SUMS",
    ] {
        assert_eq!(flow.matches(line).count(), 1, "{line}");
    }
    // The job that runs the code of crates has no secret and no right to write.
    let build = flow.split("\n  publish:").next().unwrap();
    assert!(build.contains("contents: read") && !build.contains(": write"));
    assert!(!build.contains("secrets."));
}
