//! The Windows package: a zip, as Scoop and winget require it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::docs;
use crate::run::{self, Result};

use super::release::{self, Release};
use super::tree::Tree;
use super::{build, crates, linux, notices, pack, sbom};

const TARGET: &str = "x86_64-pc-windows-gnu";

/// Makes `goroam-VERSION-x86_64-windows.zip` and the list of its content. `native` is a goroam that
/// this machine can run; `exe` replaces both programs when only the packing is tested.
pub fn zip(release: &Release, native: Option<&Path>, exe: Option<&Path>) -> Result<Vec<PathBuf>> {
    let folder = match exe {
        Some(_) => PathBuf::new(),
        None if build::can_cross() => build::windows()?,
        None => return Err("no cross tools: run `cargo xtask cross setup`".to_owned()),
    };
    let crates = crates::linked(TARGET, "tray")?;
    let name = format!("goroam-{}-x86_64-windows", release.version);
    let list = release.out.join(format!("{name}.cdx.json"));
    release::write(&list, sbom::cyclonedx(release, TARGET, &crates)?.as_bytes())?;

    let mut tree = Tree::default();
    for program in ["goroam.exe", "goroam-tray.exe"] {
        let path = exe.map_or_else(|| folder.join(program), Path::to_owned);
        let bytes = std::fs::read(&path).map_err(|err| format!("{}: {err}", path.display()))?;
        tree.program(program, bytes);
    }
    let root = run::root();
    for (name, text) in linux::documents()? {
        tree.file(name, for_notepad(&text));
    }
    for (from, to) in [
        (docs::SCHEMA, "goroam.schema.json"),
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
    // The completions for PowerShell are the same on every system.
    let mut completions = match native {
        Some(native) => Command::new(native),
        None => {
            let mut cargo = run::cargo();
            cargo.args(["run", "--quiet", "--locked", "--package", "goroam"]);
            cargo.args(["--bin", "goroam", "--"]);
            cargo
        }
    };
    let completions = run::output(completions.args(["completions", "powershell"]))?;
    tree.file("goroam.ps1", for_notepad(&completions));
    Ok(vec![pack::zip(release, &name, &tree)?, list])
}

/// Converts a text to the line ends of Windows.
fn for_notepad(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}
