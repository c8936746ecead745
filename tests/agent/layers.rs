//! The machine's policy below the user's, under a running agent.

use std::fs;

use super::cli::{can_mount, mode};
use super::resident::{Desk, Resident, wait_until};

const USER: &str = "version = 1\n[agent]\nrecheck = \"off\"\n";

/// A policy with one profile that always holds.
fn machine(goproxy: &str) -> String {
    format!(
        "version = 1\n[[profile]]\nname = \"all\"\n\
         env = {{ GOPROXY = \"{goproxy}\", GOFLAGS = \"-v\" }}\n"
    )
}

fn put(desk: &Desk, text: &str) {
    let new = desk.user.write("machine/new", text);
    fs::rename(new, desk.user.path("machine/goroam.toml")).unwrap();
}

fn agent(desk: &Desk) -> Resident {
    let agent = desk.spawn(|run| run.with_machine());
    wait_until("an agent with a profile", || {
        let run = desk.goroam("status --json").with_machine();
        let output = run.command().output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let is_up = status["agent"] == "running" && !status["profile"].is_null();
        is_up.then_some(()).ok_or_else(|| agent.log())
    });
    agent
}

#[test]
fn a_running_agent_follows_the_machines_file_and_keeps_the_last_good_layers() {
    let Some(go) = super::go::go(super::go::VERSIONS[2]).filter(|_| can_mount()) else {
        return;
    };
    let desk = Desk::new(go, USER);
    put(&desk, &machine("https://one.example"));
    let mut first = agent(&desk);
    desk.wait_for("GOPROXY", Some("https://one.example"));
    put(&desk, &machine("https://two.example"));
    desk.wait_for("GOPROXY", Some("https://two.example"));

    // A mistake in the machine's file changes nothing, and is reported with the file's name.
    put(&desk, &machine("htp://three.example"));
    let trouble = |what: &str| {
        wait_until(what, || {
            let troubles = desk.status()["troubles"].to_string();
            let is_said = troubles.contains(what) && troubles.contains("/etc/goroam/goroam.toml");
            is_said.then_some(()).ok_or(troubles)
        });
    };
    trouble("the last good policy stays in force");
    assert_eq!(desk.line("GOPROXY").as_deref(), Some("https://two.example"));

    // A new agent takes both layers of the last good policy.
    first.signal("-TERM");
    assert_eq!(first.ended(), Some(0));
    let mut second = agent(&desk);
    trouble("1 error");
    let recheck = fs::read_to_string(desk.state("policy.last.json")).unwrap();
    assert!(
        recheck.contains("two.example") && recheck.contains("recheck"),
        "{recheck}"
    );
    desk.go("env -w GOFLAGS=-x");
    second.signal("-TERM");
    assert_eq!(second.ended(), Some(0));

    // Whoever may write to the file decides where modules come from.
    put(&desk, &machine("https://three.example"));
    mode(&desk.user.path("machine/goroam.toml"), 0o666);
    let once = desk.goroam("once").with_machine();
    once.exits(4)
        .complains("/etc/goroam/goroam.toml: others may write to it");
    // Neither that nor a mistake keeps a user from going back.
    desk.goroam("restore").with_machine().exits(0);
    assert_eq!(desk.line("GOPROXY"), None);
}

#[test]
fn a_machines_file_that_is_gone_counts_until_somebody_asks_for_a_turn() {
    let Some(go) = super::go::go(super::go::VERSIONS[2]).filter(|_| can_mount()) else {
        return;
    };
    let desk = Desk::new(go, USER);
    put(&desk, &machine("off"));
    let mut first = agent(&desk);
    desk.wait_for("GOPROXY", Some("off"));
    first.signal("-TERM");
    assert_eq!(first.ended(), Some(0));
    fs::remove_file(desk.user.path("machine/goroam.toml")).unwrap();
    let _second = agent(&desk);
    let status = desk.status();
    let troubles = status["troubles"].to_string();
    assert!(
        troubles.contains("/etc/goroam/goroam.toml: is gone"),
        "{troubles}"
    );
    assert_eq!(
        (&status["profile"], desk.line("GOPROXY")),
        (&"all".into(), Some("off".into()))
    );
    // The user's file has no profile, so the built-in ones hold now.
    desk.goroam("once").with_machine().exits(0);
    assert_ne!(desk.status()["profile"], "all");
}
