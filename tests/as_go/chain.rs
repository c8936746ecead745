//! `goroam chain` and real go commands against the same misbehaving proxies: what the one predicts,
//! the others do. And no private name leaves for a hop that should not get it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::User;
use crate::go;

const MODULE: &str = "github.com/pkg/errors@v0.9.1";

/// The modes of faultd by which one request of go goes wrong, or all do.
const MODES: [&str; 24] = [
    "ok",
    "hang",
    "slow:20",
    "slow:0.2",
    "reset",
    "close",
    "403",
    "404",
    "410",
    "500",
    "502",
    "503:1",
    "trunczip",
    "halfzip",
    "stall",
    "badzip",
    "badmod",
    "badjson",
    "portal200",
    // Replaced by URLs of their own.
    "goto:OK",
    "dead302",
    "goto:DROP",
    "refused",
    "dropped",
];
/// Certificates, each at a port of its own.
const CERTIFICATES: [&str; 4] = ["public", "expired", "wronghost", "selfsigned"];

/// Go is still running after this time: stands for "hangs".
const PATIENCE: Duration = Duration::from_secs(3);
/// What is predicted to take as long as this is not waited for.
const LONG: u64 = 15_000;

fn lab(command: &str, args: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/lab")
        .join(command);
    let output = Command::new(path).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{command} {args:?}: {said}");
    said
}

fn lab_dir() -> PathBuf {
    std::env::var_os("LAB").map_or_else(|| "/var/tmp/goroam-lab".into(), PathBuf::from)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Faultd with listeners of its own.
struct Proxies {
    server: Child,
    name: String,
    http: u16,
    dropped: u16,
    dead: u16,
    tls: Vec<u16>,
}

impl Proxies {
    /// Starts it, or says why this machine cannot.
    fn start() -> Option<Proxies> {
        let can = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/can");
        let can = Command::new(can).arg("modules").output().unwrap();
        if !can.status.success() {
            println!("skipped: {}", String::from_utf8_lossy(&can.stderr));
            return None;
        }
        lab("faultd", &["start"]); // makes the modules and the certificates
        lab("sumdb", &["start"]);
        let [http, dropped, dead] = [free_port(), free_port(), free_port()];
        let name = format!("chain-{http}");
        let tls: Vec<u16> = CERTIFICATES.iter().map(|_| free_port()).collect();
        let certificates = CERTIFICATES.iter().zip(&tls);
        let listeners = [
            format!("http=127.0.0.1:{http}"),
            format!("dropped=127.0.0.1:{dropped},mode=drop"),
        ];
        let listeners = listeners
            .into_iter()
            .chain(certificates.map(|(cert, port)| format!("{cert}=127.0.0.1:{port},cert={cert}")));
        let faultd = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/faultd");
        let mut server = Command::new(faultd);
        server.arg("serve").arg(&name).args(listeners);
        let proxies = Proxies {
            server: server.stdout(Stdio::null()).spawn().unwrap(),
            name,
            http,
            dropped,
            dead,
            tls,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        let socket = lab_dir().join(format!("run/fault-{}.sock", proxies.name));
        while !socket.exists() {
            assert!(Instant::now() < deadline, "faultd does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(proxies)
    }

    fn url(&self, mode: &str) -> String {
        let (http, dropped, dead) = (self.http, self.dropped, self.dead);
        match mode {
            "refused" => format!("http://127.0.0.1:{dead}"),
            "dropped" => format!("http://127.0.0.1:{dropped}"),
            "goto:OK" => format!("http://127.0.0.1:{http}/_m/goto:{http}"),
            "goto:DROP" => format!("http://127.0.0.1:{http}/_m/goto:{dropped}"),
            _ => match CERTIFICATES.iter().position(|cert| *cert == mode) {
                Some(at) => format!("https://127.0.0.1:{}", self.tls[at]),
                None => format!("http://127.0.0.1:{http}/_m/{mode}"),
            },
        }
    }

    fn log(&self) -> PathBuf {
        lab_dir().join(format!("log/fault-{}.jsonl", self.name))
    }

    /// The paths that were asked for.
    fn asked(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.log()).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let path = |line: Value| line["uri"].as_str().map(str::to_owned);
        lines.filter_map(path).collect()
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_file(self.log());
        let socket = lab_dir().join(format!("run/fault-{}.sock", self.name));
        let _ = std::fs::remove_file(socket);
    }
}

/// `goroam chain VALUE --json`.
fn predicted(user: &User, go: &Path, vars: &[(&str, &str)], args: &[&str]) -> Value {
    let mut run = user.run(env!("CARGO_BIN_EXE_goroam"));
    run = run.env(
        "PATH",
        &format!("{}:/usr/bin:/bin", go.parent().unwrap().display()),
    );
    for (name, value) in vars {
        run = run.env(name, value);
    }
    let mut command = run.command();
    let output = command.arg("chain").args(args).arg("--json").output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What go does: the outcome, and the base URL that served the zip. It is ended after `limit`.
fn done(
    go: &Path,
    vars: &[(&str, &str)],
    value: &str,
    limit: Duration,
) -> (String, Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("go.mod"),
        "module example.test/m\n\ngo 1.21\n",
    )
    .unwrap();
    let said = std::fs::File::create(dir.path().join("said")).unwrap();
    let mut child = Command::new(go)
        .args(["mod", "download", "-x", MODULE])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", dir.path())
        .env("GOPATH", dir.path().join("gopath"))
        .env("GOFLAGS", "-modcacherw")
        .envs([("GOENV", "off"), ("GOTOOLCHAIN", "local")])
        .envs(vars.iter().copied())
        .env("GOPROXY", value)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + limit;
    let code = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                child.wait().unwrap();
                return ("hangs".to_owned(), None);
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let said = std::fs::read_to_string(dir.path().join("said")).unwrap();
    let errors: Vec<&str> = said.lines().filter(|line| !line.starts_with('#')).collect();
    let errors = errors.join("\n");
    let has = |words: &str| errors.contains(words);
    if code == Some(0) {
        let served = said.lines().rev().find_map(|line| {
            let (url, rest) = line.strip_prefix("# get ")?.split_once(": ")?;
            let base = url.strip_suffix("/github.com/pkg/errors/@v/v0.9.1.zip")?;
            rest.starts_with("200 ").then(|| base.to_owned())
        });
        return ("served".to_owned(), served);
    }
    let outcome = if has("SECURITY ERROR") || has("not a valid zip") {
        "wrong_content"
    } else if has("GOPROXY=off") {
        "off"
    } else if has("404 Not Found") || has("410 Gone") {
        "not_found"
    } else {
        "failed"
    };
    (outcome.to_owned(), None)
}

/// Runs every case with every go, several at a time; returns what differs.
fn compare(cases: &[(String, &str)]) -> Option<Vec<String>> {
    let gos: Option<Vec<PathBuf>> = go::VERSIONS.iter().map(|version| go::go(version)).collect();
    let gos = gos?;
    let roots = lab_dir().join("ca/lab.pem");
    let roots = roots.to_str().unwrap();
    let (queue, differ) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let user = User::new();
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((value, sumdb)) = next else {
                        return;
                    };
                    let vars = [
                        ("GOENV", "off"),
                        ("GOSUMDB", *sumdb),
                        ("SSL_CERT_FILE", roots),
                    ];
                    let report = predicted(&user, &gos[2], &vars, &[value]);
                    let mut outcome = report["outcome"].as_str().unwrap();
                    let is_long = report["wait_ms"].as_u64().is_none_or(|ms| ms > LONG);
                    if is_long {
                        outcome = "hangs";
                    }
                    let server = report["served_by"].as_str().filter(|_| !is_long);
                    let limit = if is_long { PATIENCE } else { PATIENCE * 20 };
                    let all: Vec<_> = std::thread::scope(|scope| {
                        let run = |go: &'_ PathBuf| {
                            let go = go.clone();
                            scope.spawn(move || done(&go, &vars[1..], value, limit))
                        };
                        let all: Vec<_> = gos.iter().map(run).collect();
                        all.into_iter().map(|run| run.join().unwrap()).collect()
                    });
                    for ((did, by), version) in all.into_iter().zip(go::VERSIONS) {
                        if did != outcome || by.as_deref() != server {
                            let report = serde_json::to_string(&report).unwrap();
                            differ.lock().unwrap().push(format!(
                                "go {version} {sumdb:.3} {value}: {did} {by:?}, but {report}"
                            ));
                        }
                    }
                }
            });
        }
    });
    Some(differ.into_inner().unwrap())
}

#[test]
fn what_is_predicted_is_what_go_does() {
    let Some(proxies) = Proxies::start() else {
        return;
    };
    let key = lab("sumdb", &["key"]);
    let modes = || MODES.iter().chain(&CERTIFICATES);
    let mut cases = Vec::new();
    for first in modes() {
        let first = proxies.url(first);
        cases.push((first.clone(), key.as_str()));
        cases.push((first.clone(), "off"));
        for separator in [",", "|"] {
            for second in ["ok", "404", "503:1", "badmod"] {
                let value = format!("{first}{separator}{}", proxies.url(second));
                cases.push((value, key.as_str()));
            }
            let value = format!("{first}{separator}{}", proxies.url("ok"));
            cases.push((value, "off"));
            cases.push((format!("{first}{separator}off"), "off"));
        }
    }
    let Some(differ) = compare(&cases) else {
        return;
    };
    println!("{} chains, with each go", cases.len());
    assert!(differ.is_empty(), "{}\n{}", differ.len(), differ.join("\n"));
}

/// The base URL that gave go the list of versions. Of a go that has failed before, nothing is known.
fn listed(go: &Path, value: &str) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let go_mod = "module example.test/m\n\ngo 1.21\n";
    std::fs::write(dir.path().join("go.mod"), go_mod).unwrap();
    let output = Command::new(go)
        .args(["list", "-m", "-x", "-versions", MODULE])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", dir.path())
        .env("GOFLAGS", "-modcacherw")
        .envs([("GOENV", "off"), ("GOTOOLCHAIN", "local")])
        .envs([("GOSUMDB", "off"), ("GOPROXY", value)])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    said.lines().find_map(|line| {
        let (url, rest) = line.strip_prefix("# get ")?.split_once(": ")?;
        let base = url.strip_suffix("/github.com/pkg/errors/@v/list")?;
        rest.starts_with("200 ").then(|| base.to_owned())
    })
}

#[test]
fn the_hop_that_is_predicted_to_list_the_versions_lists_them() {
    let Some(proxies) = Proxies::start() else {
        return;
    };
    let gos: Option<Vec<PathBuf>> = go::VERSIONS.iter().map(|version| go::go(version)).collect();
    let Some(gos) = gos else { return };
    let user = User::new();
    let mut listers = Vec::new();
    for first in ["404", "503:1", "badjson", "portal200", "close", "refused"] {
        let value = format!("{}|{}", proxies.url(first), proxies.url("ok"));
        let vars = [("GOENV", "off"), ("GOSUMDB", "off")];
        let report = predicted(&user, &gos[2], &vars, &[&value]);
        let requests = report["requests"].as_array().unwrap();
        let list = requests.last().unwrap();
        assert_eq!(list["file"], "list", "{report:#}");
        let lister = list["served_by"].as_str().unwrap();
        for go in &gos {
            assert_eq!(listed(go, &value).as_deref(), Some(lister), "{value}");
        }
        listers.push(lister == proxies.url("ok"));
    }
    // go takes a login page for an empty list.
    assert!(
        listers.contains(&true) && listers.contains(&false),
        "{listers:?}"
    );
}

#[test]
fn no_private_name_is_sent_to_a_public_or_unknown_hop() {
    let Some(proxies) = Proxies::start() else {
        return;
    };
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let key = lab("sumdb", &["key"]);
    let user = User::new();
    let (private, public) = (proxies.url("slow:0"), proxies.url("ok"));
    let unknown = proxies.url("drip:1000000");
    user.write(
        ".config/goroam/goroam.toml",
        format!(
            "version = 1
[target.corp]
goproxy = \"{private}\"
private = true
[target.public]
goproxy = \"{public}\"
[[profile]]
name = \"all\"
env = {{ GOPROXY = \"direct\" }}
"
        ),
    );
    let vars = [
        ("GOENV", "off"),
        ("GOSUMDB", key.as_str()),
        ("GOPRIVATE", "git.corp.test"),
        ("GONOPROXY", "none"),
        ("GONOSUMDB", "none"),
    ];
    let ask =
        |value: &str, module: &str| predicted(&user, &go, &vars, &[value, "--module", module]);
    let hello = "git.corp.test/team/hello@v1.0.0";
    let report = ask(&format!("{public},{private},{unknown}"), hello);
    assert_eq!(report["outcome"], "served", "{report:#}");
    assert_eq!(report["served_by"], private.as_str());
    assert_eq!(report["is_private"], true);
    // It is predicted that go would send it.
    assert_eq!(report["hops"][0]["asked"], true);
    assert_eq!(report["private_names"][0]["reaches"][0], public.as_str());
    let report = ask(&format!("{unknown}|{private}"), hello);
    assert_eq!(report["outcome"], "unknown", "{report:#}");
    // One that the private proxy has not: still nowhere else.
    ask(
        &format!("{private},{public}|{unknown},direct"),
        "git.corp.test/secret@v1.2.3",
    );

    let asked = proxies.asked();
    let of_corp = asked.iter().filter(|path| path.contains("corp"));
    let of_corp: Vec<&String> = of_corp.collect();
    assert!(of_corp.iter().any(|path| path.contains("secret")));
    for path in of_corp {
        assert!(path.starts_with("/_m/slow:0/git.corp.test/"), "{path}");
    }
    // The others were asked for something public.
    for hop in ["/_m/ok/", "/_m/drip:1000000/"] {
        let sample = format!("{hop}github.com/pkg/errors/@v/v0.9.1.info");
        assert!(asked.contains(&sample), "{asked:#?}");
    }

    // goroam's own relay may get it, and its token is not shown.
    let token = "0123456789abcdef0123456789abcdef";
    let kept = format!("{token} {}", proxies.http);
    user.write(".local/state/goroam/relay-token", kept);
    // One that others can read counts as known to them.
    #[cfg(unix)]
    {
        let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        let file = user.path(".local/state/goroam/relay-token");
        std::fs::set_permissions(file, own).unwrap();
    }
    let relay = format!("http://127.0.0.1:{}/{token}", proxies.http);
    let report = ask(&format!("{relay}|off"), hello);
    assert_eq!(report["hops"][0]["class"], "private", "{report:#}");
    assert!(!report.to_string().contains(token), "{report:#}");
}
