//! The house keeps its order: rooms import downwards only, the core stays pure, foreign
//! crates stay behind their doors. ARCHITECTURE.md says why; this says where not.

// A helper of tests may panic.
#![allow(clippy::unwrap_used)]

#[path = "architecture/house.rs"]
mod house;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::path::Path;

use house::House;

#[test]
fn the_house_is_in_order() {
    let complaints = rules::complaints(&House::read(Path::new(env!("CARGO_MANIFEST_DIR"))));
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn tests_and_tasks_are_short_and_none_is_ignored() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["tests", "xtask/src"] {
        house::collect(root, &root.join(folder), &mut files);
    }
    let mut complaints = Vec::new();
    for (path, text) in &files {
        complaints.extend(rules::length(path, text));
        complaints.extend(rules::ignored(path, text));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_guarantee_of_the_security_page_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["tests", "src"] {
        house::collect(root, &root.join(folder), &mut files);
    }
    let page = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let guarantees: Vec<&str> = page.lines().filter(|l| l.starts_with("| A")).collect();
    assert_eq!(guarantees.len(), 20);
    assert!(
        guarantees.iter().all(|line| line.contains("::")),
        "{guarantees:?}"
    );
    for named in page.split('`').filter(|word| word.contains("::")) {
        let test = named.rsplit("::").next().unwrap();
        let head = format!("fn {test}(");
        assert!(
            files.iter().any(|(_, text)| text.contains(&head)),
            "{named}"
        );
    }
}

#[test]
fn every_room_of_the_library_stands_on_a_floor() {
    let text = include_str!("../src/lib.rs");
    let rooms: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    let known: Vec<&str> = rules::FLOORS.concat();
    let lost: Vec<&&str> = rooms.iter().filter(|room| !known.contains(room)).collect();
    assert!(
        lost.is_empty(),
        "name it in tests/architecture/rules.rs: {lost:?}"
    );
}

/// What the checker says of one planted file, beside an orderly neighbour or two.
fn said(path: &str, text: &str) -> Vec<String> {
    let neighbours = [
        (
            "src/lib.rs",
            "pub mod model;\npub mod policy;\npub mod probe;\npub mod agent;\n",
        ),
        ("src/model/mod.rs", "pub mod link;\npub use link::Link;\n"),
        ("src/model/link.rs", "pub struct Link;\n"),
        ("src/policy/mod.rs", "pub mod decide;\n"),
        ("src/policy/decide.rs", "use crate::model::Link;\n"),
        ("src/probe/mod.rs", "pub mod round;\n"),
        ("src/probe/round.rs", "use crate::model::{link::Link};\n"),
        (
            "src/agent/mod.rs",
            "use crate::policy;\nuse crate::probe;\n",
        ),
    ];
    let mut sources: Vec<(String, String)> = neighbours
        .iter()
        .filter(|(other, _)| *other != path)
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    sources.push((path.to_owned(), text.to_owned()));
    rules::complaints(&House::of(sources))
}

#[test]
fn what_is_built_for_tests_and_for_a_system_keeps_the_rules() {
    for (cfg, is_exempt) in [
        ("test", true),
        ("all(test, unix)", true),
        ("all(unix, any(test))", true),
        ("any(all(test, unix), all(feature = \"x\", test))", true),
        ("any(windows, test)", false),
        ("any(target_os = \"macos\", all(test, unix))", false),
        ("not(test)", false),
        ("all(unix, not(test))", false),
        ("feature = \"test\"", false),
        ("unix", false),
    ] {
        let text = format!("#[cfg({cfg})]\nmod x {{ use std::fs; }}\n");
        let complaints = said("src/policy/decide.rs", &text);
        assert_eq!(complaints.is_empty(), is_exempt, "{cfg}: {complaints:?}");
    }
}

#[test]
fn an_orderly_house_has_no_complaint() {
    assert_eq!(
        said("src/policy/decide.rs", "use crate::model::Link;\n"),
        [""; 0]
    );
}

#[test]
fn a_planted_violation_is_named_with_file_and_line() {
    let cases = [
        (
            "src/model/link.rs",
            "\nuse crate::agent::Turn;\n",
            "src/model/link.rs:2: `model` imports `crate::agent::Turn`, but `agent` is above it",
        ),
        (
            "src/model/link.rs",
            "fn f() -> crate::policy::Decision {}",
            "src/model/link.rs:1: `model` imports",
        ),
        (
            "src/model/link.rs",
            "use super::super::agent;",
            "src/model/link.rs:1: `model` imports `super::super::agent`",
        ),
        (
            "src/policy/decide.rs",
            "use crate::{\n  model::Link,\n  probe::{self, round},\n};",
            "src/policy/decide.rs:3: `policy` imports `crate::probe`",
        ),
        (
            "src/probe/round.rs",
            "use crate::policy::decide;",
            "stand side by side",
        ),
        (
            "src/policy/decide.rs",
            "use std::{time::Duration, fs};",
            "`std::fs` in the core",
        ),
        (
            "src/policy/decide.rs",
            "fn f() {\n let t = Instant::now();\n}",
            "src/policy/decide.rs:2: `Instant::now` in the core",
        ),
        (
            "src/policy/decide.rs",
            "fn f() { let t = jiff::Timestamp::now(); }",
            "`jiff::Timestamp::now` in the core",
        ),
        (
            "src/model/link.rs",
            "async fn f() { tokio::time::sleep(x).await }",
            "`tokio::time::sleep` in the core",
        ),
        (
            "src/agent/mod.rs",
            "use netdev::Interface;",
            "`netdev` is named in src/watch/survey.rs only",
        ),
        (
            "src/agent/mod.rs",
            "fn f() { hyper::get(u) }",
            "`hyper` is named in src/probe/ and src/relay/server.rs only",
        ),
        (
            "src/agent/mod.rs",
            "fn f() { reqwest::get(u) }",
            "`reqwest` is named in src/probe/ only",
        ),
        (
            "src/probe/round.rs",
            "use super::*;",
            "src/probe/round.rs:1: `use super::*` outside tests",
        ),
        (
            "src/agent/mod.rs",
            "#[test]\n#[ignore]\nfn f() {}",
            "src/agent/mod.rs:2: an ignored test is not a test",
        ),
        (
            "src/agent/mod.rs",
            "\nfn f() { std::fs::read(p) }",
            "src/agent/mod.rs:2: opens a file that may be a pipe or a device",
        ),
        (
            "src/agent/mod.rs",
            "use std::fs::File;\nfn f() { File::open(p) }",
            "src/agent/mod.rs:2: opens a file",
        ),
        (
            "src/agent/mod.rs",
            "use std::fs::OpenOptions;\nfn f() { options\n.open(p) }",
            "src/agent/mod.rs:3: opens a file",
        ),
        (
            "src/cellar/mod.rs",
            "",
            "the room `cellar` stands on no floor",
        ),
    ];
    for (path, text, want) in cases {
        let said = said(path, text);
        assert!(
            said.iter().any(|line| line.contains(want)),
            "{text:?}: wanted {want:?}, got {said:?}"
        );
    }
    let long = said("src/probe/round.rs", &"\n".repeat(rules::LONGEST + 1));
    let want = format!("{} lines", rules::LONGEST + 1);
    assert!(long.iter().any(|line| line.contains(&want)), "{long:?}");
}

#[test]
fn a_circle_is_found_through_a_face_too() {
    let direct = said(
        "src/policy/decide.rs",
        "use super::decide::x;\nuse super::settle::Y;\n",
    );
    assert_eq!(direct, [""; 0], "a file may name itself");
    let sources = |back: &str| {
        House::of(vec![
            ("src/lib.rs".into(), "pub mod model;".into()),
            (
                "src/model/mod.rs".into(),
                "pub mod a;\npub mod b;\npub use a::A;\n".into(),
            ),
            ("src/model/a.rs".into(), "\nuse super::b::B;\n".into()),
            ("src/model/b.rs".into(), back.into()),
        ])
    };
    let found = rules::complaints(&sources("use crate::model::A;\n"));
    assert_eq!(
        found,
        ["src/model/a.rs:2: a circle: src/model/a.rs → src/model/b.rs → src/model/a.rs"]
    );
    assert_eq!(
        rules::complaints(&sources(
            "#[cfg(test)]\nmod tests { use crate::model::A; }\n"
        )),
        [""; 0]
    );
}

#[test]
fn comments_strings_and_tests_are_not_mistaken_for_code() {
    let text = r####"
//! See `crate::agent` and use super::*;
/* use crate::agent; /* nested */ use crate::agent; */
const A: &str = "use crate::agent::Turn; \" std::fs::read";
const B: &str = r#"tokio::spawn("x")"#;
const C: char = '"';
fn f<'a>(x: &'a str) -> char { '\'' }
#[cfg(test)]
mod tests {
    use super::*;
    fn f() { std::fs::read("x"); tokio::spawn(g()); }
}
"####;
    assert_eq!(said("src/policy/decide.rs", text), [""; 0]);
    let after = format!("{text}fn g() {{ std::env::var(\"X\"); }}\n");
    let said = said("src/policy/decide.rs", &after);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("src/policy/decide.rs:13: `std::env::var`"),
        "{said:?}"
    );
}
