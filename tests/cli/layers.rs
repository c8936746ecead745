//! The machine's policy below the user's, without an agent.

use crate::cli::{User, can_mount};

const MACHINE: &str = r#"version = 1
[agent]
recheck = "5m"
[policy]
locked = ["GOSUMDB", "GOPROXY"]
[target.corp]
goproxy = "https://goproxy.corp.example"
[[profile]]
name = "office"
when = { up = "corp" }
[[profile]]
name = "elsewhere"
env = { GOPROXY = "https://proxy.golang.org,off", GOSUMDB = "sum.golang.org" }
"#;

const SETTINGS: &str = "version = 1\n[agent]\nfall = 1\n";

/// A user of a machine with this policy, and the user's own.
fn user(machine: &str, own: &str) -> Option<User> {
    let user = User::new();
    user.write("machine/goroam.toml", machine);
    user.write(".config/goroam/goroam.toml", own);
    can_mount().then_some(user)
}

#[test]
fn a_fault_is_shown_in_the_file_that_has_it() {
    let Some(user) = user(MACHINE, "version = 1\n[agent]\nfal = 1\n") else {
        return;
    };
    for verb in ["check", "once", "probe"] {
        let done = user.goroam(verb).with_machine().exits(2);
        let all = done.all();
        assert!(all.contains(".config/goroam/goroam.toml:3:1"), "{all}");
        assert!(!all.contains("/etc/goroam"), "{all}");
    }
    let json = user.goroam("check --json").with_machine().exits(2).json();
    let own = user.policy().display().to_string();
    assert_eq!(json["findings"][0]["file"], own);
    assert_eq!(json["findings"][0]["line"], 3);

    user.write(".config/goroam/goroam.toml", SETTINGS);
    user.write("machine/goroam.toml", MACHINE.replace("recheck", "rechek"));
    let done = user.goroam("once").with_machine().exits(2);
    done.complains("/etc/goroam/goroam.toml:3:1")
        .complains("/etc/goroam/goroam.toml: 1 error");
    user.goroam("restore")
        .with_machine()
        .exits(1)
        .complains("nothing to restore");
    // One file is checked alone.
    user.goroam("check .config/goroam/goroam.toml")
        .with_machine()
        .exits(0);
    user.goroam("check machine/goroam.toml")
        .with_machine()
        .exits(2);
}

#[test]
fn a_locked_variable_is_refused_with_both_files_and_to_a_mirror_by_hand() {
    let own = "version = 1\n[[profile]]\nname = \"mine\"\n[profile.env]\nGOSUMDB = \"off\"\n";
    let Some(user) = user(MACHINE, own) else {
        return;
    };
    let done = user.goroam("once").with_machine().exits(2);
    let done = done.complains("error[locked]: GOSUMDB is locked by /etc/goroam/goroam.toml:5");
    let done = done.complains("/etc/goroam/goroam.toml:5:11");
    done.complains(".config/goroam/goroam.toml:5:11");

    user.write(".config/goroam/goroam.toml", SETTINGS);
    let Some(go) = crate::go::go(crate::go::VERSIONS[2]) else {
        return;
    };
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let run = user.goroam("use cn").env("PATH", &path);
    let refused = run.with_machine().exits(4);
    refused.complains("GOPROXY is locked by /etc/goroam/goroam.toml:5");
}
