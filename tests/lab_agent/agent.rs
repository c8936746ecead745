//! The resident agent as its user meets it: asked, edited under, killed, started twice.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Agent, Lab, Laptop, wait_until};

const SOON: Duration = Duration::from_secs(30);
const PUBLIC: &str = "https://proxy.golang.org,direct";
const CN: &str = "https://goproxy.cn,direct";

fn status(laptop: &Laptop<'_>) -> Value {
    let ran = laptop.goroam(&["status", "--json"]);
    serde_json::from_str(ran.ok()).unwrap()
}

/// An agent at home, with everything right.
fn at_home<'lab>(lab: &'lab Lab, policy: &str) -> (Laptop<'lab>, Agent) {
    let laptop = lab.laptop().with_policy(policy);
    lab.travel("home");
    let agent = laptop.agent();
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
    wait_status(&laptop, "the agent's socket", |status| {
        status["agent"] == "running"
    });
    (laptop, agent)
}

fn wait_status(laptop: &Laptop<'_>, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait_until(what, SOON, || {
        let status = status(laptop);
        if is(&status) {
            Ok(status)
        } else {
            Err(format!("{status:#}"))
        }
    })
}

#[test]
fn status_tells_what_scripts_rely_on() {
    let Some(lab) = Lab::get() else { return };
    let (laptop, agent) = at_home(&lab, &lab.policy());
    let now = wait_status(&laptop, "public", |status| status["profile"] == "public");
    assert_eq!(now["agent"], "running");
    assert_eq!(now["pinned"], Value::Null);
    assert_eq!(now["applied"]["GOPROXY"], PUBLIC);
    assert_eq!(now["shadowed"], serde_json::json!([]));
    assert_eq!(now["drift"], serde_json::json!([]));
    assert!(now["since"].as_str().unwrap().contains('T'), "{now:#}");
    let network = &now["network"];
    assert_eq!(
        network["dns"]["servers"],
        serde_json::json!(["192.168.77.1"])
    );
    assert_eq!(network["default_routes"][0]["gateway"], "192.168.77.1");
    assert!(
        network["identity"]
            .as_str()
            .unwrap()
            .contains("192.168.77.1"),
        "{network:#}"
    );
    let targets = now["targets"].as_array().unwrap();
    let by_name = |name| {
        targets
            .iter()
            .find(|target| target["name"] == name)
            .unwrap()
    };
    assert_eq!(by_name("proxy")["up"], true);
    assert!(
        by_name("proxy")["ms"]["tls"].as_f64().unwrap() > 0.0,
        "{now:#}"
    );
    // The office is ruled out by its subnet, so its proxy is not even asked.
    assert_eq!(by_name("corp")["up"], Value::Null);
    assert_eq!(by_name("corp")["reason"], "not needed");
    assert!(agent.stop().success());
    let now = status(&laptop);
    assert_eq!(
        (&now["agent"], &now["profile"]),
        (&"stopped".into(), &"public".into())
    );
}

#[test]
fn the_environment_that_wins_is_told() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab
        .laptop()
        .with_policy(&lab.policy())
        .env("GOPROXY", "https://u:secret@mine.test");
    lab.travel("home");
    let once = laptop.goroam(&["once", "--json"]);
    let once: Value = serde_json::from_str(once.ok()).unwrap();
    assert_eq!(once["shadowed"][0]["name"], "GOPROXY", "{once:#}");
    assert!(!once.to_string().contains("secret"), "{once:#}");
    assert_eq!(laptop.go_env()["GOPROXY"], PUBLIC, "written all the same");
}

#[test]
fn a_bad_edit_keeps_the_last_good_policy_and_a_good_one_is_taken() {
    let Some(lab) = Lab::get() else { return };
    let policy = lab.policy();
    let (laptop, mut agent) = at_home(&lab, &policy);
    laptop.write_policy("version = 1\n[[profil]]\n");
    let now = wait_status(&laptop, "the trouble", |status| {
        status["troubles"].to_string().contains("last good policy")
    });
    assert_eq!(now["profile"], "public");
    laptop.write_policy(&policy.replace(PUBLIC, "https://proxy.golang.org,off"));
    laptop.wait_for("GOPROXY", "https://proxy.golang.org,off", SOON);
    let now = wait_status(&laptop, "no trouble", |status| {
        status["troubles"] == serde_json::json!([])
    });
    assert_eq!(now["profile"], "public");
    // In place, as some editors save, and told by a signal.
    std::fs::write(laptop.home().join(".config/goroam/goroam.toml"), &policy).unwrap();
    agent.signal("HUP");
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
    assert!(agent.ended().is_none());
}

#[test]
fn a_pin_holds_through_moves_until_it_is_taken_away_or_runs_out() {
    let Some(lab) = Lab::get() else { return };
    let (laptop, agent) = at_home(&lab, &lab.policy());
    laptop.goroam(&["use", "restricted"]).ok();
    assert_eq!(laptop.go_env()["GOPROXY"], CN);
    lab.travel("airplane");
    laptop.wait_settled();
    assert_eq!(laptop.go_env()["GOPROXY"], CN, "{}", agent.log());
    let now = status(&laptop);
    assert_eq!(now["pinned"]["name"], "restricted");
    assert_eq!(now["pinned"]["until"], Value::Null);
    lab.travel("home");
    laptop.goroam(&["auto"]).ok();
    assert_eq!(laptop.go_env()["GOPROXY"], PUBLIC);
    laptop.goroam(&["use", "restricted", "--for", "5s"]).ok();
    assert_eq!(laptop.go_env()["GOPROXY"], CN);
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
    assert_eq!(status(&laptop)["pinned"], Value::Null);
    let unknown = laptop.goroam(&["use", "restrictd"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(unknown.stderr.contains("restricted"), "{}", unknown.stderr);
}

#[test]
fn somebody_elses_change_is_respected_until_the_next_switch() {
    let Some(lab) = Lab::get() else { return };
    let (laptop, _agent) = at_home(&lab, &lab.policy());
    laptop
        .go(&["env", "-w", "GOPROXY=https://mine.test", "GOFLAGS=-v"])
        .ok();
    let now = wait_status(&laptop, "the drift", |status| {
        status["drift"][0]["name"] == "GOPROXY"
    });
    assert_eq!(now["drift"][0]["wrote"], PUBLIC);
    assert_eq!(now["drift"][0]["found"], "https://mine.test");
    lab.travel("airplane");
    laptop.wait_env("offline", SOON, |env| env["GOPROXY"].starts_with("file:"));
    assert_eq!(laptop.go_env()["GOFLAGS"], "-v", "not goroam's");
}

#[test]
fn somebody_elses_change_is_undone_where_the_policy_says_so() {
    let Some(lab) = Lab::get() else { return };
    let policy = lab.policy().replace(
        "version = 1\n",
        "version = 1\nagent.on_drift = \"restore\"\n",
    );
    let (laptop, _agent) = at_home(&lab, &policy);
    laptop
        .go(&["env", "-w", "GOPROXY=https://mine.test", "GOFLAGS=-v"])
        .ok();
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
    assert_eq!(laptop.go_env()["GOFLAGS"], "-v");
}

#[test]
fn restore_gives_the_file_back_and_the_agent_leaves_it_alone() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    let before =
        b"# mine\nGOPROXY=https://before.test\n\nGOFLAGS=-v\r\nno equals sign\nGOSUMDB=off";
    std::fs::create_dir_all(laptop.home().join(".config/go")).unwrap();
    std::fs::write(laptop.go_env_file(), before).unwrap();
    lab.travel("home");
    let _agent = laptop.agent();
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
    wait_status(&laptop, "the agent's socket", |status| {
        status["agent"] == "running"
    });
    lab.travel("airplane");
    laptop.wait_env("offline", SOON, |env| env["GOPROXY"].starts_with("file:"));
    assert!(laptop.go_env().contains_key("GONOPROXY"));
    laptop.goroam(&["restore"]).ok();
    let bytes = std::fs::read(laptop.go_env_file()).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        String::from_utf8_lossy(before)
    );
    lab.travel("home");
    laptop.wait_settled();
    assert_eq!(
        std::fs::read(laptop.go_env_file()).unwrap(),
        before,
        "it is paused"
    );
    laptop.goroam(&["auto"]).ok();
    assert_eq!(laptop.go_env()["GOPROXY"], PUBLIC);
}

#[test]
fn a_paused_agent_watches_and_writes_nothing_even_after_a_restart_until_auto() {
    let Some(lab) = Lab::get() else { return };
    let (laptop, mut agent) = at_home(&lab, &lab.policy());
    let paused = laptop.goroam(&["pause", "--json"]);
    let paused: Value = serde_json::from_str(paused.ok()).unwrap();
    assert_eq!(paused["paused"], true);
    lab.travel("airplane");
    wait_status(&laptop, "the network is gone", |status| {
        status["network"]["identity"].is_null()
    });
    agent.signal("KILL");
    wait_until("its end", SOON, || agent.ended().ok_or_else(String::new));
    agent = laptop.agent();
    let now = wait_status(&laptop, "the next agent", |status| {
        status["agent"] == "running"
    });
    assert_eq!(
        (&now["paused"], &now["profile"]),
        (&true.into(), &"public".into())
    );
    assert_eq!(laptop.go_env()["GOPROXY"], PUBLIC);
    laptop.goroam(&["auto"]).ok();
    laptop.wait_env("offline", SOON, |env| env["GOPROXY"].starts_with("file:"));
    let now = status(&laptop);
    let last = now["switches"].as_array().and_then(|all| all.last());
    assert_eq!(
        last.map(|last| (&last["from"], &last["to"])),
        Some((&"public".into(), &"offline".into()))
    );
    drop(agent);
    assert_eq!(
        laptop.goroam(&["pause"]).status.code(),
        Some(5),
        "nobody to pause"
    );
}

#[test]
fn there_is_one_agent_a_user_and_a_dead_one_is_no_obstacle() {
    let Some(lab) = Lab::get() else { return };
    let (laptop, mut agent) = at_home(&lab, &lab.policy());
    let second = laptop.goroam(&["agent"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        second.stderr.contains(&format!("pid {}", agent.pid())),
        "{}",
        second.stderr
    );
    for _ in 0..3 {
        agent.signal("KILL");
        wait_until("its end", SOON, || agent.ended().ok_or_else(String::new));
        assert_eq!(status(&laptop)["agent"], "stopped");
        agent = laptop.agent();
        let now = wait_status(&laptop, "the next agent", |status| {
            status["agent"] == "running"
        });
        assert_eq!(now["drift"], serde_json::json!([]));
    }
    lab.travel("airplane");
    laptop.wait_env("offline", SOON, |env| env["GOPROXY"].starts_with("file:"));
    laptop.goroam(&["history", "--verify"]).ok();
    laptop.goroam(&["restore"]).ok();
    assert!(!laptop.go_env_file().exists());
}

#[test]
fn an_unprivileged_user_is_served_as_well() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().user(1000).with_policy(&lab.policy());
    lab.travel("home");
    let _agent = laptop.agent();
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
    lab.travel("airplane");
    laptop.wait_env("offline", SOON, |env| env["GOPROXY"].starts_with("file:"));
}

#[test]
fn an_idle_agent_costs_nothing() {
    let Some(lab) = Lab::get() else { return };
    let policy = lab
        .policy()
        .replace("version = 1\n", "version = 1\nagent.recheck = \"1h\"\n");
    let (laptop, agent) = at_home(&lab, &policy);
    laptop.wait_settled();
    let tasks = format!("/proc/{}/task", agent.pid());
    // The name look-ups' thread goes away two seconds after the last of them.
    wait_until("two threads at the most", SOON, || {
        let n = std::fs::read_dir(&tasks).unwrap().count();
        if n <= 2 {
            Ok(())
        } else {
            Err(format!("{n} threads"))
        }
    });
    // Two seconds after the last event the agent gives memory back.
    wait_until("three quiet seconds", SOON, || {
        let before = switches(&tasks);
        std::thread::park_timeout(Duration::from_secs(3));
        match switches(&tasks) == before {
            true => Ok(()),
            false => Err("it is at work".to_owned()),
        }
    });
    let before = switches(&tasks);
    // The time over which nothing may happen: there is no event to wait for.
    std::thread::park_timeout(Duration::from_secs(10));
    assert_eq!(
        switches(&tasks),
        before,
        "context switches in ten idle seconds"
    );
    assert!(status(&laptop)["agent"] == "running");
}

/// Context switches of all threads so far.
fn switches(tasks: impl AsRef<Path>) -> u64 {
    let threads = std::fs::read_dir(tasks).unwrap();
    let of_one = |path: &Path| -> u64 {
        let text = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let counts = text
            .lines()
            .filter_map(|line| line.split_once("ctxt_switches:"));
        counts.map(|(_, n)| n.trim().parse::<u64>().unwrap()).sum()
    };
    threads.map(|thread| of_one(&thread.unwrap().path())).sum()
}

#[test]
fn restore_keeps_what_others_wrote_between_two_of_goroams_turns() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    lab.travel("home");
    laptop.goroam(&["once"]).ok();
    laptop.go(&["env", "-w", "GOFLAGS=-v"]).ok();
    // The last one who wrote is goroam again, and yet it was not alone.
    lab.travel("airplane");
    laptop.goroam(&["once"]).ok();
    laptop.goroam(&["restore"]).ok();
    let left = std::fs::read_to_string(laptop.go_env_file()).unwrap();
    assert_eq!(left, "GOFLAGS=-v\n");
}
