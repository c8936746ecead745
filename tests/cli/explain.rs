//! `goroam explain`: what real go commands print, in a pipe.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::cli::User;
use crate::go;

/// `… 2>&1 | goroam explain --json`.
fn explained(user: &User, text: &[u8]) -> Output {
    let mut command = user.goroam("explain --json").command();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn what_a_real_go_prints_leads_to_the_right_entry() {
    let user = User::new();
    user.write("app/go.mod", "module example.test/app\n\ngo 1.21\n");
    for version in go::VERSIONS {
        let Some(go) = go::go(version) else {
            return;
        };
        for (goproxy, words, code) in [
            (
                "https://me:secret@127.0.0.1:1",
                "mod download a.test/b@v1.0.0",
                "refused",
            ),
            ("off", "mod download a.test/b@v1.0.0", "config"),
            (
                "file:///nowhere",
                "mod download a.test/b@v1.0.0",
                "not-found",
            ),
            ("off", "env -w GOPROXY=direct", "shadowed"),
            ("http://127.0.0.1:1", "build ./none", "none"),
        ] {
            let run = user.run(go.to_str().unwrap()).args(words);
            let run = run.env("GOPROXY", goproxy).env("GOTOOLCHAIN", "local");
            let mut command = run.env("GOFLAGS", "-modcacherw").command();
            let said = command
                .current_dir(user.path("app"))
                .output()
                .unwrap()
                .stderr;
            let output = explained(&user, &said);
            let told = String::from_utf8(output.stdout).unwrap();
            let text = format!(
                "{version} {words}: {}\n{told}",
                String::from_utf8_lossy(&said)
            );
            if code == "none" {
                assert_eq!(output.status.code(), Some(1), "{text}");
                continue;
            }
            assert_eq!(output.status.code(), Some(0), "{text}");
            let told: serde_json::Value = serde_json::from_str(&told).unwrap();
            assert_eq!(told["codes"][0], code, "{text}");
            assert!(!told.to_string().contains("secret"), "{told}");
        }
    }
}

#[test]
fn a_pipe_of_any_size_and_any_bytes_is_read() {
    let user = User::new();
    let mut text = b"\xff\xfe\x1b[31m compiling\n".repeat(100_000);
    text.extend(
        b"go: a.test/b@v1.0.0: Get \"https://p.test/x\": dial tcp: lookup p.test: no such host\n",
    );
    let told = explained(&user, &text);
    assert!(String::from_utf8_lossy(&told.stdout).contains("\"dns\""));
    let told = explained(&user, &b"x".repeat(1000));
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stderr).contains("no failure that goroam knows"));
}
