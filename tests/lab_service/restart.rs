//! Restarts of the service while go commands use the relay.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::lab::script;
use crate::support::{Container, Lab, PROGRAM, SOON, goroam_bin, wait_until};

const VERSIONS: [&str; 3] = ["1.21.13", "1.24.11", "1.27.3"];
const RESTARTS: usize = 20;
/// Each answer takes a moment, so that requests are always under way.
const PROXY: &str = "http://127.0.0.1:9107/_m/slow:0.03";
const GO_MOD: &str = "module app.test\n\ngo 1.21\n\nrequire (\n\
    \tgithub.com/Masterminds/semver/v3 v3.2.0\n\
    \tgithub.com/cespare/xxhash/v2 v2.1.1\n\
    \tgithub.com/davecgh/go-spew v1.1.1\n\
    \tgithub.com/fatih/color v1.7.0\n\
    \tgithub.com/google/uuid v1.3.0\n\
    \tgithub.com/kr/pretty v0.3.0\n\
    \tgithub.com/pkg/errors v0.9.1\n\
    \tgithub.com/pmezard/go-difflib v1.0.0\n\
    \tgolang.org/x/sync v0.1.0\n\
    \tgopkg.in/yaml.v3 v3.0.1\n)\n";
const PROGRAM_TEXT: &str = "package main\n\nimport (\n\
    \t_ \"github.com/Masterminds/semver/v3\"\n\
    \t_ \"github.com/cespare/xxhash/v2\"\n\
    \t_ \"github.com/davecgh/go-spew/spew\"\n\
    \t_ \"github.com/fatih/color\"\n\
    \t_ \"github.com/google/uuid\"\n\
    \t_ \"github.com/kr/pretty\"\n\
    \t_ \"github.com/pkg/errors\"\n\
    \t_ \"github.com/pmezard/go-difflib/difflib\"\n\
    \t_ \"golang.org/x/sync/errgroup\"\n\
    \t_ \"gopkg.in/yaml.v3\"\n)\n\nfunc main() {}\n";

/// A slow proxy in the laptop's network; it ends when this is dropped.
struct SlowProxy {
    server: Child,
    dir: tempfile::TempDir,
}

impl SlowProxy {
    fn start(lab: &Lab) -> SlowProxy {
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        for own in ["run", "log"] {
            std::fs::create_dir(dir.path().join(own)).unwrap();
        }
        for shared in ["tree", "ca"] {
            std::os::unix::fs::symlink(lab.dir().join(shared), dir.path().join(shared)).unwrap();
        }
        let server = Command::new("ip")
            .args(["netns", "exec", "goroam-laptop"])
            .arg(script("faultd"))
            .args(["serve", "restart", "slow=127.0.0.1:9107"])
            .env("LAB", dir.path())
            .stdin(Stdio::null())
            .spawn();
        SlowProxy {
            server: server.unwrap(),
            dir,
        }
    }
}

impl SlowProxy {
    /// How many requests it has had.
    fn asked(&self) -> usize {
        let log = std::fs::read_to_string(self.dir.path().join("log/fault-restart.jsonl"));
        log.unwrap_or_default().lines().count()
    }
}

impl Drop for SlowProxy {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Installed, with a relay in front of a private proxy.
fn relayed<'lab>(lab: &'lab Lab) -> (Container<'lab>, SlowProxy, String) {
    let machine = Container::boot(lab);
    let proxy = SlowProxy::start(lab);
    machine.write_policy(&format!(
        "version = 1\n[relay]\nenabled = true\n\
         [target.own]\ngoproxy = \"{PROXY}\"\nprivate = true\n\
         [[profile]]\nname = \"own\"\nenv = {{ GOPROXY = \"{PROXY},direct\" }}\n"
    ));
    machine.user("goroam service install").ok();
    let url = relay_url(&machine);
    (machine, proxy, url)
}

/// The relay's URL from GOPROXY, once it is there.
fn relay_url(machine: &Container<'_>) -> String {
    wait_until("GOPROXY names the relay", SOON, || {
        let value = machine.go_env().remove("GOPROXY").unwrap_or_default();
        let url = value.strip_suffix(",direct").unwrap_or_default();
        if url.starts_with("http://127.0.0.1:") && url != PROXY {
            Ok(url.to_owned())
        } else {
            Err(format!("{value}\n{}", machine.log()))
        }
    })
}

/// Builds the project again and again with an empty module cache; how often.
fn build(lab: &Path, version: &str, url: &str, is_over: &AtomicBool) -> usize {
    let go = Command::new(script("go")).arg(version).output().unwrap();
    let go = PathBuf::from(String::from_utf8(go.stdout).unwrap().trim());
    let home = tempfile::tempdir_in(lab.join("homes")).unwrap();
    let app = home.path().join("app");
    std::fs::create_dir(&app).unwrap();
    std::fs::write(app.join("main.go"), PROGRAM_TEXT).unwrap();
    let forms = [",direct", "|file:///nowhere,off", ""];
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) || count < forms.len() {
        std::fs::write(app.join("go.mod"), GO_MOD).unwrap();
        let goproxy = format!("{url}{}", forms[count % forms.len()]);
        let built = run_go(&go, home.path(), &goproxy);
        assert!(built.is_ok(), "go {version}, {goproxy}: {built:?}");
        let _ = std::fs::remove_dir_all(home.path().join("go"));
        count += 1;
    }
    count
}

/// All that a build does but for compiling, which needs no proxy.
fn run_go(go: &Path, home: &Path, goproxy: &str) -> Result<(), String> {
    let built = Command::new(script("in-laptop"))
        .arg(go)
        .args(["build", "-n", "."])
        .current_dir(home.join("app"))
        .envs([("GOPROXY", goproxy), ("GOSUMDB", "off")])
        .env("LAB_HOME", home)
        .output()
        .unwrap();
    if built.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&built.stderr);
        let said = said.lines().filter(|line| !line.contains(": downloading "));
        Err(said.collect::<Vec<_>>().join("\n"))
    }
}

/// Whether something listens there: go would wait, for ever if nobody accepts.
fn listens(machine: &Container<'_>, url: &str) -> bool {
    let port = url.split([':', '/']).nth(4).unwrap();
    let said = machine.root(&format!(
        "timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'"
    ));
    // Not refused: connected, or in a queue that is full.
    said.code != Some(1)
}

#[test]
fn restarts_in_the_middle_of_builds_go_unnoticed_with_each_go_and_each_form() {
    let Some(lab) = Lab::get() else { return };
    let (machine, proxy, url) = relayed(&lab);
    let is_over = AtomicBool::new(false);
    let mut longest = Duration::ZERO;
    let began = Instant::now();
    let builds = std::thread::scope(|scope| {
        let builders = VERSIONS.map(|version| {
            let (lab, url, is_over) = (lab.dir(), url.as_str(), &is_over);
            scope.spawn(move || build(lab, version, url, is_over))
        });
        for _ in 0..RESTARTS {
            let before = proxy.asked();
            wait_until("builds that ask", SOON, || match proxy.asked() {
                now if now > before + 3 => Ok(()),
                now => Err(now.to_string()),
            });
            let asked = Instant::now();
            machine.user("systemctl --user restart goroam.service").ok();
            longest = longest.max(asked.elapsed());
        }
        is_over.store(true, Ordering::Relaxed);
        builders.map(|builder| builder.join().unwrap())
    });
    println!(
        "{RESTARTS} restarts and {builds:?} builds in {:.1} s, the longest restart {:.1} s",
        began.elapsed().as_secs_f64(),
        longest.as_secs_f64()
    );
    assert_eq!(relay_url(&machine), url);
    assert!(listens(&machine, &url));
    machine.user("systemctl --user stop goroam.service").ok();
    assert!(!listens(&machine, &url), "nobody serves the port");
    assert_eq!(machine.go_env()["GOPROXY"], format!("{PROXY},direct"));
    machine
        .user("goroam service uninstall --restore --purge")
        .ok();
}

#[test]
fn a_program_that_cannot_start_leaves_no_port_that_nobody_serves() {
    let Some(lab) = Lab::get() else { return };
    let (machine, _proxy, url) = relayed(&lab);
    let drop_in = ".config/systemd/user/goroam.service.d";
    machine.user(&format!("mkdir -p {drop_in}")).ok();
    let conf = format!("/home/dev/{drop_in}/50-test.conf");
    machine.write("[Service]\nTimeoutStartSec=4s\n", &conf);
    machine.user("systemctl --user daemon-reload").ok();
    let bad = [
        ("it fails", "#!/bin/sh\nexit 3\n"),
        ("it cannot be executed", "#!/nowhere/sh\n"),
        ("it hangs", "#!/bin/sh\nexec sleep 1000\n"),
    ];
    for (what, program) in bad {
        machine.write(program, PROGRAM);
        let asked = Instant::now();
        machine
            .user("systemctl --user --no-block restart goroam.service")
            .ok();
        wait_until("the value to be taken back", SOON, || {
            let value = machine.go_env().remove("GOPROXY").unwrap_or_default();
            if value.starts_with(PROXY) {
                Ok(())
            } else {
                Err(format!("{what}: {value}\n{}", machine.log()))
            }
        });
        wait_until("the port to be closed", SOON, || {
            if listens(&machine, &url) {
                Err(machine.log())
            } else {
                Ok(())
            }
        });
        println!(
            "{what}: refused after {:.1} s",
            asked.elapsed().as_secs_f64()
        );
        machine.push(&goroam_bin(), PROGRAM);
        assert_eq!(relay_url(&machine), url);
        wait_until("the relay", SOON, || {
            if listens(&machine, &url) {
                Ok(())
            } else {
                Err(machine.log())
            }
        });
    }
    machine
        .user("goroam service uninstall --restore --purge")
        .ok();
}
