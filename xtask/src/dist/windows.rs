//! What is installed on Windows: a zip, as Scoop and winget want it.

use std::path::PathBuf;

use crate::run::{self, Result};

use super::release::{self, Release};
use super::tree::Tree;
use super::{build, crates, notices, pack, sbom};

const TARGET: &str = "x86_64-pc-windows-gnu";

/// `goroam-VERSION-x86_64-windows.zip` and the list of what is in it.
pub fn zip(release: &Release) -> Result<Vec<PathBuf>> {
    if !build::can_windows() {
        return Err("no cross tools: run `cargo xtask cross setup`".to_owned());
    }
    let folder = build::windows(release)?;
    let crates = crates::linked(TARGET, "tray")?;
    let name = format!("goroam-{}-x86_64-windows", release.version);
    let list = release.out.join(format!("{name}.cdx.json"));
    release::write(&list, sbom::cyclonedx(release, TARGET, &crates)?.as_bytes())?;

    let mut tree = Tree::default();
    for program in ["goroam.exe", "goroam-tray.exe"] {
        let path = folder.join(program);
        let bytes = std::fs::read(&path).map_err(|err| format!("{}: {err}", path.display()))?;
        tree.program(program, bytes);
    }
    let root = run::root();
    for (from, to) in [
        ("README.md", "README.md"),
        ("CHANGELOG.md", "CHANGELOG.md"),
        ("LICENSE-MIT", "LICENSE-MIT.txt"),
        ("LICENSE-APACHE", "LICENSE-APACHE.txt"),
    ] {
        tree.file(to, for_notepad(&release::read(&root.join(from))?));
    }
    tree.file(
        "THIRD-PARTY.txt",
        for_notepad(&notices::third_party(&crates)?),
    );
    // What PowerShell completes is the same on every system, so this machine's goroam may say it.
    let mut completions = run::cargo();
    completions.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "goroam",
        "--bin",
        "goroam",
    ]);
    completions.args(["--", "completions", "powershell"]);
    tree.file("goroam.ps1", run::output(&mut completions)?);
    Ok(vec![pack::zip(release, &name, &tree)?, list])
}

/// Text with the line ends of Windows.
fn for_notepad(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}
