//! `goroam agent` as a service manager starts it, seen through the socket that it notifies.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::panic, reason = "a test that cannot go on fails")]

#[path = "support/cli.rs"]
mod cli;
#[path = "support/go.rs"]
mod go;

use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::time::{Duration, Instant};

use cli::User;

const SOON: Duration = Duration::from_secs(30);
const POLICY: &str = "version = 1\n\
    [[profile]]\nname = \"held\"\nwhen = { subnet = \"198.51.100.0/24\" }\n\
    env = { GOPROXY = \"https://held.test\" }\n\
    [[profile]]\nname = \"usual\"\nenv = { GOPROXY = \"https://usual.test\" }\n";

/// An agent and the manager that has started it.
struct Service {
    manager: UnixDatagram,
    agent: Child,
}

impl Service {
    /// `None`: there is no go here.
    fn start(user: &User) -> Option<Service> {
        let go = go::go(go::VERSIONS[2])?;
        let path = user.path("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(SOON)).unwrap();
        let agent = user.goroam("agent").env("WATCHDOG_USEC", "600000000");
        let agent = agent.env("NOTIFY_SOCKET", path.to_str().unwrap());
        let agent = agent.env("PATH", go.parent()?.to_str()?);
        let agent = agent.command().spawn().unwrap();
        Some(Service { manager, agent })
    }

    /// Waits until it has said this line; what it has said until then.
    fn hears(&self, line: &str) -> String {
        let mut all = String::new();
        let mut bytes = [0; 4096];
        loop {
            let Ok(length) = self.manager.recv(&mut bytes) else {
                panic!("not heard {line:?}, only: {all}");
            };
            let said = String::from_utf8(bytes[..length].to_vec()).unwrap();
            all.push_str(&said);
            if said.lines().any(|said| said == line) {
                return all;
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.agent.kill().unwrap();
        self.agent.wait().unwrap();
    }
}

fn go_env(user: &User) -> String {
    std::fs::read_to_string(user.path(".config/go/env")).unwrap_or_default()
}

#[test]
fn no_watchdog_runs_while_a_usable_policy_is_waited_for() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", "version = 1\n[target.x\n");
    let Some(service) = Service::start(&user) else {
        return;
    };
    service.hears("READY=1");
    service.hears("WATCHDOG_USEC=0");
    user.write(".config/goroam/goroam.toml", POLICY);
    service.hears("WATCHDOG_USEC=600000000");
}

#[test]
fn a_pin_that_runs_out_in_a_pause_changes_nothing() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    let Some(service) = Service::start(&user) else {
        return;
    };
    service.hears("WATCHDOG_USEC=0");
    user.goroam("use held --for 5s").exits(0);
    user.goroam("pause").exits(0);
    user.goroam("once --dry-run").exits(0);
    let over = Instant::now() + Duration::from_secs(6);
    while Instant::now() < over {
        std::thread::park_timeout(over.saturating_duration_since(Instant::now()));
    }
    let status = user.goroam("status --json").exits(0).json();
    assert_eq!(
        (&status["paused"], &status["profile"]),
        (&true.into(), &"held".into())
    );
    assert!(go_env(&user).contains("held.test"));
    // Without an agent, too, this ends the pause.
    drop(service);
    let go = go::go(go::VERSIONS[2]).unwrap();
    let path = go.parent().unwrap().to_str().unwrap();
    user.goroam("auto").env("PATH", path).exits(0);
    assert!(go_env(&user).contains("usual.test"));
    let status = user.goroam("status --json").exits(0).json();
    assert_eq!(status["paused"], false);
}

#[test]
fn a_restore_that_finds_nothing_does_not_end_the_first_round() {
    let user = User::new();
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!(
        "[target.deaf]\nhttps = \"https://{}\"\n",
        deaf.local_addr().unwrap()
    );
    let policy = POLICY.replace("{ subnet = \"198.51.100.0/24\" }", "{ up = \"deaf\" }");
    user.write(".config/goroam/goroam.toml", policy + &target);
    let Some(service) = Service::start(&user) else {
        return;
    };
    // It is asked, and does not answer.
    let (_open, _) = deaf.accept().unwrap();
    user.goroam("restore")
        .exits(1)
        .complains("nothing to restore");
    service.hears("WATCHDOG_USEC=0");
    assert!(go_env(&user).contains("usual.test"));
}
