//! Go's own reader of go.mod and go.work is the judge of ours: `go mod edit -json` over real
//! files, and over lines that are wrong in one way each.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use goroam::gomod::{ModuleVersion, go_mod, go_work};
use serde_json::{Value, json};

use crate::go;

/// `go mod edit -json FILE`, or `go work edit -json FILE`.
fn edit(go: &Path, verb: &str, file: &Path) -> Output {
    Command::new(go)
        .args([verb, "edit", "-json"])
        .arg(file)
        .env_clear()
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .env("HOME", file.parent().unwrap())
        .output()
        .unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// What go says of a go.mod, in the words of `ours`.
fn theirs(said: &Value) -> Value {
    let version = |one: &Value| json!([text(&one["Path"]), text(&one["Version"])]);
    json!({
        "module": text(&said["Module"]["Path"]),
        "go": text(&said["Go"]),
        "toolchain": text(&said["Toolchain"]),
        "require": list(&said["Require"]).iter().map(|one| json!([
            text(&one["Path"]), text(&one["Version"]), one["Indirect"] == json!(true)
        ])).collect::<Vec<_>>(),
        "exclude": list(&said["Exclude"]).iter().map(version).collect::<Vec<_>>(),
        "replace": list(&said["Replace"]).iter().map(|one| {
            json!([version(&one["Old"]), version(&one["New"])])
        }).collect::<Vec<_>>(),
        "retract": list(&said["Retract"]).iter().map(|one| {
            json!([text(&one["Low"]), text(&one["High"])])
        }).collect::<Vec<_>>(),
        "tool": list(&said["Tool"]).iter().map(|one| one["Path"].clone()).collect::<Vec<_>>(),
        "use": list(&said["Use"]).iter().map(|one| one["DiskPath"].clone()).collect::<Vec<_>>(),
    })
}

fn pair(module: &ModuleVersion) -> Value {
    json!([module.path, module.version])
}

fn ours(read: &go_mod::GoMod) -> Value {
    let line = |at: &Option<goroam::gomod::At<String>>| {
        at.as_ref().map_or(String::new(), |at| at.value.clone())
    };
    json!({
        "module": line(&read.module),
        "go": line(&read.go),
        "toolchain": line(&read.toolchain),
        "require": read.require.iter().map(|one| {
            json!([one.module.path, one.module.version, one.indirect])
        }).collect::<Vec<_>>(),
        "exclude": read.exclude.iter().map(|one| pair(&one.value)).collect::<Vec<_>>(),
        "replace": read.replace.iter().map(|one| {
            json!([pair(&one.old), pair(&one.new)])
        }).collect::<Vec<_>>(),
        "retract": read.retract.iter().map(|one| {
            json!([one.value.low, one.value.high])
        }).collect::<Vec<_>>(),
        "tool": read.tool.iter().map(|one| json!(one.value)).collect::<Vec<_>>(),
        "use": [],
    })
}

/// Every `.mod` and go.mod below a folder.
fn found(below: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "mod") {
            out.push(path);
        }
    }
}

#[test]
fn real_files_are_read_as_go_reads_them() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let root = go.parent().unwrap().parent().unwrap();
    let mut files = vec![root.join("src/go.mod"), root.join("src/cmd/go.mod")];
    found(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab"),
        &mut files,
    );
    // The go.mod files of the lab's modules, where the lab has been set up.
    found(Path::new("/var/tmp/goroam-lab/tree"), &mut files);
    assert!(files.len() >= 4, "{files:?}");
    let home = tempfile::tempdir().unwrap();
    let copy = home.path().join("go.mod");
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(&copy, &text).unwrap();
        let said = edit(&go, "mod", &copy);
        let read = go_mod::parse(&text);
        assert_eq!(
            said.status.success(),
            read.faults.is_empty(),
            "{}: {read:?}",
            file.display()
        );
        if said.status.success() {
            let said: Value = serde_json::from_slice(&said.stdout).unwrap();
            assert_eq!(ours(&read), theirs(&said), "{}", file.display());
        }
    }
    println!("{} files", files.len());
}

/// Lines, each put behind `module m` and `go 1.21` (where it does not bring its own).
const LINES: &[&str] = &[
    "require a.test/b v1.0.0",
    "require \"a.test/b\" \"v1.0.0\"",
    "require `a.test/b` v1.0.0",
    "require 'a.test/b' v1.0.0",
    "require a.test/b v1",
    "require a.test/b v1.2 // indirect",
    "require a.test/b v1.2.3+meta // indirect; why",
    "require a.test/b v2.0.0",
    "require a.test/b v2.0.0+incompatible",
    "require a.test/b/v2 v2.0.0//indirect",
    "require a.test/b/v1 v1.0.0",
    "require a.test/b/v2.1 v2.1.0",
    "require gopkg.in/yaml.v2 v2.2.1",
    "require gopkg.in/yaml v1.0.0",
    "require gopkg.in/check.v1 v0.0.0-20161208181325-20d25e280405",
    "require gopkg.in/x.v2-unstable v2.0.0",
    "require a.test/b master",
    "require a.test/b",
    "require a.test/b v1.0.0 x",
    "require (\n\ta.test/b v1.0.0 // indirect\n\n\t// why\n\ta.test/c v1.0.0\n)",
    "require ()",
    "require (\r\n\ta.test/b v1.0.0\r\n)\r",
    "require (\n\ta.test/b v1.0.0",
    "require (\n\ta.test/b v1.0.0\n) x",
    "require x (\n\ta.test/b v1.0.0\n)",
    "exclude a.test/b v1.0.0",
    "replace a.test/b => ../b",
    "replace a.test/b v1.0.0 => ../b",
    "replace a.test/b => /srv/b",
    "replace a.test/b => \"../b c\"",
    "replace a.test/b => file:///srv/b",
    "replace a.test/b => ../b v1.0.0",
    "replace a.test/b => x.test/b@v1.0.0",
    "replace a.test/b => x.test/b v1.0.0",
    "replace a.test/b v1.2 => x.test/b v1.3",
    "replace a.test/b => x.test/b",
    "replace a.test/b v2.0.0 => x.test/b v1.0.0",
    "replace a.test/b/v1 => ../b",
    "replace a.test/b",
    "replace a.test/b ../b",
    "replace => ../b",
    "replace (\n\ta.test/b => ./b\n)",
    "retract v1.0.0",
    "retract [v1.0.0, v1.1.0] // why",
    "retract (\n\t[v1.0.0,v1.1.0]\n\tv1.2.0\n)",
    "retract [v1.0.0",
    "retract (v1.0.0)",
    "retract",
    "toolchain go1.21.0",
    "toolchain default",
    "toolchain 1.21.0",
    "toolchain go1\ntoolchain go1",
    "godebug default=go1.21",
    "godebug default",
    "tool a.test/b/cmd/x",
    "tool a b",
    "ignore ./web",
    "go 1.22",
    "/* no */",
    "require a.test/b v1.0.0 /* no */",
    "require \"a.test/b v1.0.0",
    "// only a comment",
    "module n",
];

#[test]
fn what_go_refuses_is_a_fault_and_what_it_takes_is_none() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("go.mod");
    for line in LINES {
        let written = format!("module m\n\ngo 1.21\n\n{line}\n");
        std::fs::write(&file, &written).unwrap();
        let said = edit(&go, "mod", &file);
        let read = go_mod::parse(&written);
        let stderr = String::from_utf8_lossy(&said.stderr);
        let fine = read.faults.is_empty() && read.unknown.is_empty();
        assert_eq!(said.status.success(), fine, "{line}: {stderr}{read:?}");
        if said.status.success() {
            let said: Value = serde_json::from_slice(&said.stdout).unwrap();
            assert_eq!(ours(&read), theirs(&said), "{line}");
        } else if let Some(fault) = read.faults.first().filter(|fault| {
            // Of these ours are in words of one line, or count from the block's start.
            ![
                "usage",
                "syntax error",
                "unexpected",
                "expected",
                "mod files",
            ]
            .iter()
            .any(|w| fault.message.starts_with(w))
        }) {
            let wanted = format!("go.mod:{}: {}", fault.line, fault.message);
            assert!(stderr.contains(&wanted), "{line}: {wanted:?} in {stderr}");
        }
    }
}

#[test]
fn a_workspace_is_read_as_go_reads_it() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("go.work");
    for (written, fine) in [
        (
            "go 1.22\ntoolchain go1.24.1\nuse ./a\nuse (\n\t./b\n\t\"../c d\"\n)\nreplace x.test/y v1.0.0 => ./y\n",
            true,
        ),
        ("go 1.22\r\nuse ./a\r\n", true),
        ("use ./a ./b\n", false),
        ("go 1.22\nrequire x.test/y v1.0.0\n", false),
        ("go 1.22\nreplace x.test/y => file:///y\n", false),
    ] {
        std::fs::write(&file, written).unwrap();
        let said = edit(&go, "work", &file);
        let read = go_work::parse(written);
        assert_eq!(said.status.success(), fine, "{written}");
        assert_eq!(
            read.faults.is_empty() && read.unknown.is_empty(),
            fine,
            "{written}: {read:?}"
        );
        if !fine {
            continue;
        }
        let said = theirs(&serde_json::from_slice(&said.stdout).unwrap());
        let used: Vec<_> = read.r#use.iter().map(|one| json!(one.value)).collect();
        assert_eq!(json!(used), said["use"]);
        assert_eq!(json!(read.go_version()), said["go"]);
        let replaced: Vec<_> = read
            .replace
            .iter()
            .map(|one| json!([pair(&one.old), pair(&one.new)]))
            .collect();
        assert_eq!(json!(replaced), said["replace"]);
    }
}
