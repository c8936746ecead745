//! The package for Rust's registry, as `cargo publish` would upload it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::dist::{root, said};

/// The files of the package, as cargo lists them. Cargo must have nothing to warn about.
fn listed() -> BTreeSet<String> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root());
    cargo.args(["package", "--list", "--allow-dirty", "--offline"]);
    let done = cargo.output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{stderr}");
    assert!(!stderr.contains("warning"), "{stderr}");
    let files = String::from_utf8(done.stdout).unwrap();
    files.lines().map(|file| file.replace('\\', "/")).collect()
}

/// The files of this repository that a build of the programs reads: the sources, what they include,
/// and what the build script names.
fn read_by_a_build() -> BTreeSet<String> {
    let mut files = BTreeSet::from(["build.rs".to_owned(), "packaging/explained.rs".to_owned()]);
    sources(&root().join("src"), &mut files);
    for name in files.clone() {
        let path = root().join(&name);
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for maker in ["include_str!(\"", "include_bytes!(\"", "#[path = \""] {
            for rest in code.split(maker).skip(1) {
                let named = path.parent().unwrap().join(rest.split('"').next().unwrap());
                let named = named.canonicalize().unwrap();
                let named = named.strip_prefix(root()).unwrap();
                files.insert(named.to_str().unwrap().to_owned());
            }
        }
        if !name.starts_with("src/") {
            let quoted = code.split('"').skip(1).step_by(2);
            let named = quoted.filter(|text| root().join(text).is_file());
            files.extend(named.map(ToOwned::to_owned));
        }
    }
    files
}

fn sources(folder: &Path, files: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let name = path.strip_prefix(root()).unwrap();
            files.insert(name.to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn the_package_has_every_file_that_a_build_reads() {
    let listed = listed();
    let needed = read_by_a_build();
    for file in [
        "docs/policy.md",
        "systemd/goroam.service",
        "src/policy/templates/default.toml",
    ] {
        assert!(needed.contains(file), "{file}");
    }
    let missing: Vec<&String> = needed.difference(&listed).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(listed.contains("packaging/windows/goroam.ico"));
    let others = ["tests/lab/", "xtask/", ".ci/", ".github/", "docs/pictures/"];
    let foreign = |file: &&String| others.iter().any(|start| file.starts_with(start));
    let foreign: Vec<&String> = listed.iter().filter(foreign).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn what_the_registry_shows_and_binstall_downloads_is_named() {
    let mut metadata = Command::new("cargo");
    metadata.current_dir(root());
    metadata.args(["metadata", "--locked", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&said(&mut metadata)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let own = packages.iter().find(|each| each["name"] == "goroam");
    let own = own.unwrap();
    for key in ["description", "license", "readme", "repository", "homepage"] {
        assert!(
            own[key].as_str().is_some_and(|text| !text.is_empty()),
            "{key}"
        );
    }
    // Each archive is one that `cargo xtask dist` makes.
    let dist = std::fs::read_to_string(root().join("packaging/README.md")).unwrap();
    let binstall = &own["metadata"]["binstall"];
    let overrides = binstall["overrides"].as_object().unwrap();
    let mut urls: Vec<(&str, &Value)> = vec![("x86_64-unknown-linux-musl", binstall)];
    urls.extend(
        overrides
            .iter()
            .map(|(target, each)| (target.as_str(), each)),
    );
    for (target, each) in urls {
        let text = |key: &str| {
            let text = each[key].as_str().unwrap();
            let text = text.replace("{ target-arch }", target.split('-').next().unwrap());
            text.replace("{ name }", "goroam")
                .replace("{ version }", "VERSION")
        };
        let (url, folder) = (text("pkg-url"), text("bin-dir"));
        let file = url
            .strip_prefix("{ repo }/releases/download/vVERSION/")
            .unwrap();
        assert!(dist.contains(&format!("`{file}`")), "{target}: {file}");
        let stem = file.trim_end_matches(".tar.gz").trim_end_matches(".zip");
        let program = folder.strip_prefix(&format!("{stem}/")).unwrap();
        let expected = ["bin/{ bin }{ binary-ext }", "{ bin }{ binary-ext }"];
        assert_eq!(program, expected[usize::from(target.contains("windows"))]);
    }
}
