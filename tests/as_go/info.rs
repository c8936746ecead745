//! `.info` is decoded as real go commands decode it: what one of them refuses, `info_version` refuses.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use goroam::gomod::form::info_version;

use crate::go;

/// Bodies of `.info`; `V` in quotes is the version that is asked for.
fn bodies() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        // Names.
        r#"{"Version":"V"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05Z"}"#,
        r#"{"version":"V","time":"2024-01-02T03:04:05Z"}"#,
        r#"{"VERSION":"V"}"#,
        r#"{"Ver\u017fion":"V"}"#,
        r#"{"Verſion":"V"}"#,
        r#"{"\u0056ersion":"V"}"#,
        r#"{"Vers_ion":"V"}"#,
        r#"{"Vers-ion":"V"}"#,
        r#"{"Version ":"V"}"#,
        r#"{"Versión":"V"}"#,
        // Several.
        r#"{"Version":"v9.9.9","Version":"V"}"#,
        r#"{"Version":"V","Version":"v9.9.9"}"#,
        r#"{"Version":"V","version":"v9.9.9"}"#,
        r#"{"version":"v9.9.9","Version":"V"}"#,
        r#"{"Version":"V","Version":null}"#,
        r#"{"Version":1,"Version":"V"}"#,
        r#"{"Version":"V","Time":"x","Time":"2024-01-02T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05Z","time":""}"#,
        // Versions.
        "{}",
        "null",
        r#"{"Version":null}"#,
        r#"{"Version":""}"#,
        r#"{"Version":"v9.9.9"}"#,
        r#"{"Version":1}"#,
        r#"{"Version":["V"]}"#,
        r#"{"Version":{"V":1}}"#,
        r#"{"Version":true}"#,
        r#"{"Version":"V "}"#,
        // Documents.
        "",
        " ",
        "[]",
        "true",
        "1",
        r#""V""#,
        "<html>",
        "not found",
        r#"[{"Version":"V"}]"#,
        r#"{"Version":"V"} x"#,
        r#"{"Version":"V"}{}"#,
        r#"{"Version":"V"},"#,
        "\u{feff}{\"Version\":\"V\"}",
        " \t\r\n{ \"Version\" : \"V\" } \t\r\n",
        "\u{c}{\"Version\":\"V\"}",
        "\u{a0}{\"Version\":\"V\"}",
        r#"{"Version":"V",}"#,
        r#"{"Version":"V""#,
        r#"{"Version":'V'}"#,
        r#"{Version:"V"}"#,
        r#"{"Version":"V" // a comment
}"#,
        "{\"Version\":\"V\"}\0",
        // Times.
        r#"{"Version":"V","Time":null}"#,
        r#"{"Version":"V","Time":""}"#,
        r#"{"Version":"V","Time":"null"}"#,
        r#"{"Version":"V","Time":1704164645}"#,
        r#"{"Version":"V","Time":{}}"#,
        r#"{"Version":"V","Time":[]}"#,
        r#"{"Version":"V","Time":false}"#,
        r#"{"Version":"V","Time":"2024-01-02 03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02t03:04:05z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05.123456789Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05.12345678901234567890Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05,5Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05.Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T3:04:05Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:4:05Z"}"#,
        r#"{"Version":"V","Time":"2024-1-02T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T24:00:00Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T23:60:00Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T23:59:60Z"}"#,
        r#"{"Version":"V","Time":"2024-00-02T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2024-13-02T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2024-02-29T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2023-02-29T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"1900-02-29T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2000-02-29T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2024-04-31T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2024-01-00T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"0000-01-01T00:00:00Z"}"#,
        r#"{"Version":"V","Time":"9999-12-31T23:59:59Z"}"#,
        r#"{"Version":"V","Time":"10000-01-01T00:00:00Z"}"#,
        r#"{"Version":"V","Time":"-001-01-01T00:00:00Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05+08:00"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05-00:00"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05+24:00"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05+25:00"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05+00:60"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05+00:61"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05+0800"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05+08"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05 08:00"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05Z "}"#,
        r#"{"Version":"V","Time":" 2024-01-02T03:04:05Z"}"#,
        r#"{"Version":"V","Time":"2024-01-02T03:04:05ZZ"}"#,
        r#"{"Version":"V","Time":"2024-01-02\u005403:04:05Z"}"#,
        r#"{"Version":"V","Time":"２024-01-02T03:04:05Z"}"#,
        // Origins.
        r#"{"Version":"V","Origin":null}"#,
        r#"{"Version":"V","Origin":{}}"#,
        r#"{"Version":"V","Origin":{"VCS":"git","URL":"https://a.test/m","Hash":"1","Ref":"r"}}"#,
        r#"{"Version":"V","Origin":"git"}"#,
        r#"{"Version":"V","Origin":[]}"#,
        r#"{"Version":"V","Origin":1}"#,
        r#"{"Version":"V","origin":false}"#,
        r#"{"Version":"V","Origin":{"VCS":1}}"#,
        r#"{"Version":"V","Origin":{"url":{}}}"#,
        r#"{"Version":"V","Origin":{"Subdir":[]}}"#,
        r#"{"Version":"V","Origin":{"TAGſUM":1}}"#,
        r#"{"Version":"V","Origin":{"TagPrefix":null}}"#,
        r#"{"Version":"V","Origin":{"RepoSum":true}}"#,
        r#"{"Version":"V","Origin":{"Ref":1,"Ref":"x"}}"#,
        r#"{"Version":"V","Origin":{"Hash":1},"Origin":null}"#,
        r#"{"Version":"V","Origin":{"Other":1}}"#,
        // What go does not know is passed over.
        r#"{"Version":"V","Name":1,"Short":[]}"#,
        r#"{"Version":"V","x":1e999,"y":-0.0E+1,"z":123456789012345678901234567890}"#,
        r#"{"Version":"V","x":01}"#,
        r#"{"Version":"V","x":.5}"#,
        r#"{"Version":"V","x":1.}"#,
        r#"{"Version":"V","x":+1}"#,
        r#"{"Version":"V","x":NaN}"#,
        r#"{"Version":"V","x":nul}"#,
        r#"{"Version":"V","x":True}"#,
        r#"{"Version":"V","x":"\ud800"}"#,
        r#"{"Version":"V","x":"\x41"}"#,
        r#"{"Version":"V","x":"\u12g4"}"#,
        "{\"Version\":\"V\",\"x\":\"\t\"}",
        "{\"Version\":\"V\",\"x\":\"\u{7f}\"}",
        r#"{"Version":"V","x":{"a":[1,{"b":null}],"a":2}}"#,
        r#"{"Version":"V","x":[1,]}"#,
        r#"{"Version":"V","x":{"a"}}"#,
        r#"{"Version":"V","":0}"#,
        r#"{1:"V"}"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    all.push(b"{\"Version\":\"V\",\"x\":\"\xff\xfe\"}".to_vec());
    all.push(b"{\"Version\":\"V\",\"\xff\":1}".to_vec());
    all.push(b"{\"Version\":\"V\xff\"}".to_vec());
    all.push(b"{\"Version\":\"V\"}\xff".to_vec());
    for depth in [200, 9_998, 9_999, 10_000, 10_001] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        all.push(format!(r#"{{"Version":"V","x":{nested}}}"#).into_bytes());
        let nested = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        all.push(format!(r#"{{"Version":"V","Origin":{{"x":{nested}}}}}"#).into_bytes());
    }
    all
}

fn version(number: usize) -> String {
    format!("v0.0.{}", number + 1)
}

fn replaced(body: &[u8], version: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\"V") {
        let (before, after) = rest.split_at(at + 1);
        out.extend_from_slice(before);
        // `"Version"` is no placeholder.
        match after.get(1) {
            Some(b'"' | b' ' | 0xff) => {
                out.extend_from_slice(version.as_bytes());
                rest = &after[1..];
            }
            _ => rest = after,
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Which versions go takes from a file proxy, with its error for the others.
fn taken(go: &Path, proxy: &Path) -> BTreeMap<String, Option<String>> {
    let home = tempfile::tempdir().unwrap();
    let asked = (0..bodies().len()).map(|number| format!("a.test/m@{}", version(number)));
    let out = Command::new(go)
        .args(["list", "-m", "-e", "-f"])
        // Not as JSON: go reads an offset of 24 hours and then cannot write it.
        .arg("{{.Version}} {{with .Error}}{{printf \"%q\" .Err}}{{end}}")
        .args(asked)
        .env_clear()
        .env("HOME", home.path())
        .env("GOPATH", home.path().join("go"))
        .env("GOFLAGS", "-modcacherw")
        .env("GOENV", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOSUMDB", "off")
        .env("GOPROXY", format!("file://{}", proxy.display()))
        .current_dir(home.path())
        .output()
        .unwrap();
    let listed = String::from_utf8(out.stdout).unwrap();
    let taken: BTreeMap<_, _> = listed
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(version, error)| (version.to_owned(), error.to_owned()))
        .map(|(version, error)| (version, (!error.is_empty()).then_some(error)))
        .collect();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(taken.len(), bodies().len(), "{said}");
    taken
}

#[test]
fn what_go_refuses_is_refused_and_what_it_takes_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("a.test/m/@v");
    std::fs::create_dir_all(&place).unwrap();
    for (number, body) in bodies().iter().enumerate() {
        let version = version(number);
        let info = replaced(body, &version);
        std::fs::write(place.join(format!("{version}.info")), info).unwrap();
        std::fs::write(place.join(format!("{version}.mod")), "module a.test/m\n").unwrap();
    }
    for release in go::VERSIONS {
        let Some(go) = go::go(release) else { continue };
        let taken = taken(&go, dir.path());
        let mut both = [0, 0];
        for (number, body) in bodies().iter().enumerate() {
            let version = version(number);
            let ours = info_version(&replaced(body, &version));
            let ours = ours.map(|named| named == version);
            let theirs = &taken[&version];
            both[usize::from(theirs.is_none())] += 1;
            let text = String::from_utf8_lossy(body);
            let text: String = text.chars().take(120).collect();
            // Where they disagree, what any of them refuses is refused: 1.21 does not look at
            // the size of an offset, 1.27 resolves escapes in a time.
            let alone: &[&str] = match release {
                "1.21.13" => &["+25:00", "+00:61"],
                "1.27.3" => &["02\\u00540"],
                _ => &[],
            };
            let lenient = alone.iter().any(|part| text.contains(part));
            assert_eq!(
                ours == Ok(true) || lenient,
                theirs.is_none(),
                "go {release}: {theirs:?}, here: {ours:?}: {text}"
            );
        }
        assert!(both[0] > 60 && both[1] > 30, "{both:?}");
    }
}
