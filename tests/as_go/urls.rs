//! URLs and proxy variables, held against Go's own `net/url` and `httpproxy` in three releases:
//! a small program says what they make of some thousand values.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use goroam::gocmd::GoVersion;
use goroam::model::go_proxy::Exceptions;
use goroam::model::{GoProxy, GoRelease, GoUrl};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::go;

const MAIN: &str = include_str!("urls/main.go");

/// Values that people write, and those that a parser is caught with.
const URLS: [&str; 56] = [
    "",
    "*",
    "http://p.test",
    "http://p.test:3128/",
    "HTTP://P.test",
    "http:p.test",
    "http:/p.test",
    "http:///p.test",
    "http:////p.test",
    "//p.test/x",
    "///p.test",
    "p.test:3128",
    "p.test",
    ":3128",
    ":::",
    "http://:3128",
    "http://p.test:",
    "http://p.test:99999",
    "http://p.test:80a",
    "http://p.test:-1",
    "http://a:b:80",
    "foo://a:b:80",
    "postgres://a:1,b:2/x",
    "http://[::1]:80",
    "http://[::1]80",
    "http://[::1",
    "http://::1]",
    "http://[127.0.0.1]:80",
    "http://[fe80::1%25en0]:80",
    "http://[fe80::1%en0]:80",
    "http://[fe80::1%25en%200]",
    "http://[fe80::1%25]",
    "http://[::ffff:10.0.0.1]",
    "http://a[::1]:80",
    "http://[a]:80",
    "http://]a[:80",
    "http://127.1:3128",
    "http://0x7f.1",
    "http://joe@p.test",
    "http://joe:@p.test",
    "http://joe:p%40ss@p.test",
    "http://joe:p@ss@p.test",
    "http://joe:p%ss@p.test",
    "http://joe:p^s@p.test",
    "http://joe:p s@p.test",
    "http://joe:p#ss@p.test",
    "http://joe:p/ss@p.test",
    "http://p.test\r",
    " http://p.test",
    "http://p.test ",
    "http://p%41.test",
    "http://p%c3%a9.test",
    "http://pé.test",
    "http://p.test/a b%2Fc?",
    "http://p.test/x??y#%zz",
    "1http://p.test",
];

const PIECES: [&str; 44] = [
    "http",
    "https",
    "socks5",
    "foo",
    "postgres",
    ":",
    ":",
    "//",
    "/",
    "@",
    "?",
    "#",
    "[",
    "]",
    "%",
    "%25",
    "%41",
    "%zz",
    "%c3%a9",
    "::1",
    "fe80::1",
    "127.0.0.1",
    "127.1",
    "p.test",
    "a",
    "80",
    "99999",
    "0",
    " ",
    "^",
    "\t",
    "é",
    ",",
    ";",
    "+",
    "-",
    ".",
    "..",
    "*",
    "joe:pw@",
    "\"",
    "<",
    "!",
    "|",
];

const NO_PROXY: [&str; 30] = [
    "",
    "*",
    "a.test,*,b.test",
    "corp.test",
    ".corp.test",
    "*.corp.test",
    "*corp.test",
    "corp.test:8080",
    "corp.test:",
    "CORP.test ",
    "10.0.0.0/8",
    "10.0.0.0/33",
    "10.1.2.3",
    "10.1.2.3:99",
    "::ffff:10.1.2.3",
    "::ffff:10.0.0.0/104",
    "fd00::/8",
    "[fd00::1]:80",
    "[fd00::1]",
    "fd00::1",
    ":8080",
    ".2.3",
    "2.3",
    ".",
    "..",
    "[corp.test]:8080",
    "corp.test:8080:1",
    "10.1.2.3/",
    "corp.test;a.test",
    "010.1.2.3",
];

const TARGETS: [&str; 16] = [
    "http://corp.test/",
    "http://corp.test:8080/",
    "https://git.corp.test/",
    "http://mycorp.test/",
    "http://10.1.2.3/",
    "http://10.1.2.3:99/",
    "http://[fd00::1]/",
    "http://[fd00::1%25eth0]/",
    "http://[::ffff:10.1.2.3]/",
    "http://localhost:1/",
    "http://LOCALHOST/",
    "http://127.8.9.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://127.1/",
    "http://CORP.TEST/",
];

#[test]
fn every_value_is_read_as_each_release_of_go_reads_it() {
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..9);
    let mut texts: Vec<String> = URLS.iter().map(|text| (*text).to_owned()).collect();
    for i in 0..1200 {
        let pieces = strategy.new_tree(&mut runner).unwrap().current();
        // Half of them begin well, so that what follows is looked at.
        let start = ["", "http://"][i % 2];
        texts.push(format!("{start}{}", pieces.concat()));
    }
    let mut asked: Vec<Value> = Vec::new();
    for text in &texts {
        asked.push(json!({"Kind": "url", "Text": text}));
        asked.push(json!({"Kind": "request", "Text": text}));
        let url = "http://corp.test/";
        asked.push(json!({"Kind": "proxy", "Text": text, "URL": url}));
    }
    for no in NO_PROXY {
        for url in TARGETS {
            let value = "http://p.test";
            asked.push(json!({"Kind": "proxy", "Text": value, "No": no, "URL": url}));
        }
    }
    for version in go::VERSIONS {
        let Some(path) = go::go(version) else { return };
        let number = GoVersion::parse(&format!("go{version}")).unwrap().number;
        let release = GoRelease { number };
        let answers = ask(&path, &asked);
        let mut differ = Vec::new();
        for (question, answer) in asked.iter().zip(&answers) {
            let own = own(question, release);
            if own != *answer {
                differ.push(format!("{question}\n   go: {answer}\n  own: {own}"));
            }
        }
        assert!(
            differ.is_empty(),
            "go {version}: {} of {} differ\n{}",
            differ.len(),
            asked.len(),
            differ
                .iter()
                .take(12)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
}

/// What goroam makes of the same.
fn own(question: &Value, release: GoRelease) -> Value {
    let text = question["Text"].as_str().unwrap();
    match question["Kind"].as_str().unwrap() {
        "url" => of(GoUrl::parse(text, release).ok()),
        "request" => of(GoUrl::parse_request(text, release).ok()),
        _ => {
            let target = GoUrl::parse(question["URL"].as_str().unwrap(), release).unwrap();
            let usual = if target.scheme == "https" {
                "443"
            } else {
                "80"
            };
            let port = Some(target.port()).filter(|port| !port.is_empty());
            let no = question["No"].as_str().unwrap_or_default();
            let host = String::from_utf8_lossy(target.hostname()).into_owned();
            let straight = Exceptions::parse(no, release).takes_out(&host, port.unwrap_or(usual));
            let proxy = Some(text).filter(|text| !text.is_empty() && !straight);
            let proxy = proxy.and_then(|text| GoProxy::parse(text, release).ok());
            of(proxy.map(|proxy| proxy.url))
        }
    }
}

fn of(url: Option<GoUrl>) -> Value {
    let bytes = |bytes: &[u8]| {
        use base64::Engine as _;
        match bytes {
            [] => Value::Null,
            bytes => base64::engine::general_purpose::STANDARD
                .encode(bytes)
                .into(),
        }
    };
    let Some(url) = url else {
        return json!({"OK": false});
    };
    let user = url.user.as_ref();
    let password = user.and_then(|user| user.password.as_deref());
    let text = |text: &str| {
        Some(text)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    json!({
        "OK": true,
        "Scheme": text(&url.scheme),
        "Opaque": text(&url.opaque),
        "Host": bytes(&url.host),
        "Hostname": bytes(url.hostname()),
        "Port": text(url.port()),
        "Path": bytes(&url.path),
        "Escaped": bytes(url.escaped_path().as_bytes()),
        "String": bytes(url.text().as_bytes()),
        "Query": text(&url.query),
        "HasUser": user.is_some(),
        "User": bytes(user.map_or(&[], |user| user.name.as_slice())),
        "HasPass": password.is_some(),
        "Password": bytes(password.unwrap_or_default()),
    })
}

/// Builds the program with this go, which has the package `httpproxy` in its own vendor folder.
fn ask(go: &Path, asked: &[Value]) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let root = go.parent().unwrap().parent().unwrap();
    std::fs::write(dir.path().join("main.go"), MAIN).unwrap();
    std::fs::write(
        dir.path().join("go.mod"),
        "module ask\n\ngo 1.21\n\nrequire golang.org/x/net v0.0.0\n\nrequire golang.org/x/text v0.0.0\n",
    )
    .unwrap();
    let vendor = dir.path().join("vendor");
    std::fs::create_dir(&vendor).unwrap();
    let copied = Command::new("cp")
        .args(["-r", "src/vendor/golang.org"])
        .arg(&vendor)
        .current_dir(root)
        .status();
    assert!(copied.unwrap().success());
    let list = "# golang.org/x/net v0.0.0\n## explicit; go 1.21\ngolang.org/x/net/http/httpproxy\n\
        golang.org/x/net/idna\n# golang.org/x/text v0.0.0\n## explicit; go 1.21\n\
        golang.org/x/text/secure/bidirule\ngolang.org/x/text/transform\n\
        golang.org/x/text/unicode/bidi\ngolang.org/x/text/unicode/norm\n";
    std::fs::write(vendor.join("modules.txt"), list).unwrap();
    let program = dir.path().join("ask");
    let built = Command::new(go)
        .args(["build", "-mod=vendor", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", dir.path())
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0")
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    // The go command has the defaults of its own release, and not those of `go 1.21` in go.mod.
    let mut child = Command::new(&program)
        .env("GODEBUG", "urlstrictcolons=1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text: String = asked.iter().map(|one| format!("{one}\n")).collect();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let answers = out.stdout.split(|byte| *byte == b'\n');
    let answers = answers.filter(|line| !line.is_empty()).map(|line| {
        let mut said: Value = serde_json::from_slice(line).unwrap();
        if said["OK"] == false {
            said = json!({"OK": false});
        }
        // What is empty is null here and "" there.
        for (_, value) in said.as_object_mut().unwrap() {
            if value == "" {
                *value = Value::Null;
            }
        }
        said
    });
    let answers: Vec<Value> = answers.collect();
    assert_eq!(answers.len(), asked.len());
    answers
}
