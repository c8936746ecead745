//! Values that the user, or another program, sets by hand while goroam looks after them.

use std::time::{Duration, Instant};

use crate::go;
use crate::resident::{Desk, wait_until};

/// Offline: no proxy but the cache, and for private names too.
const OFFLINE: &str = r#"version = 1
[agent]
recheck = "off"
[[profile]]
name = "offline"
[profile.env]
GOPROXY = "file://${GOMODCACHE}/cache/download,off"
GONOPROXY = "none"
GOFLAGS = "-mod=mod"
[[profile]]
name = "online"
env = { GOPROXY = "https://proxy.golang.org,direct" }
"#;

const PUBLIC: &str = "https://joe:s3cret@proxy.test";

fn desk(policy: &str) -> Option<Desk> {
    // The last profile is the one without a `when`; the others are chosen by hand.
    let policy = policy.replace(
        "name = \"offline\"\n",
        "name = \"offline\"\nwhen = { not = { portal = true } }\n",
    );
    Some(Desk::new(go::go(go::VERSIONS[2])?, &policy))
}

#[test]
fn a_proxy_set_by_hand_ends_what_was_private_beside_goroams_own() {
    let Some(desk) = desk(OFFLINE) else { return };
    desk.go("env -w GOPRIVATE=corp.test GOFLAGS=-modcacherw");
    let _agent = desk.agent();
    assert_eq!(desk.go("env GONOPROXY GOFLAGS"), "none\n-mod=mod");
    desk.go(&format!("env -w GOPROXY={PUBLIC}"));
    desk.wait_for("GONOPROXY", None);
    assert_eq!(
        desk.go("env GOPROXY GONOPROXY GOFLAGS"),
        format!("{PUBLIC}\ncorp.test\n-modcacherw")
    );
    // It is told, with the reason, and without the password.
    let status = wait_until("the status tells of it", || {
        let status = desk.status();
        let ended = status["drift"][0]["ended"].clone();
        let told = ended == serde_json::json!(["GOFLAGS", "GONOPROXY"]);
        told.then_some(status.clone()).ok_or(status.to_string())
    });
    assert_eq!(status["troubles"], serde_json::json!([]));
    let turn = desk.history().pop().unwrap();
    assert_eq!(turn["cause"], "drift");
    assert_eq!(turn["drift"][0]["found"], "https://joe:***@proxy.test");
    assert_eq!(
        turn["outcome"]["changed"],
        serde_json::json!(["GOFLAGS", "GONOPROXY"])
    );
    let told = desk.goroam("history").exits(0);
    assert!(!told.all().contains("s3cret"), "{}", told.all());
    let told = told.stdout();
    let words: Vec<&str> = told.split_whitespace().collect();
    let words = words.join(" ");
    assert!(words.contains("offline stays in"), "{words}");
    assert!(words.contains("GOPROXY was set by hand to https://joe:***@proxy.test; GOFLAGS, GONOPROXY as before goroam"), "{words}");
    // What was set by hand still stands after the next look, and ends when it is asked for.
    desk.goroam("once").exits(0);
    assert_eq!(desk.line("GONOPROXY").as_deref(), Some("none"));
    let turn = desk.history().pop().unwrap();
    assert_eq!(
        (&turn["cause"], &turn["drift"][0]["name"]),
        (&"asked".into(), &"GOPROXY".into())
    );
}

#[test]
fn a_proxy_that_is_taken_away_is_set_by_hand_too() {
    let Some(desk) = desk(OFFLINE) else { return };
    let _agent = desk.agent();
    desk.go("env -u GOPROXY");
    desk.wait_for("GONOPROXY", None);
}

#[test]
fn what_was_set_by_hand_while_no_agent_ran_counts_from_its_first_turn() {
    let Some(desk) = desk(OFFLINE) else { return };
    desk.goroam("once").exits(0);
    desk.go(&format!("env -w GOPROXY={PUBLIC}"));
    // Without an agent it is at least told.
    let troubles = desk.status()["troubles"].to_string();
    assert!(
        troubles.contains("GONOPROXY") && troubles.contains("private names"),
        "{troubles}"
    );
    let _agent = desk.spawn(|run| run);
    desk.wait_for("GONOPROXY", None);
    assert_eq!(desk.line("GOPROXY").as_deref(), Some(PUBLIC));
}

#[test]
fn a_private_list_set_by_hand_outlives_the_switch_to_a_profile_that_has_none() {
    let Some(desk) = desk(OFFLINE) else { return };
    let _agent = desk.agent();
    desk.go("env -w GONOPROXY=corp.test");
    wait_until("the agent has seen it", || {
        let drift = desk.status()["drift"].to_string();
        drift.contains("GONOPROXY").then_some(()).ok_or(drift)
    });
    desk.goroam("use online").exits(0);
    assert_eq!(
        desk.go("env GOPROXY GONOPROXY"),
        "https://proxy.golang.org,direct\ncorp.test"
    );
}

#[test]
fn a_private_list_of_the_policy_is_not_taken_from_private_names() {
    let policy = OFFLINE.replace(
        "GONOPROXY = \"none\"",
        "GONOPROXY = \"none\"\nGOPRIVATE = \"git.corp.test\"",
    );
    let Some(desk) = desk(&policy) else { return };
    let _agent = desk.agent();
    desk.go(&format!("env -w GOPROXY={PUBLIC}"));
    desk.wait_for("GONOPROXY", None);
    assert_eq!(desk.go("env GONOPROXY"), "git.corp.test");
}

#[test]
fn two_programs_that_insist_come_to_rest_and_it_is_told() {
    let policy = OFFLINE.replace(
        "recheck = \"off\"",
        "recheck = \"off\"\non_drift = \"restore\"",
    );
    let Some(desk) = desk(&policy) else { return };
    let _agent = desk.agent();
    let before = desk.history().len();
    // A real program that insists.
    let insists = desk.shell("while :; do go env -w GOPROXY=direct; done");
    let told = wait_until("it is told", || {
        let troubles = desk.status()["troubles"].to_string();
        let is_told = troubles.contains("sets GOPROXY to direct again and again");
        is_told.then_some(troubles.clone()).ok_or(troubles)
    });
    assert!(told.contains("waits 1 min"), "{told}");
    let start = Instant::now();
    let quiet = wait_until("goroam leaves the file alone", || {
        let turns = desk.history().len();
        std::thread::park_timeout(Duration::from_millis(1500));
        let more = desk.history().len() - turns;
        (more == 0)
            .then_some(turns)
            .ok_or(format!("{more} turns more"))
    });
    drop(insists);
    // One correction, one note that it is fighting, and the notes of what was set by hand.
    let turns = quiet - before;
    assert!(
        (2..=5).contains(&turns),
        "{turns} turns in {:?}",
        start.elapsed()
    );
    desk.goroam("doctor").exits(1).says("again and again");
    let history = desk.history();
    let told = history
        .iter()
        .filter(|turn| turn["changes"].to_string().contains("again and again"));
    assert_eq!(told.count(), 1, "the journal says it once");
    assert_eq!(desk.line("GOPROXY").as_deref(), Some("direct"));
    // What is asked for is set at once.
    desk.goroam("once").exits(0);
    assert_ne!(desk.line("GOPROXY").as_deref(), Some("direct"));
}

#[test]
fn a_value_of_another_program_that_verifies_less_is_reported_as_weaker() {
    let policy = OFFLINE.replace(
        "[profile.env]",
        "[profile.env]\nGOSUMDB = \"sum.golang.org\"",
    );
    let Some(desk) = desk(&policy) else { return };
    let _agent = desk.agent();
    desk.go("env -w GOSUMDB=off GOFLAGS=-modcacherw");
    wait_until("the status says so", || {
        let weakened = desk.status()["weakened"].to_string();
        let is_so = weakened == "[\"GOSUMDB=off\"]";
        is_so.then_some(()).ok_or(weakened)
    });
    let said = desk.goroam("status").exits(0);
    said.says("verification is weakened: GOSUMDB=off");
    desk.goroam("metrics")
        .exits(0)
        .says("\ngoroam_weakened 1\n");
    desk.goroam("doctor").exits(1).says("GOSUMDB");
    desk.goroam("once").exits(0);
    assert_eq!(desk.status()["weakened"], serde_json::json!([]));
}

#[test]
fn while_paused_and_without_an_agent_it_is_told_what_still_stands_beside_a_value_set_by_hand() {
    for is_paused in [true, false] {
        let Some(desk) = desk(OFFLINE) else { return };
        desk.go("env -w GOPRIVATE=corp.test");
        let agent = is_paused.then(|| desk.agent());
        match is_paused {
            true => desk
                .goroam("pause")
                .exits(0)
                .says("(GONOPROXY=none and the like)"),
            false => desk.goroam("once").exits(0),
        };
        desk.go(&format!("env -w GOPROXY={PUBLIC}"));
        let told = wait_until("it is told", || {
            let troubles = desk.status()["troubles"].to_string();
            let is_told = troubles.contains("private names may get out");
            is_told.then_some(troubles.clone()).ok_or(troubles)
        });
        assert!(told.contains("GONOPROXY"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
        assert_eq!(desk.line("GONOPROXY").as_deref(), Some("none"));
        desk.goroam("once").exits(0);
        assert_ne!(desk.line("GOPROXY").as_deref(), Some(PUBLIC));
        assert_eq!(desk.status()["troubles"], serde_json::json!([]));
        drop(agent);
    }
}
