//! `goroam doctor` where there is a real login with a systemd user manager.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Lab, goroam_bin, wait_until};

/// The container has two processors to share with everything else.
const SOON: Duration = Duration::from_secs(30);
const GOROAM: &str = "/home/dev/.local/bin/goroam-doctor";

/// What doctor says in the container, as its user.
fn doctor(lab: &Lab) -> Value {
    let script = format!("cd /home/dev && {GOROAM} doctor --json || test $? = 1");
    let said = lab.systemd(&["user", "sh", "-c", &script]);
    serde_json::from_str(&said).expect(&said)
}

/// The findings about a variable, by code and place.
fn about(said: &Value, name: &str) -> Vec<(String, String)> {
    let findings = said["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings
        .filter(|one| one["name"] == name)
        .map(|one| (text(&one["code"]), text(&one["place"])))
        .collect()
}

#[test]
fn what_the_user_manager_hands_on_is_named_and_so_is_the_file_behind_it() {
    let Some(lab) = Lab::get() else { return };
    lab.systemd(&["up"]);
    let user = |script: &str| lab.systemd(&["user", "sh", "-c", script]);
    // Whatever was here before: a login that stays, and a home without goroam.
    lab.systemd(&["root", "loginctl", "enable-linger", "dev"]);
    wait_until("dev's own systemd", SOON, || {
        let state = user("systemctl --user is-system-running 2>&1 || true");
        let up = ["running", "degraded"].contains(&state.trim());
        if up { Ok(()) } else { Err(state) }
    });
    user("systemctl --user disable --now goroam 2>&1 || true");
    user("rm -rf ~/.config/goroam ~/.config/environment.d ~/.config/go ~/.local/state/goroam");
    user("systemctl --user unset-environment GOPROXY GOSUMDB; mkdir -p ~/.local/bin");
    lab.systemd(&["push", goroam_bin().to_str().unwrap(), GOROAM]);
    let manager = "the systemd user manager".to_owned();

    let said = doctor(&lab);
    assert_eq!(about(&said, "GOPROXY"), [], "{said}");
    let looked = said["looked"].as_array().unwrap();
    assert!(looked.contains(&Value::from(manager.clone())), "{said}");

    user("systemctl --user set-environment GOPROXY=https://joe:s3cret@old.test,direct");
    let said = doctor(&lab);
    let expected = ("shadowed-by-manager".to_owned(), manager.clone());
    assert_eq!(about(&said, "GOPROXY"), [expected]);
    assert!(!said.to_string().contains("s3cret"), "{said}");

    // What it says is to be done is what helps.
    let mend = said["findings"][0]["mend"].as_str().unwrap();
    let command = mend.split('`').nth(1).unwrap();
    assert_eq!(command, "systemctl --user unset-environment GOPROXY");
    user(command);
    assert_eq!(about(&doctor(&lab), "GOPROXY"), []);

    // `--fix` does the same, and `--undo` takes it back with the password.
    let set = "GOPROXY=https://joe:s3cret@old.test,direct";
    user("mkdir -p ~/.config/go && echo GOPROXY=off > ~/.config/go/env");
    user(&format!("systemctl --user set-environment {set}"));
    let passed_on = || user("systemctl --user show-environment");
    let fixed = user(&format!("cd && {GOROAM} doctor --fix --yes"));
    assert!(
        fixed.contains("unset: GOPROXY in the systemd user manager"),
        "{fixed}"
    );
    assert!(!fixed.contains("s3cret"), "{fixed}");
    assert!(!passed_on().contains("GOPROXY="));
    user(&format!("cd && {GOROAM} doctor --undo"));
    assert!(
        passed_on().lines().any(|line| line == set),
        "{}",
        passed_on()
    );
    user("systemctl --user unset-environment GOPROXY; rm -r ~/.config/go");

    // A file for logins, which the manager reads: one finding, with the file's line.
    user("mkdir -p ~/.config/environment.d");
    user("printf '# go\\nGOSUMDB=\"off\"\\n' > ~/.config/environment.d/50-go.conf");
    user("systemctl --user daemon-reload");
    let said = doctor(&lab);
    let place = "~/.config/environment.d/50-go.conf:2".to_owned();
    assert_eq!(
        about(&said, "GOSUMDB"),
        [("shadowed-by-login".to_owned(), place)]
    );
    let mut findings = said["findings"].as_array().unwrap().iter();
    let finding = findings.find(|one| one["name"] == "GOSUMDB").unwrap();
    let reaches = finding["reaches"].as_array().unwrap();
    assert!(reaches.contains(&Value::from(manager)), "{finding}");

    user("rm -r ~/.config/environment.d && systemctl --user daemon-reload");
    let said = doctor(&lab);
    let all = [about(&said, "GOPROXY"), about(&said, "GOSUMDB")].concat();
    assert_eq!(all, [], "{said}");
    user(&format!("rm {GOROAM}"));
}
