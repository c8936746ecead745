//! Compares what scripts rely on with the list in `tests/surface/surface.txt`: verbs, flags and
//! their values, JSON keys, finding codes, policy keys and exit codes.
//!
//! A deliberate change edits the list and CHANGELOG.md. A failure prints the lines that differ.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/cli.rs"]
mod cli;
mod declared;
#[path = "../support/go.rs"]
mod go;

use std::collections::BTreeSet;

use clap::{Arg, Command, CommandFactory};
use cli::User;
use goroam::agent::error as exit;
use serde_json::Value;

/// With an error that has a label, a related place and a help.
const ODD_POLICY: &str = "version = 1
[[profile]]
name = \"a\"
when = { subnet = \"10.0.0.0/8\" }
env = { GOPROXY = \"direct\", GOSUMDB = \"off\" }
";

/// Needs no network: one target is a port of this machine.
const POLICY: &str = "version = 1
[target.local]
listening = \"127.0.0.1:1\"
[[profile]]
name = \"local\"
when = { up = \"local\" }
env = { GOPROXY = \"direct\" }
[target.here]
mirror = \"~/here\"
[target.there]
mirror = \"~/there\"
[[profile]]
name = \"offline\"
env = { GOPROXY = { fastest = [\"here\", \"there\"], then = \"off\" } }
";

/// With a warning and a difference.
const SCENARIO: &str = "[[scenario]]
name = \"a\"
network.gateway = \"10.0.0.1\"
answers.local = \"up\"
expect = { profile = \"offline\" }
";

const NEEDS_A_MODULE: &str = "module example.test/app

go 1.21

require example.test/b v1.0.0
";

const LIST: &str = include_str!("surface.txt");

/// The lines of one part of the list: from `== name` to the next part.
fn listed(part: &str) -> BTreeSet<String> {
    let heading = format!("== {part}");
    let lines = LIST.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("== "));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines: BTreeSet<String> = lines.map(str::to_owned).collect();
    assert!(!lines.is_empty(), "the list has no part {part}");
    lines
}

fn assert_same(part: &str, found: &BTreeSet<String>) {
    let listed = listed(part);
    let lost = listed.difference(found).map(|line| format!("lost: {line}"));
    let new = found
        .difference(&listed)
        .map(|line| format!("new:  {line}"));
    let differ: Vec<String> = lost.chain(new).collect();
    assert!(
        differ.is_empty(),
        "{part}: differs from tests/surface/surface.txt:\n{}",
        differ.join("\n")
    );
}

#[test]
fn every_verb_flag_and_value_is_on_the_list() {
    let mut found = BTreeSet::new();
    grammar(&goroam::cli::args::Cli::command(), "", &mut found);
    assert_same("command line", &found);
}

fn grammar(command: &Command, above: &str, found: &mut BTreeSet<String>) {
    let name = format!("{above}{}", command.get_name());
    found.insert(name.clone());
    for arg in command.get_arguments() {
        found.insert(format!("{name} {}", described(arg)));
    }
    for verb in command.get_subcommands() {
        grammar(verb, &format!("{name} "), found);
    }
}

/// Such as `-n --limit <COUNT>`, `[FILE]` or `--color <auto|always|never>`.
fn described(arg: &Arg) -> String {
    let mut parts = Vec::new();
    parts.extend(arg.get_short().map(|short| format!("-{short}")));
    parts.extend(arg.get_long().map(|long| format!("--{long}")));
    if arg.get_action().takes_values() {
        let values = arg.get_possible_values();
        let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        let names = arg.get_value_names().unwrap_or_default();
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let shown = if values.is_empty() {
            names.join(" ")
        } else {
            values.join("|")
        };
        parts.push(if arg.is_positional() && !arg.is_required_set() {
            format!("[{shown}]")
        } else {
            format!("<{shown}>")
        });
    }
    parts.join(" ")
}

#[test]
fn every_json_key_of_an_answer_is_on_the_list() {
    let user = User::new();
    user.write("odd.toml", ODD_POLICY);
    user.write("p.toml", POLICY);
    user.write("facts.toml", SCENARIO);
    user.write("app/go.mod", "module example.test/app\n\ngo 1.21\n");
    user.write("app/vendor/stray.go", "package stray\n");
    let version = ".local/share/goroam/mirror/example.test/a/@v/v1.0.0";
    user.write(&format!("{version}.mod"), "module example.test/b\n");
    user.write(&format!("{version}.info"), "{\"Version\":\"v1.0.0\"}");
    let answers = [
        ("check odd.toml --json", 2),
        ("check --layers --json", 0),
        ("test p.toml facts.toml --json", 1),
        ("doctor --cache --json", 0),
        ("explain dns --json", 0),
        ("history --verify --json", 0),
        ("init --json --template default --no-service", 0),
        ("mirror list --json", 0),
        ("mirror verify --json", 1),
        ("ready --forget app --json", 0),
        ("status --json", 0),
        ("vendor check -C app --json", 1),
    ];
    let mut found = BTreeSet::new();
    for (words, code) in answers {
        answer(user.goroam(words), words, code, &mut found);
    }
    assert_same("json", &found);
}

#[test]
fn every_json_key_of_an_answer_that_needs_go_is_on_the_list() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    user.write(
        "other.toml",
        POLICY.replace("then = \"off\"", "then = \"direct\""),
    );
    user.write("app/go.mod", NEEDS_A_MODULE);
    user.write("app/a.go", "package app\n");
    user.write(".bashrc", "export GOPROXY=off\n");
    user.write("here/example.test/a/@v/v1.0.0.zip", "PK\x05\x06");
    let answers = [
        ("once --dry-run --json", 0),
        ("once --json", 0),
        ("why --json", 0),
        ("probe --json", 0),
        ("chain http://127.0.0.1:1,off --json", 0),
        ("env --json", 0),
        ("ready app --json", 1),
        ("doctor --json", 1),
        ("doctor --fix --yes --json", 0),
        ("doctor --undo --json", 0),
        ("history --json", 0),
        ("replay --policy other.toml --json", 0),
        ("use --json", 0),
        ("restore --json", 0),
    ];
    let mut found = BTreeSet::new();
    for (words, code) in answers {
        let run = user.goroam(words).env("PATH", &path);
        let run = run.env("GOPROXY", "off");
        answer(run, words, code, &mut found);
    }
    assert_same("json with go", &found);
}

/// Runs it and adds the keys of its answer, behind the verb's name.
fn answer(run: cli::Run, words: &str, code: i32, found: &mut BTreeSet<String>) {
    let text = run.exits(code).stdout();
    let flags = words.find(" -").unwrap_or(words.len());
    let verb = words[..flags]
        .trim_end_matches(" app")
        .trim_end_matches(" dns")
        .trim_end_matches(" odd.toml")
        .trim_end_matches(" p.toml facts.toml")
        .trim_end_matches(" http://127.0.0.1:1,off");
    for value in serde_json::Deserializer::from_str(&text).into_iter() {
        keys(&value.unwrap(), &format!("{verb}: "), found);
    }
}

/// The path of each key: `findings[].code`. Names that are data (variables, modules) are `*`.
fn keys(value: &Value, above: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let is_data = key.contains(|c: char| c.is_ascii_uppercase() || c == '.');
                let path = format!("{above}{}", if is_data { "*" } else { key });
                // What a machine without links has not.
                if path.ends_with(": network") || path.ends_with(".snapshot") {
                    continue;
                }
                keys(value, &format!("{path}."), found);
                found.insert(path);
            }
        }
        Value::Array(values) => {
            let above = above.strip_suffix('.').unwrap_or(above);
            values
                .iter()
                .for_each(|value| keys(value, &format!("{above}[]."), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_listed_field_and_code_is_still_declared() {
    let source = declared::Source::read();
    for field in listed("fields of json") {
        assert!(
            source.fields.contains(&field),
            "no serialised field {field} is left in src; see tests/surface/surface.txt"
        );
    }
    for code in listed("finding codes") {
        assert!(
            source.words.contains(&code),
            "no finding code {code} is left in src; see tests/surface/surface.txt"
        );
    }
}

#[test]
fn every_listed_policy_key_is_known_to_check() {
    let user = User::new();
    for key in listed("policy keys") {
        let (above, name) = key.rsplit_once("; ").unwrap_or(("", &key));
        let (above, line) = (above.replace("; ", "\n"), format!("{name} = 1"));
        let policy = if above.contains("KEY") {
            above.replace("KEY", &line)
        } else {
            format!("{above}\n{line}\n")
        };
        user.write("p.toml", &policy);
        let run = user.goroam("check p.toml --json").command().output();
        let said: Value = serde_json::from_slice(&run.unwrap().stdout).unwrap();
        let mut findings = said["findings"].as_array().unwrap().iter();
        let unknown = ["unknown-key", "key-of-other-kind"];
        let is_unknown =
            findings.any(|finding| unknown.iter().any(|code| finding["code"] == *code));
        let is_toml = said["findings"][0]["code"] != "syntax";
        assert!(
            is_toml && !is_unknown,
            "`{key}` is no longer known to check: {policy}"
        );
    }
}

#[test]
fn every_exit_code_has_its_number_and_its_line_in_help() {
    let codes = [
        (exit::EXIT_DONE, "done"),
        (exit::EXIT_FAILED, "failed"),
        (exit::EXIT_USAGE, "bad usage or bad policy"),
        (exit::EXIT_NO_GO, "no usable go command"),
        (exit::EXIT_REFUSED, "refused for safety"),
        (exit::EXIT_NO_AGENT, "no agent is running"),
        (exit::EXIT_MISMATCH, "a checksum does not match"),
    ];
    let found = codes.map(|(code, what)| format!("{code} {what}"));
    let help = goroam::cli::args::Cli::command().render_long_help();
    let help = help.to_string();
    for line in &found {
        assert!(help.contains(line.as_str()), "{line} is not in --help");
    }
    assert_same("exit codes", &found.into());
}
