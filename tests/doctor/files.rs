//! `goroam doctor` on files of a project that go refuses as they are: what it advises is taken at
//! its word, and a real go builds again.

use std::path::Path;
use std::process::Command;

use goroam::gomod::go_mod;
use serde_json::Value;

use crate::modcache::{Home, all};

const VERSIONS: [&str; 3] = ["1.21.13", "1.24.11", "1.27.3"];

/// `goroam doctor` in the project, with that go alone: its findings.
fn doctor(home: &Home) -> Vec<Value> {
    let mut command = home.command(Path::new(env!("CARGO_BIN_EXE_goroam")));
    let path = format!("{}:/usr/bin:/bin", home.go_folder().display());
    command
        .env("PATH", path)
        .env_remove("GOFLAGS")
        .env_remove("GOSUMDB");
    let done = command.args(["doctor", "--json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    let found = json["findings"].as_array();
    found.unwrap_or_else(|| panic!("{}", all(&done))).clone()
}

/// Those about a file of the project that are errors.
fn about(home: &Home, file: &str) -> Vec<Value> {
    let mut found = doctor(home);
    found.retain(|one| {
        let place = one["place"].as_str().unwrap_or_default();
        one["severity"] == "error" && place.starts_with(&format!("~/app/{file}"))
    });
    found
}

fn builds(home: &Home) -> bool {
    let mut go = home.command(&home.go_folder().join("go"));
    go.env("GOPROXY", "off").env_remove("GOFLAGS");
    let done = go.args(["build", "./..."]).output().unwrap();
    done.status.success()
}

/// Carries out what stands between backquotes in the advice.
#[track_caller]
fn follow(home: &Home, finding: &Value, folder: &str) {
    let mend = finding["mend"].as_str().unwrap();
    let script = mend.split('`').nth(1).unwrap();
    let mut sh = Command::new("sh");
    let done = sh
        .args(["-c", script])
        .current_dir(home.path(folder))
        .output();
    let done = done.unwrap();
    assert!(done.status.success(), "{script}: {}", all(&done));
}

fn utf16(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    [0xff, 0xfe].into_iter().chain(units).collect()
}

#[test]
fn a_file_in_another_encoding_is_named_and_can_be_saved_again() {
    for version in VERSIONS {
        let Some(home) = Home::new(version) else {
            return;
        };
        let home = home.filled();
        assert!(builds(&home));
        for file in ["go.mod", "go.sum"] {
            let was = std::fs::read(home.path(&format!("app/{file}"))).unwrap();
            let marked = [b"\xef\xbb\xbf".as_slice(), &was].concat();
            for bytes in [marked, utf16(&was)] {
                home.write(&format!("app/{file}"), &bytes);
                assert!(!builds(&home) || file == "go.sum", "{version} {file}");
                let found = about(&home, file);
                assert_eq!(found.len(), 1, "{version} {file}: {found:?}");
                follow(&home, &found[0], "app");
                assert_eq!(
                    std::fs::read(home.path(&format!("app/{file}"))).unwrap(),
                    was
                );
                assert!(builds(&home) && about(&home, file).is_empty());
            }
        }
    }
}

#[test]
fn two_hashes_of_one_version_are_named_with_both_lines() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    let home = home.filled();
    let was = String::from_utf8(std::fs::read(home.path("app/go.sum")).unwrap()).unwrap();
    let line = was
        .lines()
        .find(|line| line.contains("google/uuid v1.3.0 h1:"));
    let (name, _) = line.unwrap().rsplit_once(" h1:").unwrap();
    let other = format!("{name} h1:{}=\n", "A".repeat(43));
    home.write("app/go.sum", [other.as_str(), &was].concat());
    assert!(!builds(&home));
    let found = about(&home, "go.sum");
    assert_eq!(found.len(), 1, "{found:?}");
    let says = found[0]["says"].as_str().unwrap();
    assert!(
        says.contains("github.com/google/uuid v1.3.0") && says.contains("line 1"),
        "{says}"
    );
    // Both lines out, and `go mod tidy` with a good proxy.
    home.write("app/go.sum", was.replace(line.unwrap(), ""));
    assert!(home.go(&["mod", "tidy"]).status.success());
    assert!(builds(&home) && about(&home, "go.sum").is_empty());
}

#[test]
fn a_directive_that_the_go_at_hand_refuses_is_named() {
    for (version, lines, refused) in [
        ("1.21.13", "tool x.test/y\n", true),
        ("1.21.13", "godebug default=go1.20\n", true),
        ("1.21.13", "toolchain go1.21.0\n", false),
        ("1.24.11", "ignore (\n\t./web\n)\n", true),
        ("1.24.11", "godebug default=go1.20\n", false),
        ("1.27.3", "ignore ./web\n", false),
        ("1.27.3", "future x\n", true),
    ] {
        let Some(home) = Home::new(version) else {
            return;
        };
        home.write(
            "app/go.mod",
            format!("module x.test/app\n\ngo 1.21\n{lines}"),
        );
        home.write("app/app.go", "package app\n");
        assert_eq!(!builds(&home), refused, "go {version}: {lines}");
        let found = about(&home, "go.mod");
        assert_eq!(!found.is_empty(), refused, "go {version}: {lines}{found:?}");
    }
}

/// Whatever go stops at in a workspace or before it has read a module is named; what it takes is
/// not.
#[test]
fn a_project_that_go_refuses_as_a_whole_is_named_as_go_says() {
    let d = "mkdir d && printf 'module x.test/d\\n\\ngo 1.20\\n' >d/go.mod && ";
    for (script, refused) in [
        ("true".to_owned(), false),
        (
            format!("{d}printf 'go 1.21\\nuse .\\nuse ./d\\n' >go.work"),
            false,
        ),
        (
            "printf 'go 1.21\\nuse .\\nuse ./none\\n' >go.work".to_owned(),
            true,
        ),
        (
            "mkdir d && printf 'go 1.21\\nuse .\\nuse ./d\\n' >go.work".to_owned(),
            true,
        ),
        (
            "printf 'go 1.21\\nuse .\\nuse ./.\\n' >go.work".to_owned(),
            true,
        ),
        ("printf 'go 1.21\\nuse (\\n.\\n' >go.work".to_owned(), true),
        ("printf 'go 1.99\\nuse .\\n' >go.work".to_owned(), true),
        ("printf 'go 1.21\\nfuse .\\n' >go.work".to_owned(), true),
        ("printf 'go 1.20\\nuse .\\n' >go.work".to_owned(), true),
        (
            format!("{d}cp go.mod d && printf 'go 1.21\\nuse .\\nuse ./d\\n' >go.work"),
            true,
        ),
        (format!("{d}printf 'go 1.21\\nuse ./d\\n' >go.work"), true),
        ("ln -s none go.work".to_owned(), false),
        ("rm go.mod && mkdir go.mod".to_owned(), true),
        ("rm go.mod && ln -s none go.mod".to_owned(), true),
        ("mv go.mod real && ln -s real go.mod".to_owned(), false),
        (": >go.mod".to_owned(), true),
        (
            "printf 'require x.test/y v1.0.0\\nrequire x.test/y v1.1.0\\n' >>go.mod".to_owned(),
            true,
        ),
        ("ln -s none vendor".to_owned(), false),
        (
            "mkdir vendor && printf '\\nreplace x.test/y => ./y\\n' >>go.mod".to_owned(),
            true,
        ),
    ] {
        for version in ["1.21.13", "1.27.3"] {
            let Some(home) = Home::new(version) else {
                return;
            };
            home.write("app/go.mod", "module x.test/app\n\ngo 1.21\n");
            home.write("app/app.go", "package app\n");
            let mut sh = Command::new("sh");
            let done = sh.args(["-ec", &script]).current_dir(home.path("app"));
            assert!(done.status().unwrap().success(), "{script}");
            let mut go = home.command(&home.go_folder().join("go"));
            go.env("GOPROXY", "off").env_remove("GOFLAGS");
            let built = go.args(["build", "."]).output().unwrap().status.success();
            assert_eq!(!built, refused, "go {version}: {script}");
            let mut found = doctor(&home);
            found.retain(|one| {
                let code = one["code"].as_str().unwrap();
                let of_files = code.starts_with("go") || code.starts_with("vendor");
                let fetched = code == "toolchain-fetched";
                (of_files && one["severity"] != "note" || fetched) && code != "goroot-set"
            });
            // A link to nothing is told, although go passes it over.
            let named = refused || script.ends_with("none go.work");
            assert_eq!(
                !found.is_empty(),
                named,
                "go {version}: {script}: {found:?}"
            );
        }
    }
}

/// Each go.mod is that of a dependency: does go read it, and does goroam say the same?
#[test]
fn the_go_mod_of_a_dependency_is_read_as_go_reads_it() {
    let contents: Vec<Vec<u8>> = [
        "module a.test/NAME\n",
        "module a.test/NAME",
        "module\ta.test/NAME\r\n\r\ngo 1.17\r\n",
        "module(\n\ta.test/NAME\n)\n",
        "module (\n\ta.test/NAME // why\n)\n",
        "module ( a.test/NAME )\n",
        "module \"a.test/NAME\"\n",
        "module\"a.test/NAME\"\n",
        "module `a.test/NAME`\n",
        "module 'a.test/NAME'\n",
        "module a.test/NAME v1\n",
        "module a.test/NAME\nmodule a.test/NAME\n",
        "// Deprecated: no\nmodule a.test/NAME\n",
        "/* no */\nmodule a.test/NAME\n",
        "module a.test/NAME /* no */\n",
        "\u{feff}module a.test/NAME\n",
        "\u{200b}module a.test/NAME\n",
        "// \u{feff}\nmodule a.test/NAME\n",
        "module a.test/NAME\ngo 1.x\n",
        "module a.test/NAME\ngo v1.15\n",
        "module a.test/NAME\ngo 1.15.x\n",
        "module a.test/NAME\ngo 1.15rc\n",
        "module a.test/NAME\ngo 1\n",
        "module a.test/NAME\ngo 1.15\ngo 1.16\n",
        "module a.test/NAME\ngo\n",
        "module a.test/NAME\nfuture x y z\nfuture (\n\tx\n)\n",
        "module a.test/NAME\nreplace x => file:///y\nexclude x\n",
        "module a.test/NAME\nretract [v1.0.0, \n",
        "module a.test/NAME\nretract x\n",
        "module a.test/NAME\ntoolchain nonsense\n",
        "module a.test/NAME\nrequire x\n",
        "module a.test/NAME\nrequire x master\n",
        "module a.test/NAME\nrequire (\n",
        "module a.test/NAME\nrequire (\n) x\n",
        "module a.test/NAME\n)\n",
        "module a.test/NAME\n\"open\n",
        "module a.test/NAME\n<<<<<<< HEAD\n=======\n>>>>>>> x\n",
        "go 1.20\n",
        "module\n",
        "module // x\n",
        "",
        "<html>login</html>\n",
        "{\"error\":\"login\"}\n",
        "module a.test/NAME\0\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        b"// caf\xe9\nmodule a.test/NAME\n".to_vec(),
        utf16(b"module a.test/NAME\n"),
    ])
    .collect();
    for version in ["1.24.11", "1.27.3"] {
        let Some(home) = Home::new(version) else {
            return;
        };
        for (number, content) in contents.iter().enumerate() {
            let name = format!("m{number}");
            let content = replaced(content, name.as_bytes());
            let folder = format!("proxy/a.test/{name}/@v");
            home.write(&format!("{folder}/v1.0.0.mod"), &content);
            home.write(&format!("{folder}/v1.0.0.info"), "{\"Version\":\"v1.0.0\"}");
            home.write(&format!("{folder}/list"), "v1.0.0\n");
            home.write("app/app.go", "package app\n");
            home.write("app/go.sum", "");
            let needs = format!("module x.test/app\n\ngo 1.16\n\nrequire a.test/{name} v1.0.0\n");
            home.write("app/go.mod", needs);
            let proxy = format!("file://{}", home.path("proxy").display());
            let done = home.go_from(&proxy, &["mod", "graph"]);
            let said = go_mod::dependency(&content);
            assert_eq!(
                said.is_ok(),
                done.status.success(),
                "go {version}, {:?}: {said:?}\n{}",
                String::from_utf8_lossy(&content),
                all(&done)
            );
        }
    }
}

/// NAME in the bytes by another.
fn replaced(bytes: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(4).position(|four| four == b"NAME") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + 4..];
    }
    out.extend_from_slice(rest);
    out
}
