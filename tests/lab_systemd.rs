//! The user unit of the README, in a real systemd with a real login's user manager.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use support::{Lab, goroam_bin, wait_until};

/// The container has two processors to share with everything else.
const SOON: Duration = Duration::from_secs(20);
const POLICY: &str = "/home/dev/.config/goroam/goroam.toml";

/// A go variable as the container's user sees it.
fn go_env(lab: &Lab, name: &str) -> String {
    let said = lab.systemd(&["user", "/usr/local/go/bin/go", "env", name]);
    said.trim().to_owned()
}

fn wait_for(lab: &Lab, name: &str, value: &str) {
    wait_until(&format!("{name}={value}"), SOON, || {
        let now = go_env(lab, name);
        if now == value { Ok(()) } else { Err(now) }
    });
}

#[test]
fn the_user_unit_follows_the_networks_and_is_back_after_a_crash() {
    let Some(lab) = Lab::get() else { return };
    lab.systemd(&["up"]);
    let systemctl = |args: &[&str]| {
        let args = [&["user", "systemctl", "--user"], args].concat();
        lab.systemd(&args).trim().to_owned()
    };
    // What a run that was cut short has left in the container.
    lab.systemd(&[
        "user",
        "sh",
        "-c",
        "systemctl --user disable --now goroam 2>&1 || true",
    ]);
    // A user manager reads no shell profile: go is found in one of the usual places.
    lab.systemd(&["root", "ln", "-sfn", "/opt/go", "/usr/local/go"]);
    lab.systemd(&[
        "user",
        "rm",
        "-rf",
        "/home/dev/.config",
        "/home/dev/.local/state",
    ]);
    for folder in [".cargo/bin", ".config/goroam", ".config/systemd/user"] {
        lab.systemd(&["user", "mkdir", "-p", &format!("/home/dev/{folder}")]);
    }
    let policy = tempfile::NamedTempFile::new().unwrap();
    let text = lab.policy().replace(lab.dir().to_str().unwrap(), "@LAB@");
    std::fs::write(policy.path(), text.replace("@LAB@/ca/", "/etc/ssl/lab/")).unwrap();
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/goroam.service");
    let push = |from: &Path, to: &str| lab.systemd(&["push", from.to_str().unwrap(), to]);
    push(policy.path(), POLICY);
    push(&goroam_bin(), "/home/dev/.cargo/bin/goroam");
    push(&unit, "/home/dev/.config/systemd/user/goroam.service");
    lab.travel("home");
    systemctl(&["set-environment", "SSL_CERT_FILE=/etc/ssl/lab/all.pem"]);
    systemctl(&["daemon-reload"]);
    systemctl(&["enable", "--now", "goroam"]);

    wait_for(&lab, "GOPROXY", "https://proxy.golang.org,direct");
    lab.travel("office");
    wait_for(&lab, "GOPROXY", "https://goproxy.corp.test");

    let pid = || systemctl(&["show", "-P", "MainPID", "goroam"]);
    let first = pid();
    systemctl(&["kill", "-s", "KILL", "goroam"]);
    lab.travel("home");
    wait_for(&lab, "GOPROXY", "https://proxy.golang.org,direct");
    assert_ne!(pid(), first);

    systemctl(&["reload", "goroam"]);
    assert_eq!(
        systemctl(&["show", "-P", "ActiveState", "goroam"]),
        "active"
    );
    systemctl(&["disable", "--now", "goroam"]);
    assert_eq!(systemctl(&["show", "-P", "Result", "goroam"]), "success");
    lab.systemd(&["user", "/home/dev/.cargo/bin/goroam", "restore"]);
    assert_eq!(go_env(&lab, "GONOPROXY"), "");
    let left = lab.systemd(&[
        "user",
        "sh",
        "-c",
        "ls /home/dev/.config/go/env || echo none",
    ]);
    assert_eq!(left.trim(), "none");
}
