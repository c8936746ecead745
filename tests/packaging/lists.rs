//! What is in the program, for those who must know: the SBOM and the others' licences.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::support::dist::{dist, only, root, said};
use crate::support::skip;

/// `name version` of every crate that is linked, and its licence, as cargo's own metadata has
/// them: read by another way than the list was made.
fn linked() -> BTreeMap<String, String> {
    let mut metadata = Command::new("cargo");
    metadata
        .current_dir(root())
        .args(["metadata", "--locked", "--format-version", "1"]);
    metadata.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let metadata: Value = serde_json::from_str(&said(&mut metadata)).unwrap();
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package))
        .collect();
    let mut uses: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        // Kind null is what is linked; "dev" and "build" are not.
        let is_linked = |dep: &&Value| {
            let kinds = dep["dep_kinds"].as_array().unwrap();
            kinds.iter().any(|kind| kind["kind"].is_null())
        };
        let deps = node["deps"].as_array().unwrap().iter().filter(is_linked);
        let deps = deps.map(|dep| dep["pkg"].as_str().unwrap()).collect();
        uses.insert(node["id"].as_str().unwrap(), deps);
    }
    let is_macro = |id: &str| {
        let targets = packages[id]["targets"].as_array().unwrap();
        targets
            .iter()
            .any(|target| target["kind"][0] == "proc-macro")
    };
    let own = packages
        .iter()
        .find(|(_, package)| package["name"] == "goroam")
        .unwrap();
    let (mut seen, mut open) = (BTreeSet::new(), vec![*own.0]);
    while let Some(id) = open.pop() {
        if !is_macro(id) && seen.insert(id) {
            open.extend(&uses[id]);
        }
    }
    let named = |id: &&str| {
        let text = |key: &str| packages[id][key].as_str().unwrap().to_owned();
        (
            format!("{} {}", text("name"), text("version")),
            text("license"),
        )
    };
    seen.iter().map(named).collect()
}

#[test]
fn the_sbom_lists_every_linked_crate_with_licence_and_hash() {
    let folder = match dist() {
        Ok(folder) => folder,
        Err(why) => skip!("{why}"),
    };
    let file = only(&folder, "goroam-", "-linux.cdx.json");
    let text = std::fs::read_to_string(file).unwrap();
    let sbom: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(sbom["bomFormat"], "CycloneDX");
    assert_eq!(sbom["specVersion"], "1.6");
    let serial = sbom["serialNumber"]
        .as_str()
        .unwrap()
        .strip_prefix("urn:uuid:")
        .unwrap();
    let groups: Vec<usize> = serial.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12]);
    let own = &sbom["metadata"]["component"];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        own["purl"].as_str().unwrap(),
        format!("pkg:cargo/goroam@{version}")
    );

    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut components = BTreeSet::from([format!("goroam {version}")]);
    for each in sbom["components"].as_array().unwrap() {
        let text = |key: &str| each[key].as_str().unwrap();
        if text("name") == "rust-std" {
            continue;
        }
        assert!(text("purl").starts_with(&format!("pkg:cargo/{}@", text("name"))));
        assert!(
            !each["licenses"][0]["expression"]
                .as_str()
                .unwrap()
                .contains('/')
        );
        let hash = each["hashes"][0]["content"].as_str().unwrap();
        assert!(
            lock.contains(&format!("checksum = \"{hash}\"")),
            "{}",
            text("name")
        );
        components.insert(format!("{} {}", text("name"), text("version")));
    }
    let linked: BTreeSet<String> = linked().into_keys().collect();
    // Cargo's metadata knows no features of a single package, so it lists what some other
    // feature would link; nothing may be in the program that it does not have.
    let unknown: Vec<_> = components.difference(&linked).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for name in ["ring", "tokio", "rustls", "clap", "libc", "serde_json"] {
        assert!(
            components
                .iter()
                .any(|id| id.starts_with(&format!("{name} "))),
            "{name}"
        );
    }
    assert!(components.len() > 80, "{}", components.len());

    let refs: BTreeSet<&str> = sbom["components"]
        .as_array()
        .unwrap()
        .iter()
        .chain([own])
        .map(|each| each["bom-ref"].as_str().unwrap())
        .collect();
    for each in sbom["dependencies"].as_array().unwrap() {
        assert!(refs.contains(each["ref"].as_str().unwrap()));
        for used in each["dependsOn"].as_array().into_iter().flatten() {
            assert!(refs.contains(used.as_str().unwrap()), "{used}");
        }
    }
}

#[test]
fn everyone_whose_code_is_in_it_is_named_with_the_licence() {
    let folder = match dist() {
        Ok(folder) => folder,
        Err(why) => skip!("{why}"),
    };
    let archive = only(&folder, "goroam-", "-linux.tar.gz");
    let mut tar = Command::new("tar");
    tar.arg("-xzOf")
        .arg(archive)
        .args(["--wildcards", "*/THIRD-PARTY.txt"]);
    let notices = said(&mut tar);
    let file = only(&folder, "goroam-", "-linux.cdx.json");
    let sbom: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let all = linked();
    for each in sbom["components"].as_array().unwrap() {
        let id = format!(
            "{} {}",
            each["name"].as_str().unwrap(),
            each["version"].as_str().unwrap()
        );
        if id.starts_with("rust-std ") {
            continue;
        }
        let licence = all[&id].replace(" / ", "/").replace('/', " OR ");
        let entry = format!("{id}\n    {licence}\n");
        assert!(notices.contains(&entry), "{entry}");
        // Once in the list at the top, once above the text that it carries.
        let named = notices.lines().filter(|line| *line == id).count();
        assert!(named >= 2, "{id}: no text");
    }
    for words in [
        "Mozilla Public License Version 2.0",
        "UNICODE LICENSE V3",
        "Permission to use, copy, modify, and/or distribute this software", // ISC
        "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION",     // Apache
        "Redistribution and use in source and binary forms",                // BSD
        "Rust standard library",
    ] {
        assert!(notices.contains(words), "{words}");
    }
}
