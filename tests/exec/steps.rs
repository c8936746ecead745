//! Down the steps: the proxy fails, the mirror or the vendor folder saves the build. Real go,
//! the lab's real modules as the mirror.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::exec_project::{self, Project};
use crate::go;

/// A proxy that answers every request with this, and counts them.
pub(crate) fn serve(
    answer: impl Fn(usize) -> String + Send + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.extend(byte);
            }
            let answer = answer(counter.fetch_add(1, Ordering::SeqCst));
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    (format!("http://{address}"), count)
}

pub(crate) fn status(line: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {line}\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n{body}")
}

/// Nobody listens there.
pub(crate) fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A project that needs `golang.org/x/sync`, and the lab's tree as the mirror.
pub(crate) struct Desk {
    pub(crate) project: Project,
    pub(crate) tree: PathBuf,
}

impl Desk {
    pub(crate) fn new(version: &str) -> Option<Desk> {
        let program = "package main\n\nimport _ \"golang.org/x/sync/errgroup\"\n\nfunc main() {}\n";
        Some(Desk {
            tree: exec_project::tree()?,
            project: Project::new(version, "golang.org/x/sync v0.1.0", program)?,
        })
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.project.user.write(name, text);
    }

    pub(crate) fn command(&self, proxy: &str, args: &str, command: &[&str]) -> Command {
        let args = format!("{args} --mirror {}", self.tree.display());
        self.project.exec(proxy, &args, command)
    }

    #[track_caller]
    pub(crate) fn json(&self, proxy: &str, args: &str, command: &[&str]) -> (Value, String) {
        let args = format!("{args} --mirror {}", self.tree.display());
        let told = self.project.told(proxy, &args, command);
        (told.summary, told.said)
    }
}

fn text(done: &Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

pub(crate) const BUILD: [&str; 4] = ["go", "build", "-o", "/dev/null"];

#[test]
fn the_mirror_saves_a_build_and_one_line_says_so() {
    for version in go::VERSIONS {
        let Some(desk) = Desk::new(version) else {
            return;
        };
        let done = desk.command(&closed(), "", &BUILD).output().unwrap();
        let said = text(&done);
        assert_eq!(done.status.code(), Some(0), "{said}");
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("goroam: "))
            .collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(
            lines[0].starts_with("goroam: connection refused by 127.0.0.1:"),
            "{said}"
        );
        assert!(
            lines[0].ends_with(" (refused); built from the mirror"),
            "{said}"
        );
        // Once more, from the module cache: nothing to be said.
        let done = desk.command(&closed(), "", &BUILD).output().unwrap();
        assert_eq!((done.status.code(), text(&done).as_str()), (Some(0), ""));
    }
}

#[test]
fn json_of_go_test_and_of_go_mod_download_is_read_and_passed_through() {
    for command in [
        &["go", "test", "-json", "."][..],
        &["make"],
        &["go", "mod", "download", "-json", "golang.org/x/sync@v0.1.0"],
    ] {
        let Some(desk) = Desk::new(go::VERSIONS[2]) else {
            return;
        };
        let test = "package main\n\nimport \"testing\"\n\nfunc TestX(*testing.T) {}\n";
        desk.write("w/w_test.go", test);
        desk.write("w/Makefile", "all:\n\t@go test -json .\n");
        let done = desk
            .command(&closed(), "--summary json", command)
            .output()
            .unwrap();
        let said = text(&done);
        assert_eq!(done.status.code(), Some(0), "{said}");
        assert!(said.contains("\"class\":\"refused\""), "{said}");
        let out = String::from_utf8(done.stdout).unwrap();
        assert!(
            out.contains("\"Action\":\"pass\"") || out.contains("\"Sum\": \"h1:"),
            "{out}"
        );
    }
}

#[test]
fn a_busy_proxy_is_waited_for_as_it_asks() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let (proxy, count) = serve(|_| status("503 Service Unavailable", "Retry-After: 2\r\n", "busy"));
    let begun = Instant::now();
    let args = "--tiers proxy --retry-budget 5s";
    let (summary, said) = desk.json(&proxy, args, &BUILD);
    let took = begun.elapsed();
    assert_eq!(summary["attempts"][0]["class"], "busy", "{said}");
    assert_eq!(summary["exit"], 1);
    // Two waits of 2 s fit into 5 s.
    assert!(
        took >= Duration::from_secs(4) && took < Duration::from_secs(30),
        "{took:?}"
    );
    assert!(count.load(Ordering::SeqCst) >= 3);
    assert!(
        said.contains(" answers 503 (busy); no step is left"),
        "{said}"
    );
    // The mirror stands in at once.
    let begun = Instant::now();
    let (summary, said) = desk.json(&proxy, "", &BUILD);
    assert_eq!(summary["tier"], "mirror", "{said}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{said}");
}

#[test]
fn each_fault_leads_to_the_mirror_and_says_what_to_mend() {
    let login = "<html><body>Please log in</body></html>";
    for (line, more, body, class, words) in [
        ("500 Internal Server Error", "", "", "server", "answers 500"),
        (
            "401 Unauthorized",
            "",
            "",
            "auth",
            "wants other credentials",
        ),
        ("403 Forbidden", "", "", "auth", "refuses it with 403"),
        ("418 I'm a teapot", "", "", "client", "answers 418"),
        ("404 Not Found", "", "", "not-found", "does not have it"),
        (
            "200 OK",
            "Content-Type: text/html\r\n",
            login,
            "portal",
            "login page",
        ),
    ] {
        let Some(desk) = Desk::new(go::VERSIONS[2]) else {
            return;
        };
        let (proxy, _) = serve(move |_| status(line, more, body));
        let command = ["go", "mod", "download", "golang.org/x/sync@v0.1.0"];
        let (summary, said) = desk.json(&proxy, "", &command);
        assert_eq!(summary["attempts"][0]["class"], class, "{line}: {said}");
        assert_eq!(summary["attempts"][1]["tier"], "mirror", "{line}: {said}");
        assert_eq!(summary["exit"], 0, "{line}: {said}");
        let Some(desk) = Desk::new(go::VERSIONS[2]) else {
            return;
        };
        let said = text(&desk.command(&proxy, "", &command).output().unwrap());
        assert!(said.contains(words), "{line}: {said}");
        assert!(
            said.ends_with("; built from the mirror\n"),
            "{line}: {said}"
        );
    }
}

#[test]
fn a_checksum_that_does_not_match_stops_everything() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let wrong = "golang.org/x/sync v0.1.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
                 golang.org/x/sync v0.1.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    desk.write("w/go.sum", wrong);
    let proxy = format!("file://{}", desk.tree.display());
    let done = desk.command(&proxy, "", &BUILD).output().unwrap();
    let said = text(&done);
    assert_eq!(done.status.code(), Some(6), "{said}");
    assert!(said.contains("SECURITY ERROR"), "{said}");
    assert!(
        said.contains("nothing else is tried") && said.contains("  came    h1:"),
        "{said}"
    );
    let (summary, said) = desk.json(&proxy, "", &BUILD);
    assert_eq!(summary["attempts"].as_array().unwrap().len(), 1, "{said}");
    assert_eq!(summary["attempts"][0]["class"], "mismatch", "{said}");
}

#[test]
fn what_is_the_codes_own_fault_is_passed_through_and_not_repeated() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    desk.write("w/w.go", "package main\n\nfunc main() { undefined() }\n");
    let test = "package main\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {\n\
                \tt.Fatal(\"Get \\\"http://x/@v/list\\\": dial tcp: connection refused\")\n}\n";
    for (command, exit) in [
        (&["go", "build"][..], 1),
        (&["go", "no-such-verb"], 2),
        (&["go", "vet", "-no-such-flag"], 2),
        (
            &[
                "sh",
                "-c",
                "echo 'dial tcp 1.2.3.4:443: i/o timeout' >&2; exit 3",
            ],
            3,
        ),
    ] {
        let bare = desk.project.bare("off", command).output().unwrap();
        let done = desk.command("off", "", command).output().unwrap();
        assert_eq!(done.status.code(), Some(exit), "{command:?}");
        assert_eq!(text(&done), text(&bare), "{command:?}");
        assert_eq!(done.stdout, bare.stdout, "{command:?}");
    }
    desk.write("w/w.go", "package main\n\nfunc main() {}\n");
    desk.write("w/w_test.go", test);
    let (summary, said) = desk.json("off", "", &["go", "test", "."]);
    assert_eq!(summary["attempts"][0]["class"], "code", "{said}");
    assert_eq!(summary["attempts"].as_array().unwrap().len(), 1, "{said}");
}

#[test]
fn when_no_step_is_left_all_that_was_tried_is_said() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    desk.write(
        "w/go.mod",
        "module w.test\n\ngo 1.21\n\nrequire example.com/nowhere v1.0.0\n",
    );
    desk.write(
        "w/w.go",
        "package main\n\nimport _ \"example.com/nowhere\"\n\nfunc main() {}\n",
    );
    let done = desk.command(&closed(), "", &BUILD).output().unwrap();
    let said = text(&done);
    assert_eq!(done.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("goroam: "), "{said}");
    for part in [
        "no step is left: 127.0.0.1:",
        ": refused (",
        "; mirror: it lacks what go asks for",
        "; vendor: ",
    ] {
        assert!(last.contains(part), "{part}: {last}");
    }
}

#[test]
fn a_vendor_folder_is_the_last_step() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let tree = format!("file://{}", desk.tree.display());
    let vendor = ["sh", "-c", "go mod tidy && go mod vendor"];
    let done = desk
        .command(&tree, "--tiers proxy", &vendor)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", text(&done));
    let print = "go env GOFLAGS; [ $GOROAM_TIER = vendor ] && exec go build -o /dev/null; \
                 echo 'go: m.test/m@v1.0.0: Get \"https://p.test/m.test/m/@v/v1.0.0.info\": dial tcp 127.0.0.1:1: connect: connection refused' >&2; exit 1";
    let mut command = desk.command(
        "https://p.test",
        "--summary json --tiers proxy,vendor",
        &["sh", "-c", print],
    );
    let done = command.output().unwrap();
    let said = text(&done);
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("{\"tier\":\"vendor\",\"exit\":0,"), "{said}");
    let out = String::from_utf8(done.stdout).unwrap();
    assert_eq!(out, "-mod=mod\n-mod=vendor\n");
}

/// go's words, the class, what must be said of them and what not.
const BLAME: &[(&str, &str, &[&str], &[&str])] = &[
    (
        "Get \"URL\": proxyconnect tcp: dial tcp 127.0.0.1:7890: connect: connection refused",
        "refused",
        &["the HTTP proxy 127.0.0.1:7890", "HTTPS_PROXY"],
        &["goproxy.corp.example refuses"],
    ),
    (
        "Get \"URL\": socks connect tcp 127.0.0.1:1080->goproxy.corp.example:443: dial tcp 127.0.0.1:1080: connect: connection refused",
        "refused",
        &["proxy 127.0.0.1:1080"],
        &["goproxy.corp.example refuses"],
    ),
    (
        "Get \"URL\": proxyconnect tcp: dial tcp: lookup px.corp.example on 10.0.0.1:53: no such host",
        "dns",
        &["px.corp.example"],
        &["goproxy.corp.example"],
    ),
    (
        "Get \"URL\": Proxy Authentication Required",
        "auth",
        &["HTTP proxy 10.1.2.3:3128", "credentials"],
        &["goproxy.corp.example wants", "s3cret"],
    ),
    (
        "Get \"URL\": Forbidden",
        "auth",
        &["HTTP proxy 10.1.2.3:3128", "403"],
        &["goproxy.corp.example"],
    ),
    (
        "Get \"URL\": Bad Gateway",
        "server",
        &["HTTP proxy 10.1.2.3:3128"],
        &["goproxy.corp.example is"],
    ),
    (
        "Get \"URL\": Service Unavailable",
        "server",
        &["HTTP proxy 10.1.2.3:3128"],
        &["busy"],
    ),
    (
        "Get \"URL\": proxyconnect tcp: tls: first record does not look like a TLS handshake",
        "tls",
        &["HTTP proxy", "http://"],
        &["SSL_CERT_FILE", "goproxy.corp.example"],
    ),
    (
        "Get \"URL\": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2020-01-01T00:00:00Z is before 2024-01-01T00:00:00Z",
        "tls",
        &["clock", "is wrong", "2020-01-01", "2024-01-01"],
        &["SSL_CERT_FILE"],
    ),
    (
        "Get \"URL\": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-29T00:00:00Z is after 2026-01-01T00:00:00Z",
        "tls",
        &["has expired", "clock", "goproxy.corp.example"],
        &["SSL_CERT_FILE"],
    ),
    (
        "Get \"URL\": http: server gave HTTP response to HTTPS client",
        "tls",
        &["http://", "goproxy.corp.example"],
        &["SSL_CERT_FILE"],
    ),
    (
        "Get \"URL\": tls: failed to verify certificate: x509: certificate is valid for a.example, not goproxy.corp.example",
        "tls",
        &["another name"],
        &["SSL_CERT_FILE", "clock"],
    ),
    (
        "Get \"URL\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "tls",
        &["goproxy.corp.example", "CA", "SSL_CERT_FILE"],
        &["clock"],
    ),
    (
        "Get \"URL\": remote error: tls: handshake failure",
        "tls",
        &["goproxy.corp.example"],
        &["SSL_CERT_FILE", "clock"],
    ),
    (
        "reading URL.zip: 403 Forbidden\n\tserver response:\n\t{\n\t  \"message\" : \"Package is blocked by policy\"\n\t}",
        "auth",
        &["403", "Package is blocked by policy"],
        &["wants"],
    ),
    (
        "reading URL.info: 401 Unauthorized",
        "auth",
        &["goproxy.corp.example wants", "netrc"],
        &[],
    ),
    (
        "git ls-remote -q --end-of-options origin in /h/go/pkg/mod/cache/vcs/ab: exit status 128:\n\tHost key verification failed.\n\tfatal: Could not read from remote repository.",
        "tls",
        &["key of git.corp.example", "known_hosts"],
        &["SSL_CERT_FILE", "the proxy"],
    ),
    (
        "verifying module: git.corp.example/m@v1.2.3: Get \"https://sum.golang.org/lookup/git.corp.example/m@v1.2.3\": dial tcp: lookup sum.golang.org: no such host",
        "dns",
        &["checksum database sum.golang.org"],
        &["the proxy", "the mirror "],
    ),
    (
        "verifying go.mod: git.corp.example/m@v1.2.3/go.mod: reading https://goproxy.corp.example/sumdb/sum.golang.org/lookup/git.corp.example/m@v1.2.3: 500 Internal Server Error",
        "server",
        &["checksum database sum.golang.org"],
        &["the proxy ", "goproxy.corp.example is"],
    ),
    (
        "verifying go.mod: git.corp.example/m@v1.2.3/go.mod: malformed record data",
        "portal",
        &["checksum database sum.golang.org"],
        &["the proxy "],
    ),
];

#[test]
fn what_go_says_decides_who_is_to_blame() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    for (words, class, wanted, never) in BLAME {
        let words = words.replace("URL", "https://goproxy.corp.example/x");
        desk.write(
            "w/said",
            &format!("go: git.corp.example/m@v1.2.3: {words}\n"),
        );
        let script = ["sh", "-c", "cat said >&2; exit 1"];
        let mut command = desk.project.exec(
            "https://goproxy.corp.example",
            "--summary json --tiers proxy",
            &script,
        );
        let done = command
            .env("HTTPS_PROXY", "http://joe:s3cret@10.1.2.3:3128")
            .env("GOSUMDB", "sum.golang.org")
            .output()
            .unwrap();
        let said = text(&done);
        let (_, own) = said.split_once("goroam: ").unwrap();
        let (own, summary) = own.split_once("\n{").unwrap();
        assert!(
            summary.contains(&format!("\"class\":\"{class}\"")),
            "{said}"
        );
        for word in *wanted {
            assert!(own.contains(word), "{word}: {said}");
        }
        for word in *never {
            assert!(!own.contains(word), "{word}: {said}");
        }
    }
}
