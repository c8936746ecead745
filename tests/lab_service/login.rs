//! The service from login to logout: with and without linger.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::lab::script;
use crate::support::{Container, Lab, SOON, wait_until};

const OFFICE: &str = "https://goproxy.corp.test";
const PUBLIC: &str = "https://proxy.golang.org,direct";

/// The lab's own start of `su` and PAM, and systemd's of the user's manager, are in it.
const LOGIN_TO_GO_ENV: Duration = Duration::from_secs(5);

fn manager(machine: &Container<'_>) -> String {
    let said = machine.root("systemctl show -P ActiveState user@1000.service");
    said.stdout.trim().to_owned()
}

fn wait_manager(machine: &Container<'_>, state: &str) {
    wait_until(&format!("dev's manager to be {state}"), SOON, || {
        let now = manager(machine);
        if now == state { Ok(()) } else { Err(now) }
    });
}

#[test]
fn it_is_there_after_a_login_and_gone_after_the_logout_unless_the_user_lingers() {
    let Some(lab) = Lab::get() else { return };
    let machine = Container::boot(&lab);
    lab.travel("home");
    let said = machine.user("goroam service install");
    assert!(
        !said.ok().contains("enable-linger"),
        "dev lingers: {said:?}"
    );
    machine.wait_for("GOPROXY", PUBLIC);

    // Nobody is logged in, and nothing of dev's runs. Ten seconds of grace are usual.
    let conf = "mkdir -p /etc/systemd/logind.conf.d && printf '[Login]\\nUserStopDelaySec=1s\\n' \
                >/etc/systemd/logind.conf.d/lab.conf && systemctl restart systemd-logind";
    machine.root(conf).ok();
    machine
        .root("loginctl disable-linger dev; loginctl terminate-user dev; true")
        .ok();
    wait_manager(&machine, "inactive");
    // Another network than at the logout.
    lab.travel("office");
    assert_eq!(machine.go_env()["GOPROXY"], PUBLIC, "nobody looks after it");

    // Compared with the go env file's time, which the same clock has set.
    let mark = tempfile::NamedTempFile::new_in(lab.dir()).unwrap();
    let began = Instant::now();
    let mut login = Command::new(script("systemd"))
        .args([
            "root",
            "su",
            "-l",
            "dev",
            "-c",
            "echo $XDG_RUNTIME_DIR; read end",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    machine.wait_for("GOPROXY", OFFICE);
    let written = machine.path("home/dev/.config/go/env").metadata().unwrap();
    let mark = mark.as_file().metadata().unwrap().modified().unwrap();
    let took = written.modified().unwrap().duration_since(mark).unwrap();
    println!("from login to the right go env: {} ms", took.as_millis());
    assert!(took < LOGIN_TO_GO_ENV, "{took:?}");
    let sessions = machine.root("loginctl --no-legend list-sessions").stdout;
    assert!(sessions.contains(" dev "), "a real session: {sessions}");
    let json = machine.user("goroam service status --json");
    assert!(json.ok().contains("\"lingers\": false"), "{json:?}");
    let text = machine.user("goroam service status");
    assert!(text.ok().contains("ends with the last logout"), "{text:?}");

    // Logout.
    drop(login.stdin.take());
    login.wait().unwrap();
    wait_manager(&machine, "inactive");
    let gone = machine.root("ps -e -o comm= 2>/dev/null || cat /proc/[0-9]*/comm");
    assert!(!gone.stdout.contains("goroam"), "{}", gone.stdout);
    println!(
        "login, work and logout: {:.1} s",
        began.elapsed().as_secs_f64()
    );

    // With linger it needs no login at all.
    machine.root("loginctl enable-linger dev").ok();
    wait_manager(&machine, "active");
    wait_until("the service without a login", SOON, || {
        let said = machine.user("goroam service status --json").stdout;
        if said.contains("\"answers\": true") {
            Ok(())
        } else {
            Err(said)
        }
    });
    machine
        .root("rm -rf /etc/systemd/logind.conf.d/lab.conf; systemctl restart systemd-logind")
        .ok();
    machine
        .user("goroam service uninstall --restore --purge")
        .ok();
}
