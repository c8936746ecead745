//! Proxies that misbehave as told, a checksum database, and users who build a project of twenty
//! modules, for the measurements of the relay.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::idle;
use crate::lab;
use crate::run::{self, Result};

/// The checksum database's name.
const SUMDB: &str = "sum.lab.test";
const GO_MOD: &str = include_str!("../../../tests/data/twenty-modules/go.mod");
const PROGRAM: &str = include_str!("../../../tests/data/twenty-modules/main.go");
/// A server that has not started by then does not start.
const START: Duration = Duration::from_secs(30);

/// One listener of the fault server.
#[derive(Debug, Clone)]
pub struct Listener {
    pub name: String,
    /// The certificate of `tests/lab/ca` that it shows; `None`: without TLS.
    pub cert: Option<&'static str>,
    pub port: u16,
}

impl Listener {
    pub fn new(name: impl Into<String>, cert: Option<&'static str>) -> Result<Listener> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let free = free.map_err(|err| format!("a free port: {err}"))?;
        Ok(Listener {
            name: name.into(),
            cert,
            port: free.port(),
        })
    }

    pub fn url(&self) -> String {
        let scheme = if self.cert.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }
}

/// The servers; they end when this is dropped.
pub struct Scene {
    lab: tempfile::TempDir,
    servers: Vec<Child>,
    gosumdb: String,
}

impl Scene {
    pub fn start(listeners: &[&Listener]) -> Result<Scene> {
        run::output(lab::script("sumdb").arg("build"))?;
        run::output(&mut lab::script("mods"))?;
        run::output(&mut lab::script("ca"))?;
        let own = tempfile::tempdir_in("/var/tmp").map_err(|err| err.to_string())?;
        let at = |name: &str| own.path().join(name);
        for folder in ["run", "log", "state"] {
            made(fs::create_dir(at(folder)))?;
        }
        for shared in ["tree", "ca"] {
            let mut link = Command::new("ln");
            run::output(link.arg("-s").arg(lab::dir().join(shared)).arg(at(shared)))?;
        }
        let log = fs::File::create(at("log/sumdb")).map_err(|err| err.to_string())?;
        let database = Command::new(lab::dir().join("bin/sumdb"))
            .arg("-state")
            .arg(at("state"))
            .args([
                "-listen",
                &format!("unix:{}", at("run/sumdb.sock").display()),
            ])
            .arg(format!("{SUMDB}={}", tree().display()))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|err| format!("the checksum database: {err}"))?;
        let faults = lab::script("faultd")
            .args(["serve", "relay"])
            .args(listeners.iter().map(|Listener { name, cert, port }| {
                let cert = cert.map_or(String::new(), |cert| format!(",cert={cert}"));
                format!("{name}=127.0.0.1:{port}{cert}")
            }))
            .env("LAB", own.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|err| format!("the fault server: {err}"))?;
        let mut scene = Scene {
            servers: vec![database, faults],
            gosumdb: String::new(),
            lab: own,
        };
        let end = Instant::now() + START;
        let is_up = |listener: &&Listener| TcpStream::connect(("127.0.0.1", listener.port)).is_ok();
        let key = scene.lab.path().join(format!("state/{SUMDB}.vkey"));
        while !(listeners.iter().all(is_up)
            && scene.lab.path().join("run/sumdb.sock").exists()
            && key.exists())
        {
            if Instant::now() > end {
                return Err("the fault server or the checksum database does not start".to_owned());
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let key = fs::read_to_string(key).map_err(|err| err.to_string())?;
        key.trim().clone_into(&mut scene.gosumdb);
        Ok(scene)
    }

    /// Lets a listener do this from now on, with this certificate if it speaks TLS. Its connections
    /// are cut.
    pub fn set(&self, listener: &Listener, mode: &str, cert: Option<&str>) -> Result {
        let mut words = vec!["set", "relay", &listener.name, mode];
        words.extend(cert);
        let mut command = lab::script("faultd");
        run::output(command.args(words).env("LAB", self.lab.path())).map(drop)
    }

    /// Somebody with the project, in an empty home.
    pub fn user(&self) -> Result<User> {
        let go = run::output(&mut lab::script("go"))?;
        User::new(PathBuf::from(go.trim()), &self.gosumdb)
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

/// Where the right files are.
pub fn tree() -> PathBuf {
    lab::dir().join("tree/corp")
}

fn made<T>(result: std::io::Result<T>) -> Result<T> {
    result.map_err(|err| err.to_string())
}

/// Somebody who runs go and goroam.
pub struct User {
    home: tempfile::TempDir,
    go: PathBuf,
    gosumdb: String,
}

impl User {
    /// Somebody who needs no server of the scene.
    pub fn alone() -> Result<User> {
        let go = run::output(&mut lab::script("go"))?;
        User::new(PathBuf::from(go.trim()), "off")
    }

    fn new(go: PathBuf, gosumdb: &str) -> Result<User> {
        let user = User {
            home: tempfile::tempdir_in("/var/tmp").map_err(|err| err.to_string())?,
            go,
            gosumdb: gosumdb.to_owned(),
        };
        made(fs::create_dir(user.project()))?;
        user.start_afresh()?;
        Ok(user)
    }

    pub fn project(&self) -> PathBuf {
        self.home.path().join("app")
    }

    /// The module cache.
    pub fn cache(&self) -> PathBuf {
        self.home.path().join("go/pkg/mod")
    }

    /// An empty module cache, and the project as it was written.
    pub fn start_afresh(&self) -> Result {
        let _ = fs::remove_dir_all(self.cache());
        let _ = fs::remove_file(self.project().join("go.sum"));
        made(fs::write(self.project().join("go.mod"), GO_MOD))?;
        made(fs::write(self.project().join("main.go"), PROGRAM))
    }

    /// Says in the policy that these proxies are public.
    pub fn knows(&self, public: &[String]) -> Result {
        let mut policy = "version = 1\n".to_owned();
        for (number, url) in public.iter().enumerate() {
            policy += &format!("[target.t{number}]\ngoproxy = \"{url}\"\n");
        }
        policy += "[[profile]]\nname = \"any\"\nenv = { GOPROXY = \"off\" }\n";
        let folder = self.home.path().join(".config/goroam");
        made(fs::create_dir_all(&folder))?;
        made(fs::write(folder.join("goroam.toml"), policy))
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let folder = self.go.parent().unwrap_or(&self.go).display();
        command
            .env_clear()
            .envs([
                ("GOENV", "off"),
                ("GOFLAGS", "-mod=mod -modcacherw -trimpath"),
                ("GOTOOLCHAIN", "local"),
                ("GOTELEMETRY", "off"),
                ("GOSUMDB", &self.gosumdb),
            ])
            .env("PATH", format!("{folder}:/usr/bin:/bin"))
            .env("HOME", self.home.path())
            .env("GOCACHE", lab::dir().join("gocache"))
            .env("SSL_CERT_FILE", lab::dir().join("ca/lab.pem"))
            .current_dir(self.project())
            .stdin(Stdio::null());
        command
    }

    /// `go WORDS` with this GOPROXY, for at most this time.
    pub fn go(&self, goproxy: &str, words: &str, limit: Duration) -> Result<Ran> {
        let mut command = self.command(&self.go);
        command
            .args(words.split_whitespace())
            .env("GOPROXY", goproxy);
        Ran::of(&mut command, limit)
    }

    /// The same go under `goroam exec LIMITS`.
    pub fn exec(
        &self,
        goroam: &Path,
        goproxy: &str,
        limits: &str,
        words: &str,
        limit: Duration,
    ) -> Result<Ran> {
        let mut command = self.command(goroam);
        command
            .arg("exec")
            .args(limits.split_whitespace())
            .args(["--", "go"])
            .args(words.split_whitespace())
            .env("GOPROXY", goproxy);
        Ran::of(&mut command, limit)
    }

    /// `goroam relay --chain CHAIN WORDS`.
    pub fn relay(&self, goroam: &Path, chain: &str, words: &str) -> Result<Relay> {
        let mut command = self.command(goroam);
        command
            .args(["relay", "--chain", chain])
            .args(words.split_whitespace());
        Relay::start(&mut command)
    }
}

/// What a command did.
pub struct Ran {
    /// `None`: it was killed at the end of its time.
    pub status: Option<ExitStatus>,
    pub said: String,
    pub took: Duration,
}

impl Ran {
    fn of(command: &mut Command, limit: Duration) -> Result<Ran> {
        let mut out = made(tempfile::tempfile())?;
        command
            .stdout(made(out.try_clone())?)
            .stderr(made(out.try_clone())?);
        let start = Instant::now();
        let mut child = made(command.spawn())?;
        let status = loop {
            if let Some(status) = made(child.try_wait())? {
                break Some(status);
            }
            if start.elapsed() > limit {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        };
        let took = start.elapsed();
        let mut said = Vec::new();
        made(out.seek(SeekFrom::Start(0)))?;
        made(out.read_to_end(&mut said))?;
        Ok(Ran {
            status,
            said: String::from_utf8_lossy(&said).into_owned(),
            took,
        })
    }

    pub fn is_right(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// A relay that runs; it is killed when this is dropped.
pub struct Relay {
    child: Child,
    pub url: String,
}

impl Relay {
    pub fn start(command: &mut Command) -> Result<Relay> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|err| format!("goroam relay: {err}"))?;
        let mut url = String::new();
        if let Some(out) = child.stdout.take() {
            let read = BufReader::new(out).read_line(&mut url);
            read.map_err(|err| format!("goroam relay: {err}"))?;
        }
        let relay = Relay {
            child,
            url: url.trim().to_owned(),
        };
        match relay.url.starts_with("http://") {
            true => Ok(relay),
            false => Err("goroam relay: does not start".to_owned()),
        }
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its address, to listen there again.
    pub fn address(&self) -> &str {
        self.url.split('/').nth(2).unwrap_or_default()
    }

    pub fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }

    /// A value of its status, in kB.
    pub fn status(&self, field: &str) -> Result<u64> {
        let status = made(fs::read_to_string(self.proc().join("status")))?;
        let value = idle::field(&status, field).and_then(|value| value.parse().ok());
        value.ok_or_else(|| format!("no {field} in its status"))
    }

    /// How many files and sockets it has open.
    pub fn descriptors(&self) -> Result<usize> {
        Ok(made(fs::read_dir(self.proc().join("fd")))?.count())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What differs between the files of a module cache and the right ones.
pub fn wrong_files(cache: &Path, right: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<Vec<String>> {
    let root = cache.join("cache/download");
    let (mut wrong, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in made(fs::read_dir(&folder))?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let end = path.extension().and_then(|end| end.to_str());
            let below = path.strip_prefix(&root).unwrap_or(&path).to_owned();
            // go writes a `.info` in its own words.
            if !matches!(end, Some("zip" | "mod")) || below.starts_with("sumdb") {
                continue;
            }
            let had = made(fs::read(&path))?;
            let known = match right.entry(below.clone()) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(new) => {
                    new.insert(made(fs::read(tree().join(&below)))?)
                }
            };
            if had != *known {
                wrong.push(below.display().to_string());
            }
        }
    }
    Ok(wrong)
}
