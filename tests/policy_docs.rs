//! What docs/policy.md shows is a policy, and what it lists is what the code says.

#![allow(clippy::unwrap_used)] // helpers of tests stand outside of `#[test]`

use std::collections::BTreeSet;
use std::path::Path;

use goroam::policy::file::{Place, parse};

fn docs() -> String {
    read("docs/policy.md")
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_policy_in_the_docs_is_without_any_finding() {
    let docs = [docs(), read("README.md"), read("README.zh-CN.md")];
    let blocks_of = |text: &String| -> Vec<String> {
        let blocks = text.split("```toml\n").skip(1);
        blocks
            .map(|rest| rest.split("```").next().unwrap().to_owned())
            .collect()
    };
    let blocks: Vec<Vec<String>> = docs.iter().map(blocks_of).collect();
    let counts: Vec<usize> = blocks.iter().map(Vec::len).collect();
    assert!(counts[0] >= 6 && counts[1..] == [1, 1], "{counts:?}");
    let place = Place {
        folder: Path::new("/home/me/.config/goroam"),
        home: Some(Path::new("/home/me")),
    };
    for block in blocks.iter().flatten() {
        let parsed = parse(block, place);
        assert_eq!(parsed.findings, [], "{block}");
        assert!(parsed.policy.is_some(), "{block}");
    }
}

#[test]
fn the_tables_of_findings_list_every_code_and_no_other() {
    let docs = docs();
    let listed: BTreeSet<String> = docs
        .split("## Findings")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next())
        .flat_map(|cell| cell.split(", "))
        .map(|code| code.trim_matches('`').to_owned())
        .collect();
    let mut used = BTreeSet::new();
    codes_in(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy"),
        &mut used,
    );
    assert_eq!(listed, used);
}

/// The first string behind each way of making a finding.
fn codes_in(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in(&path, codes);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for maker in [
            "Finding::error(",
            "Finding::warning(",
            "Finding::note(",
            "Fault::new(",
            "nowhere(",
            "parsed(reader, &text?, ",
            "parsed(reader, &text, ",
            "parsed::<IpAddr>(reader, &text?, ",
            "parsed::<SocketAddr>(reader, &text?, ",
        ] {
            for rest in code.split(maker).skip(1) {
                if let Some(rest) = rest.trim_start().strip_prefix('"') {
                    codes.insert(rest.split('"').next().unwrap().to_owned());
                }
            }
        }
    }
}

proptest::proptest! {
    /// A policy that is being typed: a part is missing, or another stands in its place.
    #[test]
    fn no_cut_through_a_policy_makes_it_panic(
        block in 0usize..6,
        from in 0usize..1200,
        length in 0usize..30,
        put in "[\\[\\]{}=\",|$é\n a-z]{0,6}",
    ) {
        let docs = docs();
        let text = docs.split("```toml\n").nth(block + 1).unwrap();
        let text = text.split("```").next().unwrap();
        let text: String = text
            .chars()
            .take(from)
            .chain(put.chars())
            .chain(text.chars().skip(from + length))
            .collect();
        let place = Place {
            folder: Path::new("/etc"),
            home: None,
        };
        for finding in parse(&text, place).findings {
            for label in finding.primary.iter().chain(&finding.related) {
                proptest::prop_assert!(text.get(label.span.clone()).is_some(), "{:?}", label);
            }
        }
    }
}
