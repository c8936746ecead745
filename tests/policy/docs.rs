//! What docs/policy.md shows is a policy, and what it lists is what the code says. Each page has a
//! Chinese edition that shows and lists the same.

use std::collections::BTreeSet;
use std::path::Path;

use goroam::policy::file::{PolicyLocation, parse};

fn docs() -> String {
    read("docs/policy.md")
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_policy_in_the_docs_is_without_any_finding() {
    let docs = [
        docs(),
        read("docs/zh-CN/policy.md"),
        read("README.md"),
        read("README.zh-CN.md"),
    ];
    let blocks_of = |text: &String| -> Vec<String> {
        let blocks = text.split("```toml\n").skip(1);
        blocks
            .map(|rest| rest.split("```").next().unwrap().to_owned())
            .collect()
    };
    let blocks: Vec<Vec<String>> = docs.iter().map(blocks_of).collect();
    let counts: Vec<usize> = blocks.iter().map(Vec::len).collect();
    assert!(counts[0] >= 6 && counts[1] == counts[0], "{counts:?}");
    assert_eq!(counts[2..], [1, 1]);
    let place = PolicyLocation {
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

#[test]
fn every_page_has_a_chinese_edition_that_shows_and_lists_the_same() {
    let mut names = pages("docs");
    // Its numbers are written by `cargo xtask bench`.
    assert!(names.remove("performance.md"));
    assert_eq!(names, pages("docs/zh-CN"));
    let mut pairs = vec![(
        ("README.md".to_owned(), "README.zh-CN.md".to_owned()),
        ("README.md".to_owned(), "README.zh-CN.md".to_owned()),
    )];
    for name in names {
        pairs.push((
            (format!("docs/{name}"), format!("docs/zh-CN/{name}")),
            (format!("../{name}"), format!("zh-CN/{name}")),
        ));
    }
    for ((english, chinese), (to_english, to_chinese)) in pairs {
        let (from, to) = (read(&english), read(&chinese));
        assert!(from.contains(&format!("\n\n*[中文]({to_chinese})*\n\n")));
        assert!(to.contains(&format!("\n\n*[English]({to_english})*\n\n")));
        let (from, to) = (bones(&from), bones(&to));
        for (from, to) in from.iter().zip(&to) {
            assert_eq!(from, to, "{english} and {chinese}");
        }
        assert_eq!(from.len(), to.len(), "{english} and {chinese}");
    }
}

fn pages(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .collect()
}

/// What a translation leaves as it is, in order: the depth of each heading, code without its
/// comments, what each row of a table is about, where that is code, and the pictures.
fn bones(page: &str) -> Vec<String> {
    let mut is_fenced = false;
    let mut bones = Vec::new();
    for line in page.lines() {
        let is_fence = line.starts_with("```");
        is_fenced ^= is_fence;
        if is_fence || is_fenced || line.starts_with("    ") {
            let has_only_comment = line.starts_with('#');
            let code = line.split(" #").next().filter(|_| !has_only_comment);
            bones.push(code.unwrap_or_default().trim_end().to_owned());
        } else if let Some((_, picture)) = line.split_once("](").filter(|_| line.ends_with(".svg)"))
        {
            let picture = picture
                .trim_start_matches("../")
                .trim_start_matches("docs/");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
            assert!(path.join(picture.trim_end_matches(')')).is_file(), "{line}");
            bones.push(picture.to_owned());
        } else if line.starts_with('#') {
            bones.push(line.chars().take_while(|char| *char == '#').collect());
        } else if let Some(row) = line.strip_prefix("| ") {
            let cell = row.split(" | ").next().unwrap_or_default();
            let code: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            bones.push(format!("| {}", code.join(", ")));
        }
    }
    bones
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
            "error(",
            "warning(",
            "warn(",
            "note(",
            "fault(",
            "refuse(",
            "refuse::<()>(",
            "parse(",
            "parse::<IpAddr>(",
            "parse::<SocketAddr>(",
        ] {
            for rest in code.split(maker).skip(1) {
                let Some(rest) = rest.trim_start().strip_prefix('"') else {
                    continue;
                };
                let code = rest.split('"').next().unwrap();
                if code
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b"-8".contains(&b))
                {
                    codes.insert(code.to_owned());
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
        let place = PolicyLocation {
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
