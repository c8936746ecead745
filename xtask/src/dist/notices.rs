//! The notices that the licences of the linked crates require to be passed on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run::{self, Result};

use super::crates::Crate;
use super::release;

/// The beginnings of the names of files that contain a licence or a notice.
const NAMES: [&str; 6] = [
    "license",
    "licence",
    "copying",
    "copyright",
    "notice",
    "unlicense",
];

/// Makes one text: which crates are in the program and under which licence, then every licence text
/// once, with the crates that carry it.
pub fn third_party(crates: &[Crate]) -> Result<String> {
    let others = || crates.iter().filter(|each| each.sha256.is_some());
    let mut text = "What is linked into goroam besides its own code\n\n\
        goroam itself is under MIT or Apache-2.0, at your choice. The program also holds the\n\
        Rust standard library and the crates below. Their sources are unchanged; each is to be\n\
        had at its repository, and by name and version from Rust's package registry.\n\n"
        .to_owned();
    for each in others() {
        text += &format!("{} {}\n    {}\n", each.name, each.version, each.licence);
        if !each.repository.is_empty() {
            text += &format!("    {}\n", each.repository);
        }
    }
    // Copies of one text differ only in line ends and indentation.
    let mut texts: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    let mut add = |who: String, found: String| {
        let key = found.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, carriers) = texts.entry(key).or_insert((found, Vec::new()));
        carriers.push(who);
    };
    for (name, found) in standard_library()? {
        add(name, found);
    }
    for each in others() {
        let found = files(&each.folder)?;
        if found.is_empty() {
            // Then the licence's standard text is used; its terms are the same.
            add(each.id(), spdx(each)?);
        }
        for text in found {
            add(each.id(), text);
        }
    }
    let mut texts: Vec<_> = texts.into_values().collect();
    texts.sort_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    for (found, carriers) in texts {
        text += &format!("\n{}\n{}\n\n", "=".repeat(80), carriers.join("\n"));
        for line in found.trim_end().lines() {
            text += line.trim_end();
            text.push('\n');
        }
    }
    Ok(text)
}

/// Returns the texts in a crate's directory, selected by file name.
fn files(folder: &Path) -> Result<Vec<String>> {
    let listed = fs::read_dir(folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    let mut paths: Vec<_> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_notice = |path: &&std::path::PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        path.is_file() && NAMES.iter().any(|start| name.starts_with(start))
    };
    paths
        .iter()
        .filter(is_notice)
        .map(|path| release::read(path))
        .collect()
}

/// Returns the text for a crate that has no licence file.
fn spdx(each: &Crate) -> Result<String> {
    let choices: Vec<&str> = each.licence.split(" OR ").collect();
    let root = run::root();
    if choices.contains(&"Apache-2.0") {
        return release::read(&root.join("LICENSE-APACHE"));
    }
    let (id, licence) = (each.id(), &each.licence);
    Err(format!(
        "{id}: no licence file, and no known text of {licence}"
    ))
}

/// Returns the toolchain's notices for the standard library; every installation of the toolchain
/// has these files.
fn standard_library() -> Result<Vec<(String, String)>> {
    let sysroot = run::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let folder = Path::new(sysroot.trim()).join("share/doc/rust/licenses");
    let texts = [
        "Apache-2.0",
        "MIT",
        "LLVM-exception",
        "Unicode-3.0",
        "BSD-2-Clause",
    ];
    let mut found = Vec::new();
    for name in texts {
        let path = folder.join(format!("{name}.txt"));
        // A distribution's own toolchain keeps them elsewhere, or not at all.
        if let Ok(text) = fs::read_to_string(&path) {
            found.push((format!("Rust standard library ({name})"), text));
        }
    }
    if found.is_empty() {
        let apache = release::read(&run::root().join("LICENSE-APACHE"))?;
        found.push(("Rust standard library (Apache-2.0)".to_owned(), apache));
    }
    Ok(found)
}
