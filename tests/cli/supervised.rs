//! `goroam agent` as a service manager starts it, seen through the socket that it notifies.

use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::cli::{self, User};
use crate::go;

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
        Service::start_as(user, env!("CARGO_BIN_EXE_goroam"))
    }

    /// The same from this file.
    fn start_as(user: &User, program: &str) -> Option<Service> {
        let path = user.path("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(SOON)).unwrap();
        Service::start_with(user, program, manager, None)
    }

    /// The same with what the manager has kept of an earlier agent.
    fn start_with(
        user: &User,
        program: &str,
        manager: UnixDatagram,
        kept: Option<OwnedFd>,
    ) -> Option<Service> {
        let go = go::go(go::VERSIONS[2])?;
        let path = user.path("notify");
        let agent = match &kept {
            None => user.run(program).arg("agent"),
            Some(_) => {
                let line = "export LISTEN_PID=$$; exec \"$0\" agent";
                user.run("/bin/sh").arg("-c").arg(line).arg(program)
            }
        };
        let agent = agent.env("WATCHDOG_USEC", "600000000");
        let agent = agent.env("NOTIFY_SOCKET", path.to_str().unwrap());
        let agent = agent.env("PATH", go.parent()?.to_str()?);
        let mut command = agent.command();
        if let Some(kept) = kept {
            command.envs([("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "goroam-relay")]);
            // SAFETY: dup2 may be called between fork and exec, and the closure owns what it
            // duplicates.
            unsafe {
                command.pre_exec(move || match libc::dup2(kept.as_raw_fd(), 3) {
                    3 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                });
            }
        }
        let agent = command.spawn().unwrap();
        Some(Service { manager, agent })
    }

    /// Waits for a descriptor that it gives its manager to keep.
    fn stores(&self) -> OwnedFd {
        loop {
            let mut bytes = [0; 4096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut into = [IoSliceMut::new(&mut bytes)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            let length = recvmsg(&self.manager, &mut into, &mut control, flags);
            let length = length.unwrap().bytes;
            let stored = control.drain().find_map(|message| {
                let RecvAncillaryMessage::ScmRights(mut descriptors) = message else {
                    return None;
                };
                descriptors.next()
            });
            if let Some(stored) = stored {
                assert_eq!(&bytes[..length], b"FDSTORE=1\nFDNAME=goroam-relay\n");
                return stored;
            }
        }
    }

    fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.agent.id()).unwrap();
        // SAFETY: plain system call; the process is a child that nobody has waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// How it ends.
    fn ends(&mut self) -> ExitStatus {
        let end = Instant::now() + SOON;
        loop {
            if let Some(status) = self.agent.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it was told to end, and goes on");
            std::thread::park_timeout(Duration::from_millis(20));
        }
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
        let _ended = self.agent.kill();
        self.agent.wait().unwrap();
    }
}

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !is() {
        assert!(Instant::now() < end, "not within {SOON:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// As package managers do: a new file takes the name. It says that it is goroam, leaves a mark
/// when it is the agent, and then only waits.
fn replace(program: &Path, mark: &Path) {
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo goroam 99 && exit\necho >{}\nexec /bin/sleep 300\n",
        mark.display()
    );
    let new = program.with_extension("new");
    std::fs::write(&new, script).unwrap();
    cli::mode(&new, 0o755);
    std::fs::rename(&new, program).unwrap();
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

#[test]
fn an_update_swallows_no_request_to_end_and_dies_of_none_to_read_again() {
    let (user, mark) = (User::new(), "mark");
    user.write(".config/goroam/goroam.toml", POLICY);
    let program = user.path("bin/goroam");
    std::fs::create_dir(user.path("bin")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_goroam"), &program).unwrap();
    let started = Service::start_as(&user, program.to_str().unwrap());
    let Some(mut service) = started else { return };
    service.hears("WATCHDOG_USEC=0");
    // Somebody who asks nothing is given half a second when the agent gives way: long enough to
    // be told to end in it.
    let socket = user.path("run/goroam/agent.sock");
    let _silent = UnixStream::connect(&socket).unwrap();
    replace(&program, &user.path(mark));
    wait_until("the end of the socket", || !socket.exists());
    service.signal(libc::SIGTERM);
    service.ends();

    std::fs::remove_file(&program).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_goroam"), &program).unwrap();
    std::fs::remove_file(user.path("notify")).unwrap();
    let mut service = Service::start_as(&user, program.to_str().unwrap()).unwrap();
    service.hears("WATCHDOG_USEC=0");
    let _ = std::fs::remove_file(user.path(mark));
    replace(&program, &user.path(mark));
    wait_until("the new program", || user.path(mark).exists());
    service.signal(libc::SIGHUP);
    service.signal(libc::SIGTERM);
    assert_eq!(service.ends().signal(), Some(libc::SIGTERM));
}

/// A small file through the relay at this URL.
fn fetch(url: &str) -> std::io::Result<String> {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, token) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    let path = format!("/{token}/example.test/m/@v/v1.0.0.mod");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The chain of a policy with a relay and one module.
fn with_relay(user: &User) -> String {
    let tree = user.path("tree");
    user.write(
        "tree/example.test/m/@v/v1.0.0.mod",
        "module example.test/m\n",
    );
    let goproxy = format!("file://{},http://127.0.0.1:1", tree.display());
    let policy = format!(
        "version = 1\n[relay]\nenabled = true\n[[profile]]\nname = \"a\"\n\
         env = {{ GOPROXY = \"{goproxy}\" }}\n"
    );
    user.write(".config/goroam/goroam.toml", policy);
    goproxy
}

/// The first URL of GOPROXY.
fn relay_url(user: &User) -> String {
    let env = go_env(user);
    let line = env.lines().find_map(|line| line.strip_prefix("GOPROXY="));
    line.unwrap().split(['|', ',']).next().unwrap().to_owned()
}

#[test]
fn a_restart_goes_unnoticed_by_a_go_that_uses_the_relay() {
    let user = User::new();
    let goproxy = with_relay(&user);
    let program = env!("CARGO_BIN_EXE_goroam");
    let Some(mut service) = Service::start(&user) else {
        return;
    };
    service.hears("WATCHDOG_USEC=0");
    let before = go_env(&user);
    let url = relay_url(&user);
    service.signal(libc::SIGTERM);
    let stored = service.stores();
    assert!(service.ends().success());
    assert_eq!(go_env(&user), format!("GOPROXY={goproxy}\n"));
    // Nobody serves the port, and a request waits.
    let waits = std::thread::scope(|scope| {
        let busy = scope.spawn(|| fetch(&url));
        let manager = service.manager.try_clone().unwrap();
        let next = Service::start_with(&user, program, manager, Some(stored)).unwrap();
        next.hears("FDNAME=goroam-relay");
        let answer = busy.join().unwrap().unwrap();
        assert!(answer.ends_with("module example.test/m\n"), "{answer}");
        next
    });
    waits.hears("WATCHDOG_USEC=0");
    assert_eq!(go_env(&user), before);
}

#[test]
fn an_agent_that_waits_for_a_usable_policy_keeps_no_port_that_nobody_serves() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", "version = 1\n[target.x\n");
    let kept = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = kept.local_addr().unwrap();
    let manager = UnixDatagram::bind(user.path("notify")).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();
    let program = env!("CARGO_BIN_EXE_goroam");
    let started = Service::start_with(&user, program, manager, Some(kept.into()));
    let Some(service) = started else { return };
    service.hears("FDNAME=goroam-relay");
    service.hears("READY=1");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn updates_of_the_program_go_unnoticed_by_a_go_that_uses_the_relay() {
    let user = User::new();
    let goproxy = with_relay(&user);
    let program = user.path("bin/goroam");
    std::fs::create_dir(user.path("bin")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_goroam"), &program).unwrap();
    let started = Service::start_as(&user, program.to_str().unwrap());
    let Some(mut service) = started else { return };
    service.hears("WATCHDOG_USEC=0");
    let before = go_env(&user);
    let url = relay_url(&user);
    assert!(fetch(&url).unwrap().ends_with("module example.test/m\n"));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let mut answers = 0;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let answer = fetch(&url).unwrap();
                assert!(answer.ends_with("module example.test/m\n"), "{answer}");
                answers += 1;
            }
            answers
        });
        for _ in 0..3 {
            let new = program.with_extension("new");
            std::fs::copy(env!("CARGO_BIN_EXE_goroam"), &new).unwrap();
            std::fs::rename(&new, &program).unwrap();
            service.hears("READY=1");
            service.hears("WATCHDOG_USEC=0");
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(busy.join().unwrap() > 3);
    });
    assert_eq!(go_env(&user), before);
    service.signal(libc::SIGTERM);
    drop(service.stores());
    service.ends();
    assert_eq!(go_env(&user), format!("GOPROXY={goproxy}\n"));
    assert!(fetch(&url).is_err());
}
