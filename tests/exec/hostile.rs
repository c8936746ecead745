//! Servers that try to speak in go's name, or to explain a mismatch away. Real go commands, real
//! modules as the mirror.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::exec_project::{self, Project};
use crate::go;

const MODULE: &str = "golang.org/x/sync";
const PAGE: &str = "<!doctype html><html><body>Please log in</body></html>";

/// A request: its path, and how often this path was asked before. goroam's look like go's own.
struct Request {
    path: String,
    nth: usize,
}

/// A server, and the paths that it was asked for.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    head.extend(byte);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let mut log = log.lock().unwrap();
                let nth = log.iter().filter(|other| **other == path).count();
                log.push(path.clone());
                drop(log);
                let request = Request { path, nth };
                drop(stream.write_all(&answer(&request)));
            }
        });
        Server { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(status: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let kind = "Content-Type: text/plain; charset=utf-8\r\nConnection: close";
    let mut all = format!("HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {length}\r\n\r\n");
    let mut all = std::mem::take(&mut all).into_bytes();
    all.extend(body);
    all
}

/// The module's real file.
fn good(tree: &std::path::Path, path: &str) -> Vec<u8> {
    match std::fs::read(tree.join(path.trim_start_matches('/'))) {
        Ok(body) => answer("200 OK", body),
        Err(_) => answer("404 Not Found", "no"),
    }
}

/// A project that needs golang.org/x/sync, and the lab's tree as the mirror.
struct Scene {
    project: Project,
    tree: PathBuf,
}

impl Scene {
    fn new(version: &str, go_sum: &str) -> Option<Scene> {
        let program = "package main\n\nimport _ \"golang.org/x/sync/errgroup\"\n\nfunc main() {}\n";
        let scene = Scene {
            tree: exec_project::tree()?,
            project: Project::new(version, "golang.org/x/sync v0.1.0", program)?,
        };
        scene.project.user.write("w/go.sum", go_sum);
        Some(scene)
    }

    /// What go.sum holds after a build from the lab's tree.
    fn right(version: &str) -> Option<String> {
        let scene = Scene::new(version, "")?;
        let proxy = format!("file://{}", scene.tree.display());
        let done = scene.project.bare(&proxy, &BUILD).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        Some(std::fs::read_to_string(scene.project.user.path("w/go.sum")).unwrap())
    }

    #[track_caller]
    fn exec(&self, proxy: &str, more: &[(&str, &str)], command: &[&str]) -> (Value, String) {
        let args = format!("--summary json --mirror {}", self.tree.display());
        let mut command = self.project.exec(proxy, &args, command);
        let done = command.envs(more.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let last = said.lines().last().unwrap_or_default();
        let Ok(summary) = serde_json::from_str::<Value>(last) else {
            panic!("{said}");
        };
        assert_eq!(
            summary["exit"],
            done.status.code().unwrap_or_default(),
            "{said}"
        );
        (summary, said)
    }
}

const BUILD: [&str; 4] = ["go", "build", "-o", "/dev/null"];
const LIST: [&str; 5] = ["go", "list", "-mod=mod", "-m", "all"];
const DOWNLOAD: [&str; 4] = ["go", "mod", "download", "golang.org/x/sync@v0.1.0"];
const DOWNLOAD_JSON: [&str; 5] = ["go", "mod", "download", "-json", "golang.org/x/sync@v0.1.0"];

#[test]
fn a_mismatch_is_one_whatever_a_second_request_says() {
    // What go is given is not what this go.sum says.
    let Some(right) = Scene::right(go::VERSIONS[2]) else {
        return;
    };
    let wrong = right.replacen("h1:", "h1:x", 1);
    type Mode = (&'static str, fn(&Request) -> Option<Vec<u8>>);
    let modes: [Mode; 4] = [
        ("the same for both", |_| None),
        ("a login page the second time", |request| {
            (request.nth > 0).then(|| answer("200 OK", PAGE))
        }),
        ("511 the second time", |request| {
            (request.nth > 0).then(|| answer("511 Log in", PAGE))
        }),
        ("led to a login page the second time", |request| {
            let away = "302 Found\r\nLocation: http://login.example/\r\nX: y";
            (request.nth > 0).then(|| answer(away, ""))
        }),
    ];
    for version in go::VERSIONS {
        for (what, mode) in &modes {
            for command in [&BUILD[..], &["go", "build", "-json", "-o", "/dev/null"]] {
                if command.len() > 4 && version != go::VERSIONS[2] {
                    continue;
                }
                let Some(scene) = Scene::new(version, &wrong) else {
                    return;
                };
                let (tree, mode) = (scene.tree.clone(), *mode);
                let server = Server::start(move |request| {
                    mode(request).unwrap_or_else(|| good(&tree, &request.path))
                });
                let (summary, said) = scene.exec(&server.url, &[], command);
                assert!(said.contains("SECURITY ERROR"), "{version}, {what}: {said}");
                assert_eq!(summary["exit"], 6, "{version}, {what}: {said}");
                let attempts = summary["attempts"].as_array().unwrap();
                // The proxy's content is wrong for the relay, and the mirror's for go.
                assert_eq!(attempts.len(), 2, "{version}, {what}: {said}");
                for attempt in attempts {
                    assert_eq!(attempt["class"], "mismatch", "{version}, {what}: {said}");
                }
            }
        }
    }
}

#[test]
fn an_empty_go_mod_and_one_body_for_all_are_not_passed_on() {
    for version in go::VERSIONS {
        for (body, class) in [("", "corrupt"), (PAGE, "portal")] {
            let Some(right) = Scene::right(version) else {
                return;
            };
            let Some(scene) = Scene::new(version, &right) else {
                return;
            };
            let tree = scene.tree.clone();
            let server = Server::start(move |request| match request.path.ends_with(".mod") {
                true => answer("200 OK", body),
                false => good(&tree, &request.path),
            });
            let (summary, said) = scene.exec(&server.url, &[], &DOWNLOAD);
            assert_eq!(summary["exit"], 0, "{version}: {said}");
            assert_eq!(summary["tier"], "mirror", "{version}: {said}");
            assert_eq!(summary["attempts"][0]["class"], class, "{said}");
        }
    }
}

/// The words of a mismatch, and of a failed request that leads to another server.
fn forged(victim: &str) -> String {
    format!(
        "verifying golang.org/x/sync@v0.1.0: checksum mismatch\n\
         \tdownloaded: h1:W/RoUyEAoyDkNzloyhe4qaU+RKONW0msDWg+5ZHMytQ=\n\
         \tgo.sum:     h1:wsuoTGHzEhffawBOhz5CYhcrV4IdKZbEyZjBMuTp12o=\n\n\
         SECURITY ERROR\n\
         This download does NOT match an earlier download recorded in go.sum.\n\
         go: golang.org/x/sync@v0.1.0: reading {victim}/x/@v/y.info: 503 Service Unavailable\n\
         go: golang.org/x/sync@v0.1.0: Get \"{victim}/login\": dial tcp: i/o timeout\n"
    )
}

fn info(version: &str) -> Vec<u8> {
    answer(
        "200 OK",
        serde_json::json!({ "Version": version }).to_string(),
    )
}

#[test]
fn what_a_server_writes_is_not_taken_for_gos_words() {
    let victim = Server::start(|_| answer("503 Busy", "later"));
    let text = forged(&victim.url);
    let victim_url = victim.url.clone();
    type Says = Box<dyn Fn(&Request) -> Option<Vec<u8>> + Send>;
    // What it is, what it says, the class of the first run, and its exit code in the end.
    let modes = || -> Vec<(&'static str, Says, &'static str, i32)> {
        let body = |body: String| -> Says {
            Box::new(move |_| Some(answer("502 Bad Gateway", body.clone())))
        };
        let of_info = |version: String| -> Says {
            Box::new(move |request| request.path.ends_with(".info").then(|| info(&version)))
        };
        let status = |line: String| -> Says { Box::new(move |_| Some(answer(&line, ""))) };
        let request = format!("reading {victim_url}/x/@v/y.info: 503 Service Unavailable");
        let path = text
            .replace('\n', "\\n")
            .replace('\t', "\\t")
            .replace('"', "\\\"");
        let (wrong, odd) = (path.clone(), path.clone());
        let required = move |path: &str, version: &'static str| -> Says {
            let module = "module golang.org/x/sync\n\ngo 1.16\n";
            let body = format!("{module}\nrequire \"a.test/b\\n{path}\" {version}\n");
            Box::new(move |asked| {
                let is_mod = asked.path.ends_with(".mod");
                is_mod.then(|| answer("200 OK", body.clone()))
            })
        };
        let error = serde_json::to_string(&format!(
            "golang.org/x/sync@v0.1.0: verifying module: {text}"
        ));
        let error = format!("{{\n\t\"Error\": {}\n}}\n", error.unwrap());
        vec![
            (
                "a body with CR",
                body(format!("sorry\r{}", text.replace('\n', "\r"))),
                "server",
                0,
            ),
            (
                "a body with NEL",
                body(format!("sorry\u{85}{}", text.replace('\n', "\u{85}"))),
                "server",
                0,
            ),
            (
                "a body with LS",
                body(format!("sorry\u{2028}{}", text.replace('\n', "\u{2028}"))),
                "server",
                0,
            ),
            (
                "a body with lines",
                body(text.replace("\n\n", "\n")),
                "server",
                0,
            ),
            ("a body of JSON", body(error), "server", 0),
            (
                "a status with CR",
                status(format!("502 Bad\r{}", text.replace('\n', "\r"))),
                "server",
                0,
            ),
            (
                "a status with colours",
                status(format!("502 \u{1b}[2K\u{1b}]0;{request}")),
                "server",
                0,
            ),
            (
                "a status with a request",
                status(format!("404 {request}")),
                "not-found",
                0,
            ),
            (
                "a version with lines",
                of_info(format!("v0.1.0\n{text}")),
                "corrupt",
                0,
            ),
            (
                "a version with go's words behind it",
                of_info(format!("v0.2.0 instead of requested version\n{text}")),
                "corrupt",
                0,
            ),
            (
                "a version with a request",
                of_info(format!("v0.2.0: {request}")),
                "corrupt",
                0,
            ),
            (
                "a time with a request",
                Box::new(move |asked| {
                    let body = serde_json::json!({ "Version": "v0.1.0", "Time": request });
                    let info = asked.path.ends_with(".info");
                    info.then(|| answer("200 OK", body.to_string()))
                }),
                "corrupt",
                0,
            ),
            (
                // go looks at it only when it has the file: the mirror does not help.
                "a module path with lines",
                Box::new(move |asked| {
                    let body = format!("module \"a.test/b\\n{path}\"\n");
                    let is_mod = asked.path.ends_with(".mod");
                    is_mod.then(|| answer("200 OK", body))
                }),
                "code",
                1,
            ),
            (
                "a required path with lines and a wrong version",
                required(&wrong, "v2.0.0"),
                "corrupt",
                0,
            ),
            (
                "a required path with lines",
                required(&odd, "v1.0.0"),
                "code",
                1,
            ),
        ]
    };
    for version in go::VERSIONS {
        for (what, says, class, exit) in modes() {
            // The module's path is looked at by a build, the others by a download.
            let command: &[&[&str]] = match what {
                "a required path with lines" => &[&LIST[..]],
                "a module path with lines" => &[&BUILD[..]],
                "a required path with lines and a wrong version" => &[&BUILD[..]],
                _ if version == go::VERSIONS[2] => &[&DOWNLOAD[..], &DOWNLOAD_JSON[..]],
                _ => &[&DOWNLOAD[..]],
            };
            let says = Arc::new(Mutex::new(says));
            for command in command {
                let Some(scene) = Scene::new(version, "") else {
                    return;
                };
                let (tree, says) = (scene.tree.clone(), says.clone());
                let server = Server::start(move |request| {
                    let said = (says.lock().unwrap())(request);
                    said.unwrap_or_else(|| good(&tree, &request.path))
                });
                let (summary, said) = scene.exec(&server.url, &[], command);
                let first = &summary["attempts"][0];
                assert_eq!(first["class"], class, "{version}, {what}: {said}");
                assert_eq!(summary["exit"], exit, "{version}, {what}: {said}");
                assert_eq!(victim.asked(), [""; 0], "{version}, {what}");
            }
        }
    }
}

#[test]
fn a_note_of_the_checksum_database_is_not_taken_for_gos_words() {
    let victim = Server::start(|_| answer("503 Busy", "later"));
    // go's hash is not forged in this one: what is whole counts, since nothing ends a note.
    let text = forged(&victim.url).replace("W/RoUyEAoyDkNzloyhe4qaU+RKONW0msDWg+5ZHMytQ=", "AAAA");
    for version in go::VERSIONS {
        for command in [&DOWNLOAD[..], &DOWNLOAD_JSON[..]] {
            let Some(scene) = Scene::new(version, "") else {
                return;
            };
            let (tree, text) = (scene.tree.clone(), text.clone());
            let server = Server::start(move |request| match request.path.as_str() {
                path if path.ends_with("/supported") => answer("200 OK", ""),
                path if path.contains("/lookup/") => {
                    let record = "1\ngolang.org/x/sync v0.1.0 h1:x\ngolang.org/x/sync v0.1.0/go.mod h1:y\n\n";
                    answer("200 OK", format!("{record}bogus\n{text}"))
                }
                path => good(&tree, path),
            });
            let more = [("GOSUMDB", "sum.golang.org")];
            let (summary, said) = scene.exec(&server.url, &more, command);
            let last = summary["attempts"].as_array().unwrap().last().unwrap();
            assert_eq!(last["class"], "corrupt", "{version}: {said}");
            assert_eq!(victim.asked(), [""; 0], "{version}");
        }
    }
}

#[test]
fn a_wrong_signature_of_the_checksum_database_stops_everything() {
    for version in go::VERSIONS {
        for command in [&DOWNLOAD[..], &DOWNLOAD_JSON[..]] {
            let Some(scene) = Scene::new(version, "") else {
                return;
            };
            let tree = scene.tree.clone();
            let server = Server::start(move |request| match request.path.as_str() {
                path if path.ends_with("/supported") => answer("200 OK", ""),
                path if path.contains("/lookup/") => {
                    let record = "1\ngolang.org/x/sync v0.1.0 h1:x\ngolang.org/x/sync v0.1.0/go.mod h1:y\n\n";
                    let tree = "<html>\n10\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n";
                    let signed = "\u{2014} sum.golang.org Az3grtHeYuzJPPXkAJdRTz2FFHbrZKGSPVEQqBIEFAOqbTZsdm5FWE5EcGdtUFBXVmJHd1FBPT0BBBB=\n";
                    answer("200 OK", [record, tree, signed].concat())
                }
                path => good(&tree, path),
            });
            let more = [("GOSUMDB", "sum.golang.org")];
            let (summary, said) = scene.exec(&server.url, &more, command);
            let last = summary["attempts"].as_array().unwrap().last().unwrap();
            assert_eq!(last["class"], "mismatch", "{version}: {said}");
            assert_eq!(summary["exit"], 6, "{version}: {said}");
        }
    }
}

#[test]
fn what_a_git_server_says_is_not_taken_for_gos_words() {
    if Command::new("git").arg("--version").output().is_err() {
        println!("skipped: there is no git here");
        return;
    }
    let victim = Server::start(|_| answer("503 Busy", "later"));
    let refs = format!("{}/x/info/refs", victim.url);
    let text = format!(
        "sorry\r{}\n{}unable to access '{refs}': The requested URL returned error: 503",
        forged(&victim.url).replace('\n', "\r"),
        forged(&victim.url)
    );
    for version in go::VERSIONS {
        for command in [
            &["go", "mod", "download", "github.com/a/b@v1.0.0"][..],
            &["go", "get", "-v", "github.com/a/b@v1.0.0"],
        ] {
            let Some(scene) = Scene::new(version, "") else {
                return;
            };
            let packet = format!("ERR {text}");
            let body = format!(
                "001e# service=git-upload-pack\n0000{:04x}{packet}",
                packet.len() + 4
            );
            let server = Server::start(move |_| {
                let kind =
                    "200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nX: y";
                let all = answer(kind, &body);
                let plain = "Content-Type: text/plain; charset=utf-8\r\n";
                String::from_utf8(all)
                    .unwrap()
                    .replace(plain, "")
                    .into_bytes()
            });
            let config = format!(
                "[url \"{}/\"]\n\tinsteadOf = https://github.com/\n",
                server.url
            );
            scene.project.user.write(".gitconfig", config);
            scene
                .project
                .user
                .write("w/go.mod", "module w.test\n\ngo 1.21\n");
            scene
                .project
                .user
                .write("w/w.go", "package main\n\nfunc main() {}\n");
            let (summary, said) = scene.exec("direct", &[], command);
            assert!(said.contains("remote error: sorry"), "{version}: {said}");
            assert_ne!(
                summary["attempts"][0]["class"], "mismatch",
                "{version}: {said}"
            );
            assert_ne!(summary["exit"], 6, "{version}: {said}");
            assert_eq!(victim.asked(), [""; 0], "{version}");
        }
    }
}

#[test]
fn the_module_is_what_these_tests_need() {
    let Some(scene) = Scene::new(go::VERSIONS[2], "") else {
        return;
    };
    let tree = scene.tree.clone();
    let server = Server::start(move |request| good(&tree, &request.path));
    let (summary, said) = scene.exec(&server.url, &[], &BUILD);
    assert_eq!(summary["attempts"][0]["class"], "ok", "{said}");
    assert!(server.asked().iter().any(|path| path.contains(MODULE)));
}
