//! What a list of patterns takes in, held against `module.MatchPrefixPatterns` of two releases of
//! go: a list that is said to be harmless takes in one owner's modules at most.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use goroam::model::Patterns;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::go;

/// Modules, and who owns each: after a harmless pattern all but one owner's are verified.
const MODULES: [(&str, &str); 44] = [
    ("github.com/acme/x", "acme"),
    ("github.com/BurntSushi/toml", "BurntSushi"),
    ("github.com/google/uuid", "google"),
    ("gitlab.com/acme/x", "acme@gitlab"),
    ("gitlab.com/b/x", "b@gitlab"),
    ("gitlab.alpinelinux.org/a/x", "a@alpine"),
    ("gitlab.alpinelinux.org/b/x", "b@alpine"),
    ("golang.org/x/crypto", "public"),
    ("golang.org/x/text", "public"),
    ("google.golang.org/grpc", "public"),
    ("cloud.google.com/go", "public"),
    ("firebase.google.com/go/v4", "public"),
    ("gopkg.in/yaml.v3", "public"),
    ("k8s.io/api", "public"),
    ("sigs.k8s.io/yaml", "public"),
    ("cosmossdk.io/math", "public"),
    ("go.uber.org/zap", "public"),
    ("git.acme.com/x", "acme.com"),
    ("git.b.com/x", "b.com"),
    ("git.corp.example/team/x", "corp.example"),
    ("git.corp.example/a/b", "corp.example"),
    ("go.corp.example/x", "corp.example"),
    ("git.corp.internal/x", "corp.internal"),
    ("git.b.internal/x", "b.internal"),
    ("git.corp.co.uk/x", "corp.co.uk"),
    ("git.b.co.uk/x", "b.co.uk"),
    ("git.corp.nsw.edu.au/x", "corp.nsw.edu.au"),
    ("git.b.nsw.edu.au/x", "b.nsw.edu.au"),
    ("git.a.tokyo.jp/x", "a.tokyo.jp"),
    ("git.b.tokyo.jp/x", "b.tokyo.jp"),
    ("git.a.k12.ca.us/x", "a.k12.ca.us"),
    ("git.b.k12.ca.us/x", "b.k12.ca.us"),
    ("a.eu.org/x", "a.eu.org"),
    ("b.eu.org/x", "b.eu.org"),
    ("a.ngrok.io/x", "a.ngrok.io"),
    ("b.ngrok.io/x", "b.ngrok.io"),
    ("a.s3.eu-west-1.amazonaws.com/x", "a at amazon"),
    ("b.s3.eu-west-1.amazonaws.com/x", "b at amazon"),
    ("a.xn--55qx5d.cn/x", "a.xn--55qx5d.cn"),
    ("b.xn--55qx5d.cn/x", "b.xn--55qx5d.cn"),
    ("me.github.io/x", "me.github.io"),
    ("you.github.io/x", "you.github.io"),
    ("10.0.0.1/x", "10.0.0.1"),
    ("11.0.0.1/x", "11.0.0.1"),
];

/// Spellings that a stranger would try.
const LISTS: [&str; 70] = [
    "*",
    "**",
    "*,",
    ",*",
    ",,*,,",
    "*/",
    "*//",
    "*/*",
    "?*",
    "*?",
    "*.*",
    "[!-~]*",
    "[^/]*",
    "[a-z]*",
    "[a-z0-9.-]*",
    "[^x]*",
    "[\\a-z]*",
    "[a-ln-z]*",
    "\\**",
    "*\\.com",
    "*.co[m]",
    "*.c?m",
    "*.com",
    "*.com/",
    "*.com/*",
    "*.com/...",
    "*.com:443",
    "*.COM",
    " *.com",
    "*.com ",
    "\t*",
    "git.corp.example, *.com",
    "git.corp.example,*.com",
    "g*",
    "g[i]t*",
    "github.co?",
    "github.com",
    "GitHub.com",
    "github.com/",
    "github.com//",
    "github.com/*",
    "github.com/...",
    "github.com/**",
    "github.com/[a-z]*",
    "github.com/a*",
    "github.com/acme",
    "github.com/acme/*",
    "github.com/acme/...",
    "github.com[/]acme",
    "github.com/acme/../*",
    "https://*",
    "*%2ecom",
    "*.io",
    "*.ngrok.io",
    "*.eu.org",
    "*.co.uk",
    "*.nsw.edu.au",
    "*.au",
    "*.tokyo.jp",
    "*.k12.ca.us",
    "*.ca.us",
    "*.xn--55qx5d.cn",
    "*.公司.cn",
    "*.amazonaws.com",
    "*.s3.eu-west-1.amazonaws.com",
    "*.github.io",
    "*.internal",
    "*.0.0.1",
    "[10]*.0.0.1",
    "[::1]",
];

/// Pieces, joined: most lists are nonsense, and none may be taken for less than it is.
fn lists() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(MODULES.to_vec()).prop_map(|(path, _)| path.to_owned()),
        proptest::sample::select(MODULES.to_vec()).prop_map(|(path, _)| path
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned()),
        proptest::sample::select(MODULES.to_vec()).prop_map(|(path, _)| {
            let host = path.split('/').next().unwrap_or_default();
            host.split_once('.').unwrap_or_default().1.to_owned()
        }),
        "[a-z]{1,2}",
        proptest::sample::select(vec![
            "*", "*.", "*.", "*.", "?", ".", "/", "/*", ",", " ", "\t", "[a-z]", "[a-", "[^x]*",
            "[/]", "[^/]", "\\", "\\*", "\\g", ".com", "com", ".io", ":443", "A", "%2e", "...",
            "[.]", "[\\].]", "[a-z.-]*", "**", "？", "．",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

#[test]
fn no_spelling_takes_in_more_than_one_owner_and_passes() {
    for version in ["1.21.13", "1.27.3"] {
        let Some(go) = go::go(version) else {
            continue;
        };
        let mut runner = TestRunner::deterministic();
        let made = (0..6000).map(|_| lists().new_tree(&mut runner).unwrap().current());
        let asked: Vec<String> = LISTS.map(str::to_owned).into_iter().chain(made).collect();
        let answers = ask(&go, &asked);
        assert_eq!(answers.len(), asked.len());
        let mut judged = [0, 0];
        for (list, taken) in asked.iter().zip(answers) {
            let patterns = Patterns::parse(list);
            let own: Vec<usize> = (0..MODULES.len())
                .filter(|i| patterns.matches(MODULES[*i].0))
                .collect();
            assert_eq!(own, taken, "go {version}: {list:?}");
            // Each pattern may name an owner of its own.
            let [one] = patterns.globs() else {
                continue;
            };
            let loosens = patterns.public().next().is_some();
            judged[usize::from(loosens)] += 1;
            let mut owners: Vec<&str> = taken.iter().map(|i| MODULES[*i].1).collect();
            owners.dedup();
            assert!(
                loosens || (owners.len() < 2 && !owners.contains(&"public")),
                "{one:?} takes in {owners:?} and passes"
            );
            assert!(!loosens || patterns.can_match(), "{one:?} matches nothing");
        }
        assert!(judged.iter().all(|n| *n > 300), "{judged:?}");
    }
}

/// Which modules this go takes each list to match.
fn ask(go: &Path, lists: &[String]) -> Vec<Vec<usize>> {
    let dir = tempfile::tempdir().unwrap();
    let root = go.parent().unwrap().parent().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("main.go", include_str!("main.go"));
    write(
        "go.mod",
        "module ask\n\ngo 1.21\n\nrequire golang.org/x/mod v0.0.0\n",
    );
    let copied = Command::new("cp")
        .args(["-r", "src/cmd/vendor"])
        .arg(dir.path().join("vendor"))
        .current_dir(root)
        .status();
    assert!(copied.unwrap().success());
    write(
        "vendor/modules.txt",
        "# golang.org/x/mod v0.0.0\n## explicit; go 1.21\ngolang.org/x/mod/internal/lazyregexp\n\
         golang.org/x/mod/module\ngolang.org/x/mod/semver\n",
    );
    let mut child = Command::new(go)
        .args(["run", "-mod=vendor", "."])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", dir.path())
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let paths: Vec<&str> = MODULES.iter().map(|(path, _)| *path).collect();
    let question = json!({ "Lists": lists, "Paths": paths }).to_string();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(question.as_bytes()));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(out.status.success());
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
    serde_json::from_value(answer).unwrap()
}
