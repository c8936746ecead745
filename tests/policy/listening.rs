//! `listening = "127.0.0.1:3000"`, with a real server on that port and without: the policy decides
//! differently, and go gets its modules where it says.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::go;

const POLICY: &str = "version = 1\n[target.athens]\nlistening = \"127.0.0.1:3000\"\n\
    [[profile]]\nname = \"athens\"\nwhen = { up = \"athens\" }\n\
    env = { GOPROXY = \"http://127.0.0.1:3000,off\" }\n\
    [[profile]]\nname = \"without\"\nenv = { GOPROXY = \"off\" }\n";

/// A web server on the port, until it is dropped.
struct Server(Child);

impl Server {
    fn start(root: &Path) -> Option<Server> {
        let child = Command::new("python3")
            .args([
                "-m",
                "http.server",
                "3000",
                "--bind",
                "127.0.0.1",
                "--directory",
            ])
            .arg(root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            println!("skipped: no python3 for a web server");
            return None;
        };
        let server = Server(child);
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect("127.0.0.1:3000").is_err() {
            assert!(Instant::now() < end, "it does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_proxy_on_this_machine_is_used_while_it_listens() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    if let Err(error) = TcpListener::bind("127.0.0.1:3000") {
        println!("skipped: somebody else is at 127.0.0.1:3000: {error}");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("goroam.toml");
    std::fs::write(&config, POLICY).unwrap();
    // A policy that others may write to is refused, which the umask could make of it.
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    // A module proxy is a tree of files behind any web server (`go help goproxy`).
    let versions = home.path().join("proxy/a.test/b/@v");
    std::fs::create_dir_all(&versions).unwrap();
    std::fs::write(versions.join("v1.0.0.info"), r#"{"Version":"v1.0.0"}"#).unwrap();
    std::fs::write(versions.join("v1.0.0.mod"), "module a.test/b\n").unwrap();
    std::fs::write(versions.join("list"), "v1.0.0\n").unwrap();

    let run = |program: &Path, args: &[&str]| -> Output {
        let mut command = Command::new(program);
        let bin = go.parent().unwrap().display();
        command
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", format!("{bin}:/usr/bin:/bin"))
            .env("GOROAM_CONFIG", &config)
            // No database knows this module; whether it is proven is not what this is about.
            .env("GONOSUMDB", "a.test")
            .env("GOTOOLCHAIN", "local")
            .current_dir(home.path());
        command.args(args).output().unwrap()
    };
    let profile = || -> String {
        let out = run(Path::new(env!("CARGO_BIN_EXE_goroam")), &["once", "--json"]);
        let said: Result<Value, _> = serde_json::from_slice(&out.stdout);
        let said = said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)));
        said["profile"].as_str().unwrap().to_owned()
    };
    let asks = || {
        let out = run(&go, &["list", "-m", "-versions", "a.test/b"]);
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    };

    assert_eq!(profile(), "without");
    assert_eq!(asks(), "");
    {
        let Some(_server) = Server::start(&home.path().join("proxy")) else {
            return;
        };
        assert_eq!(profile(), "athens");
        assert_eq!(asks(), "a.test/b v1.0.0");
    }
    // Rounds in a row that it must fail before it counts as gone: `fall`.
    assert_eq!((profile(), profile()).1, "without");
    assert_eq!(asks(), "");
}
