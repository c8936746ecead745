//! go keeps its connections to the proxy open for later. Over HTTP/2 and TLS, with the lab's
//! nginx: a build or a test that takes its time is not mistaken for a download that has stopped.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{self, Lab, goroam_bin};

const MODULES: [&str; 4] = [
    "golang.org/x/sync@v0.1.0",
    "golang.org/x/text@v0.7.0",
    "golang.org/x/sys@v0.3.0",
    "github.com/google/uuid@v1.3.1",
];
const SLOW: Duration = Duration::from_secs(4);

/// `goroam exec` with limits of a second, against nginx over TLS.
fn exec(lab: &Lab, home: &Path, command: &[&str]) -> Command {
    let go = support::lab::go("1.27.3").unwrap();
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let mut exec = Command::new(goroam_bin());
    // With a mirror that holds it all: without, no go would be ended.
    exec.args(["exec", "--tiers", "proxy,mirror", "--summary", "json"])
        .arg("--mirror")
        .arg(lab.dir().join("tree/public"))
        .args([
            "--connect",
            "1s",
            "--first-byte",
            "1s",
            "--stall",
            "1s",
            "--",
        ])
        .args(command)
        .current_dir(home)
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("SSL_CERT_FILE", lab.dir().join("ca/all.pem"))
        .envs([("GOPROXY", "https://127.0.0.1:8443"), ("GOSUMDB", "off")])
        .envs([
            ("GOTOOLCHAIN", "local"),
            ("GOFLAGS", "-mod=mod -modcacherw"),
        ])
        .env("GOCACHE", lab.dir().join("gocache"))
        .stdin(Stdio::null());
    exec
}

#[test]
fn idle_connections_of_http2_do_not_end_a_slow_test_or_a_slow_reader() {
    let Some(lab) = Lab::get() else { return };
    let started = Command::new(support::lab::script("proxy"))
        .arg("start")
        .status();
    assert!(started.unwrap().success());
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    file(
        "go.mod",
        "module w.test/w\n\ngo 1.21\n\nrequire golang.org/x/sync v0.1.0\n",
    );
    file(
        "w_test.go",
        "package w\n\nimport (\n\t\"testing\"\n\t\"time\"\n\n\t_ \"golang.org/x/sync/errgroup\"\n)\n\n\
         func TestSlow(t *testing.T) { time.Sleep(4 * time.Second) }\n",
    );
    let begun = Instant::now();
    let done = exec(&lab, home.path(), &["go", "test", "."])
        .output()
        .unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("go: downloading golang.org/x/sync"), "{said}");
    assert!(said.contains("\"class\":\"ok\""), "{said}");
    assert!(begun.elapsed() > SLOW);

    // Nothing but go is left then, with its connections, and waits for its reader.
    let format = "{{printf \"%400000s\" .Path}}";
    let list = [
        &["go", "list", "-m", "-versions", "-f", format][..],
        &MODULES,
    ]
    .concat();
    let mut child = exec(&lab, home.path(), &list)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(SLOW);
    assert!(
        has_socket(child.id()),
        "go keeps no connection: this proves nothing"
    );
    let mut out = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("\"class\":\"ok\""), "{said}");
    assert!(out.len() > 4 * 400_000);
}

/// Does a child of this process have a connection?
fn has_socket(parent: u32) -> bool {
    let children = Command::new("pgrep")
        .args(["-P", &parent.to_string()])
        .output();
    let children = String::from_utf8(children.unwrap().stdout).unwrap();
    let mut links = children.split_whitespace().flat_map(|pid| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
    });
    links.any(|link| link.to_string_lossy().starts_with("socket:"))
}
