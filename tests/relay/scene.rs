//! A fault server and a checksum database of the test's own, a relay in front of them, and go.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::cli::User;
use crate::go;

/// The checksum database's name.
pub(crate) const SUMDB: &str = "sum.lab.test";

/// A project of twenty modules, of which the first two are private.
const GO_MOD: &str = include_str!("../data/twenty-modules/go.mod");
const PROGRAM: &str = include_str!("../data/twenty-modules/main.go");

/// The servers.
pub(crate) struct Scene {
    lab: tempfile::TempDir,
    servers: Vec<Child>,
    bad: u16,
    good: u16,
    expired: u16,
}

impl Scene {
    /// Starts them; `None`, and said so, where go or the modules cannot be had.
    pub(crate) fn start() -> Option<Scene> {
        let built = Command::new(script("sumdb")).arg("build").output().unwrap();
        let ca = Command::new(script("ca")).output().unwrap();
        if !built.status.success() || !ca.status.success() {
            println!("skipped: tests/lab/sumdb build: {built:?} {ca:?}");
            return None;
        }
        let real = real_lab();
        let lab = tempfile::tempdir_in("/tmp").unwrap();
        for own in ["run", "log", "state"] {
            std::fs::create_dir(lab.path().join(own)).unwrap();
        }
        for shared in ["tree", "ca"] {
            std::os::unix::fs::symlink(real.join(shared), lab.path().join(shared)).unwrap();
        }
        let [bad, good, expired] = free_ports();
        let database = Command::new(real.join("bin/sumdb"))
            .arg("-state")
            .arg(lab.path().join("state"))
            .arg("-listen")
            .arg(format!(
                "unix:{}",
                lab.path().join("run/sumdb.sock").display()
            ))
            .arg(format!("{SUMDB}={}", real.join("tree/corp").display()))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(lab.path().join("log/sumdb")).unwrap())
            .spawn();
        let faults = Command::new(script("faultd"))
            .args(["serve", "relay"])
            .arg(format!("bad=127.0.0.1:{bad}"))
            .arg(format!("good=127.0.0.1:{good}"))
            .arg(format!("expired=127.0.0.1:{expired},cert=expired"))
            .env("LAB", lab.path())
            .stdin(Stdio::null())
            .spawn();
        let scene = Scene {
            servers: vec![database.unwrap(), faults.unwrap()],
            lab,
            bad,
            good,
            expired,
        };
        let is_up = || {
            let sockets = [bad, good, expired].map(|port| TcpStream::connect(("127.0.0.1", port)));
            sockets.iter().all(Result::is_ok) && scene.lab.path().join("run/sumdb.sock").exists()
        };
        wait_until("the fault server and the database", is_up);
        Some(scene)
    }

    /// The base URL of a proxy with this fault.
    pub(crate) fn bad(&self, mode: &str) -> String {
        match mode {
            "expired" => format!("https://127.0.0.1:{}", self.expired),
            mode => format!("http://127.0.0.1:{}/_m/{mode}", self.bad),
        }
    }

    /// The base URL of a proxy that works; its requests are found by this name.
    pub(crate) fn good(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/_m/ok:{name}", self.good)
    }

    /// The paths that were asked below a base URL, in order.
    pub(crate) fn asked(&self, base: &str) -> Vec<String> {
        let port = base.split('/').nth(2).unwrap();
        let listener = match port.rsplit(':').next().unwrap().parse::<u16>().unwrap() {
            port if port == self.bad => "bad",
            port if port == self.good => "good",
            _ => "expired",
        };
        let below = base.splitn(4, '/').nth(3).unwrap_or_default();
        let all = self.targets(listener).into_iter();
        all.filter_map(|target| {
            let path = target.strip_prefix('/')?.strip_prefix(below)?;
            path.starts_with('/').then(|| path.to_owned())
        })
        .collect()
    }

    /// What was asked of a listener (`bad`, `good` or `expired`), whatever its base URL.
    pub(crate) fn targets(&self, listener: &str) -> Vec<String> {
        let log = std::fs::read_to_string(self.lab.path().join("log/fault-relay.jsonl"));
        let log = log.unwrap_or_default();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &serde_json::Value| line["listener"] == listener)
            .filter_map(|line| Some(line["uri"].as_str()?.to_owned()))
            .collect()
    }

    /// The requests that anybody made, of both proxies and of the database, as they are logged.
    pub(crate) fn all_asked(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.lab.path().join(name)).unwrap();
        read("log/fault-relay.jsonl") + &read("log/sumdb")
    }

    /// GOSUMDB with the database's key and no URL.
    pub(crate) fn gosumdb(&self) -> String {
        let key = self.lab.path().join(format!("state/{SUMDB}.vkey"));
        std::fs::read_to_string(key).unwrap().trim().to_owned()
    }

    /// Somebody with the project, in an empty home.
    pub(crate) fn client(&self, version: &str) -> Option<Client> {
        let Client { user, go, .. } = local(version)?;
        user.write("app/go.mod", GO_MOD);
        user.write("app/main.go", PROGRAM);
        let gosumdb = self.gosumdb();
        Some(Client { user, go, gosumdb })
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Somebody in an empty home, who needs no server.
pub(crate) fn local(version: &str) -> Option<Client> {
    let go = go::go(version)?;
    let user = User::new();
    std::fs::create_dir(user.path("app")).unwrap();
    let gosumdb = "off".to_owned();
    Some(Client { user, go, gosumdb })
}

/// Somebody who runs go and the relay.
pub(crate) struct Client {
    pub(crate) user: User,
    go: PathBuf,
    gosumdb: String,
}

impl Client {
    /// Says in the policy which proxies are public and which private: base URLs.
    pub(crate) fn knows(&self, public: &[&str], private: &[&str]) {
        let mut policy = "version = 1\n".to_owned();
        for (number, url) in public.iter().chain(private).enumerate() {
            let is_private = number >= public.len();
            let target =
                format!("[target.t{number}]\ngoproxy = \"{url}\"\nprivate = {is_private}\n");
            policy.push_str(&target);
        }
        policy.push_str("[[profile]]\nname = \"any\"\nenv = { GOPROXY = \"off\" }\n");
        self.user.write(".config/goroam/goroam.toml", policy);
    }

    pub(crate) fn prepared(&self, program: &Path) -> Command {
        let mut command = self.user.run(program.to_str().unwrap()).command();
        let folder = self.go.parent().unwrap().display();
        command
            .current_dir(self.user.path("app"))
            .env("PATH", format!("{folder}:/usr/bin:/bin"))
            .envs([
                ("GOENV", "off"),
                ("GOFLAGS", "-mod=mod -modcacherw -trimpath"),
                ("GOTOOLCHAIN", "local"),
                ("GOTELEMETRY", "off"),
                ("GOSUMDB", &self.gosumdb),
            ])
            .env("GOCACHE", real_lab().join("gocache"));
        command
    }

    /// `goroam WORDS`.
    pub(crate) fn goroam(&self, words: &str, env: &[(&str, &str)]) -> Command {
        let mut command = self.prepared(Path::new(env!("CARGO_BIN_EXE_goroam")));
        command
            .args(words.split_whitespace())
            .envs(env.iter().copied());
        command
    }

    /// `goroam relay --chain CHAIN WORDS`.
    pub(crate) fn relay(&self, chain: &str, words: &str) -> Relay {
        self.relay_with(chain, words, &[])
    }

    pub(crate) fn relay_with(&self, chain: &str, words: &str, env: &[(&str, &str)]) -> Relay {
        let mut command = self.prepared(Path::new(env!("CARGO_BIN_EXE_goroam")));
        command
            .args(["relay", "--chain", chain])
            .args(words.split_whitespace())
            .envs(env.iter().copied());
        Relay::start(command)
    }

    /// `goroam relay --chain CHAIN` that logs all it does.
    pub(crate) fn relay_with_log(&self, chain: &str, log: impl Into<Stdio>) -> Relay {
        let mut command = self.prepared(Path::new(env!("CARGO_BIN_EXE_goroam")));
        command.args(["relay", "--chain", chain]);
        command.env("GOROAM_LOG", "goroam=debug").stderr(log);
        Relay::start(command)
    }

    /// The same in a mount namespace, after a line of shell, which may hide the directory that
    /// goroam was built in.
    #[cfg(target_os = "linux")]
    pub(crate) fn relay_after(&self, line: &str, chain: &str) -> Relay {
        let goroam = self.user.path("goroam");
        std::fs::copy(env!("CARGO_BIN_EXE_goroam"), &goroam).unwrap();
        let goroam = goroam.display();
        let mut command = self.prepared(Path::new("unshare"));
        let line = format!("{line} && exec {goroam} relay --chain '{chain}'");
        command.args(["-m", "sh", "-c", &line]);
        Relay::start(command)
    }

    /// `go WORDS` with the relay alone as GOPROXY.
    pub(crate) fn go(&self, relay: &Relay, words: &str) -> Ran {
        self.go_with(&relay.url, words, &[])
    }

    /// A line of shell with this GOPROXY.
    pub(crate) fn sh(&self, goproxy: &str, line: &str) -> Ran {
        let mut command = self.prepared(Path::new("sh"));
        command.args(["-c", line]).env("GOPROXY", goproxy);
        Ran::of(command)
    }

    /// The same under `goroam exec WORDS`.
    pub(crate) fn exec(&self, goproxy: &str, words: &str, line: &str) -> Ran {
        let mut command = self.prepared(Path::new(env!("CARGO_BIN_EXE_goroam")));
        command
            .arg("exec")
            .args(words.split_whitespace())
            .args(["--", "sh", "-c", line])
            .env("GOPROXY", goproxy);
        Ran::of(command)
    }

    pub(crate) fn go_with(&self, goproxy: &str, words: &str, env: &[(&str, &str)]) -> Ran {
        let mut command = self.prepared(&self.go);
        command
            .args(words.split_whitespace())
            .env("GOPROXY", goproxy)
            .envs(env.iter().copied());
        Ran::of(command)
    }
}

/// What a go command did.
pub(crate) struct Ran {
    output: Output,
    pub(crate) took: Duration,
}

impl Ran {
    fn of(mut command: Command) -> Ran {
        let start = Instant::now();
        Ran {
            output: command.output().unwrap(),
            took: start.elapsed(),
        }
    }

    pub(crate) fn is_right(&self) -> bool {
        self.output.status.success()
    }

    pub(crate) fn said(&self) -> String {
        let [out, err] = [&self.output.stdout, &self.output.stderr];
        String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
    }
}

/// A relay that runs; it is ended when this is dropped.
pub(crate) struct Relay {
    pub(crate) child: Child,
    pub(crate) url: String,
}

impl Relay {
    fn start(mut command: Command) -> Relay {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{url:?}");
        Relay { child, url }
    }

    pub(crate) fn port(&self) -> u16 {
        let port = self.url.split([':', '/']).nth(4).unwrap();
        port.parse().unwrap()
    }

    pub(crate) fn token(&self) -> &str {
        self.url.rsplit('/').next().unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port whose connections are never accepted, and whose SYN packets Linux drops: its queue is full.
pub(crate) struct BlackHole {
    pub(crate) port: u16,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    pub(crate) fn new() -> BlackHole {
        use std::os::fd::AsRawFd as _;

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // SAFETY: the descriptor is open, and listen(2) may be repeated to shorten the queue.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queue.push(stream);
        }
        BlackHole {
            port: address.port(),
            _listener: listener,
            _queue: queue,
        }
    }
}

pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "not within 30 s: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn script(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/lab").join(name)
}

pub(crate) fn real_lab() -> PathBuf {
    std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), PathBuf::from)
}

/// One request of the relay, below its token: the whole response.
pub(crate) fn get(relay: &Relay, path: &str) -> String {
    let (port, token) = (relay.port(), relay.token());
    let request = format!(
        "GET /{token}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    );
    String::from_utf8_lossy(&send(port, request.as_bytes())).into_owned()
}

/// Sends bytes and reads until the other end has had enough, for 10 s at most.
pub(crate) fn send(port: u16, bytes: &[u8]) -> Vec<u8> {
    use std::io::{Read as _, Write as _};

    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    // A server that refuses closes its end before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}
