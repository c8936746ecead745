//! Falling back request by request inside one run of the command: real go, servers that misbehave.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::go;
use crate::steps::{BUILD, Desk, closed, serve, status};

/// Serves each connection on a thread of its own.
fn threaded(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || answer(stream));
        }
    });
    format!("http://{address}")
}

/// Accepts, and never answers.
fn silent() -> String {
    threaded(|mut stream| drop(stream.read_to_end(&mut Vec::new())))
}

/// Serves the tree; the paths that it was asked for.
fn good(tree: &Path) -> (String, Arc<Mutex<Vec<String>>>) {
    let (tree, asked) = (PathBuf::from(tree), Arc::new(Mutex::new(Vec::new())));
    let log = asked.clone();
    let url = threaded(move |mut stream| {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let file = std::fs::read(tree.join(path.trim_start_matches('/')));
        log.lock().unwrap().push(path);
        let (line, body) = match file {
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {line}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        drop(stream.write_all(&[head.as_bytes(), &body].concat()));
    });
    (url, asked)
}

impl Desk {
    /// Makes this proxy a target of the policy: then it is known to be public.
    fn make_public(&self, proxy: &str) {
        let text = format!(
            "version = 1\n[target.t]\ngoproxy = \"{proxy}\"\n[[profile]]\nname = \"only\"\n"
        );
        let file = ".config/goroam/goroam.toml";
        self.project.user.write(file, text);
        self.project.user.goroam("check").exits(0);
    }
}

/// Counts its runs, and builds twice.
const TWO_BUILDS: &str = "echo run >>runs; go build -o /dev/null && go test .";

fn runs(desk: &Desk) -> usize {
    let runs = std::fs::read_to_string(desk.project.user.path("w/runs"));
    runs.unwrap_or_default().lines().count()
}

#[test]
fn a_public_proxy_that_fails_is_passed_over_in_one_run_of_the_command() {
    for version in go::VERSIONS {
        for separator in [",", "|"] {
            for (what, first) in [("hang", silent()), ("refuse", closed())] {
                let Some(desk) = Desk::new(version) else {
                    return;
                };
                desk.make_public(&first);
                let (second, asked) = good(&desk.tree);
                let chain = format!("{first}{separator}{second}");
                let command = ["sh", "-c", TWO_BUILDS];
                let (summary, said) = desk.json(&chain, "--tiers proxy", &command);
                assert_eq!(summary["exit"], 0, "{version} {what} {separator}: {said}");
                assert_eq!(runs(&desk), 1, "{version} {what} {separator}: {said}");
                let last = summary["attempts"].as_array().unwrap().last().unwrap();
                let hop = second.trim_start_matches("http://");
                assert_eq!(last["hop"], hop, "{said}");
                assert_eq!(last["class"], "ok", "{said}");
                let requests = last["requests"].as_u64().unwrap();
                assert_eq!(requests, asked.lock().unwrap().len() as u64, "{said}");
            }
        }
    }
}

#[test]
fn a_proxy_that_may_be_a_gatekeeper_keeps_its_paths_when_it_is_down() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let (second, asked) = good(&desk.tree);
    for first in [closed(), silent()] {
        let chain = format!("{first},{second}");
        let args = "--tiers proxy --first-byte 1s";
        let (summary, said) = desk.json(&chain, args, &BUILD);
        assert_eq!(summary["exit"], 1, "{said}");
        let own = said.rsplit_once("goroam: ").unwrap().1;
        assert!(own.contains(first.trim_start_matches("http://")), "{said}");
        assert_eq!(asked.lock().unwrap().len(), 0, "{said}");
        // The URL of the relay is nobody's business.
        let own = own.split_once("\n{").unwrap().0;
        assert!(!own.contains("/@v/"), "{said}");
    }
    // Nothing leaves the machine with a request to the mirror.
    let (summary, said) = desk.json(&format!("{},{second}", closed()), "", &BUILD);
    assert_eq!(summary["tier"], "mirror", "{said}");
    assert_eq!(asked.lock().unwrap().len(), 0, "{said}");
}

#[test]
fn the_mirror_has_versions_that_direct_would_fetch_and_hides_no_newer_ones() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let (none, _) = serve(|_| status("404 Not Found", "", ""));
    let chain = format!("{none},direct");
    let (summary, said) = desk.json(&chain, "", &BUILD);
    assert_eq!(summary["exit"], 0, "{said}");
    assert_eq!(summary["tier"], "mirror", "{said}");
    // git is not there to answer, so go fails; the mirror's list would have answered.
    let list = ["go", "list", "-m", "-versions", "golang.org/x/sync"];
    let mut command = desk.command(&chain, "", &list);
    let done = command.env("HTTPS_PROXY", closed()).output().unwrap();
    assert!(!done.status.success(), "{done:?}");
}

#[test]
fn a_private_module_comes_from_the_mirror_and_no_proxy_hears_of_it() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let (proxy, asked) = good(&desk.tree);
    let mut command = desk.command(&format!("{proxy},direct"), "", &BUILD);
    command.env("GOPRIVATE", "golang.org/x");
    let done = command.env("HTTPS_PROXY", closed()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(asked.lock().unwrap().len(), 0);
}

#[test]
fn a_wrong_zip_is_replaced_by_the_right_one_and_fails_the_build_where_there_is_none() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let tree = format!("file://{}", desk.tree.display());
    let done = desk.project.bare(&tree, &BUILD).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let clean = || {
        let clean = ["go", "clean", "-modcache"];
        assert!(desk.project.bare("off", &clean).status().unwrap().success());
    };
    let wrong = tempfile::tempdir().unwrap();
    let (from, to) = (
        "golang.org/x/sync/@v",
        wrong.path().join("golang.org/x/sync/@v"),
    );
    std::fs::create_dir_all(&to).unwrap();
    let copy = |name: &str, other: &str| {
        std::fs::copy(desk.tree.join(from).join(other), to.join(name)).unwrap();
    };
    copy("v0.1.0.info", "v0.1.0.info");
    copy("v0.1.0.mod", "v0.1.0.mod");
    let other = desk.tree.join("github.com/pkg/errors/@v/v0.9.1.zip");
    std::fs::copy(other, to.join("v0.1.0.zip")).unwrap();
    let (proxy, _) = good(wrong.path());
    clean();
    let (summary, said) = desk.json(&proxy, "--tiers proxy", &BUILD);
    assert_eq!(summary["exit"], 6, "{said}");
    let last = summary["attempts"].as_array().unwrap().last().unwrap();
    assert_eq!(last["class"], "mismatch", "{said}");
    let (summary, said) = desk.json(&proxy, "", &BUILD);
    assert_eq!(summary["exit"], 0, "{said}");
    assert_eq!(summary["tier"], "mirror", "{said}");
    let host = proxy.trim_start_matches("http://");
    let line = format!("{host} sent wrong content for golang.org/x/sync@v0.1.0");
    assert_eq!(summary["attempts"][0]["class"], "mismatch", "{said}");
    assert_eq!(summary["attempts"][0]["line"], line, "{said}");
    // One line says it, and no log line stands amid go's.
    clean();
    let done = desk.command(&proxy, "", &BUILD).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    let own: Vec<&str> = said.lines().filter(|l| !l.starts_with("go: ")).collect();
    let expected = format!("goroam: {line} (mismatch); built from the mirror");
    assert_eq!(own, [expected.as_str()], "{said}");
}

#[test]
fn what_was_there_already_is_named() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let tree = format!("file://{}", desk.tree.display());
    let (summary, said) = desk.json(&tree, "", &BUILD);
    assert_eq!(summary["tier"], "proxy", "{said}");
    let (summary, said) = desk.json(&tree, "", &BUILD);
    assert_eq!(summary["tier"], "cache", "{said}");
    let vendor = ["go", "mod", "vendor"];
    assert!(
        desk.project
            .bare(&tree, &vendor)
            .status()
            .unwrap()
            .success()
    );
    let mut command = desk.command(&closed(), "--summary json", &BUILD);
    let done = command.env("GOFLAGS", "").output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("{\"tier\":\"vendor\",\"exit\":0,"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_loopback_interface_the_steps_are_taken_one_after_another() {
    if !go::is_root() {
        println!("skipped: needs root and network namespaces");
        return;
    }
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let exec = desk.command("http://10.9.0.2", "", &BUILD);
    let mut run = std::process::Command::new("unshare");
    run.arg("--net")
        .arg(exec.get_program())
        .args(exec.get_args());
    for (name, value) in exec.get_envs() {
        match value {
            Some(value) => run.env(name, value),
            None => run.env_remove(name),
        };
    }
    let done = run.current_dir(exec.get_current_dir().unwrap()).output();
    let said = String::from_utf8(done.unwrap().stderr).unwrap();
    assert!(said.contains("goroam: no relay ("), "{said}");
    assert!(
        said.contains("goroam: built from the mirror (proxy: unreachable"),
        "{said}"
    );
}
