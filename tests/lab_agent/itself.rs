//! The lab that the other tests stand on: its networks are real, and it tidies up after itself.

use std::time::Duration;

use crate::support::lab::script;
use crate::support::{Lab, wait_until};

const SOON: Duration = Duration::from_secs(30);
const UUID: &str = "github.com/google/uuid";

#[test]
fn a_yardstick_agent_follows_the_laptop_and_its_go_env_is_seen() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop();
    let mut agent = laptop.start(script("floor.sh"), &[""; 0]);
    laptop.wait_for("GOPROXY", "off", SOON);
    lab.travel("office");
    laptop.wait_for("GOPROXY", "https://goproxy.corp.test", SOON);
    lab.travel("home");
    laptop.wait_for("GOPROXY", "https://proxy.golang.org,direct", SOON);
    assert!(laptop.switched_in() < SOON);
    assert!(agent.ended().is_none(), "{}", agent.log());
    agent.signal("TERM");
    wait_until("its end", SOON, || agent.ended().ok_or_else(|| agent.log()));
}

#[test]
fn the_real_go_command_gets_modules_in_the_lab_with_the_lab_policy_keys() {
    let Some(lab) = Lab::get() else { return };
    let key = lab.sumdb_key("sum.golang.org");
    let laptop = lab
        .laptop()
        .env("GOPROXY", "https://proxy.golang.org")
        .env("GOSUMDB", &key);
    lab.travel("home");
    let list = ["list", "-m", "-versions", UUID];
    assert!(laptop.go(&list).ok().contains("v1.3.0"));
    lab.fault("home", "proxy.golang.org", "503");
    let failed = laptop.go(&list);
    assert!(failed.stderr.contains("503"), "{}", failed.stderr);
    drop(laptop);
    drop(lab);
    let Some(lab) = Lab::get() else { return };
    assert!(lab.net(&["status"]).contains("where: airplane"));
    lab.travel("home");
    let laptop = lab
        .laptop()
        .env("GOPROXY", "https://proxy.golang.org")
        .env("GOSUMDB", &key);
    assert!(
        laptop.go(&list).ok().contains("v1.3.0"),
        "the fault is gone"
    );
}

#[test]
fn the_lab_policy_has_this_machines_keys_and_no_placeholder_left() {
    let Some(lab) = Lab::get() else { return };
    let policy = lab.policy();
    assert!(policy.contains(&lab.sumdb_key("sum.corp.test")), "{policy}");
    let code = policy.lines().filter(|line| !line.starts_with('#'));
    let left: Vec<_> = code
        .filter(|line| line.contains("@KEY") || line.contains("@SUM"))
        .collect();
    assert_eq!(left, [""; 0]);
    let pinned = lab.policy_of("pin = ['@PIN corp@']");
    assert!(
        pinned.starts_with("pin = ['sha256/") && pinned.len() == 61,
        "{pinned}"
    );
}

#[test]
fn an_unprivileged_user_of_the_laptop_has_its_own_home_and_go_env() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().user(1000).with_policy("version = 1\n");
    assert_eq!(laptop.run("id", &["-u"]).ok().trim(), "1000");
    laptop.go(&["env", "-w", "GOPROXY=off"]).ok();
    laptop.wait_for("GOPROXY", "off", SOON);
    let policy = laptop.home().join(".config/goroam/goroam.toml");
    assert_eq!(laptop.run("cat", &[policy]).ok(), "version = 1\n");
}
