//! The laptop's days: it is carried among real networks, and the go env file follows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::support::{self, Lab, Laptop};

const SOON: Duration = Duration::from_secs(30);
/// All limits of one try and of its retry (8 s each by default), and some.
const AFTER_TIME_OUTS: Duration = Duration::from_secs(30);

const CORP: &str = "https://goproxy.corp.test";
const PUBLIC: &str = "https://proxy.golang.org,direct";
const CN: &str = "https://goproxy.cn,direct";

fn is_offline(env: &BTreeMap<String, String>) -> bool {
    let file = env
        .get("GOPROXY")
        .is_some_and(|v| v.starts_with("file:///") && v.ends_with(",off"));
    file && env.get("GONOPROXY").is_some_and(|v| v == "none")
}

fn wait_for_profile(laptop: &Laptop<'_>, profile: &str, limit: Duration) {
    match profile {
        "office" => laptop.wait_for("GOPROXY", CORP, limit),
        "public" => laptop.wait_for("GOPROXY", PUBLIC, limit),
        "restricted" => laptop.wait_for("GOPROXY", CN, limit),
        "offline" => drop(laptop.wait_env("offline", limit, is_offline)),
        other => panic!("no such profile in the lab: {other}"),
    }
}

fn json(laptop: &Laptop<'_>, args: &[&str]) -> Value {
    let ran = laptop.goroam(args);
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr))
}

/// Turns in the journal that wrote something.
fn writes(laptop: &Laptop<'_>) -> usize {
    let history = json(laptop, &["history", "-n", "1000", "--json"]);
    let entries = history.as_array().unwrap();
    entries
        .iter()
        .filter(|entry| entry["outcome"]["is"] == "written")
        .count()
}

#[test]
fn every_move_between_two_networks_is_followed_with_one_write() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    let agent = laptop.agent();
    wait_for_profile(&laptop, "offline", SOON);
    // Each ordered pair of the four networks once.
    let tour = [
        ("office", "office"),
        ("home", "public"),
        ("office", "office"),
        ("airplane", "offline"),
        ("home", "public"),
        ("airplane", "offline"),
        ("office", "office"),
        ("hotspot", "offline"),
        ("home", "public"),
        ("hotspot", "offline"),
        ("office", "office"),
        ("airplane", "offline"),
    ];
    for (to, profile) in tour {
        let before = writes(&laptop);
        lab.travel(to);
        wait_for_profile(&laptop, profile, SOON);
        laptop.wait_settled();
        wait_for_profile(&laptop, profile, SOON);
        let wrote = writes(&laptop) - before;
        assert_eq!(wrote, 1, "writes on the way to {to}\n{}", agent.log());
    }
    // Between two networks without one in force the profile stays, and nothing is written.
    let before = writes(&laptop);
    lab.travel("hotspot");
    laptop.wait_settled();
    lab.travel("airplane");
    laptop.wait_settled();
    assert_eq!(writes(&laptop), before, "{}", agent.log());
    assert!(agent.stop().success());
    let turns = replayed(&laptop, &lab.policy());
    assert_eq!(turns["differ"], 0, "{turns:#}");
    assert!(
        turns["same"].as_u64() >= Some(tour.len() as u64),
        "{turns:#}"
    );
    // What was decided here is not what a policy without an office would do.
    let without = lab
        .policy()
        .replace("name = \"office\"", "name = \"elsewhere\"");
    let turns = replayed(&laptop, &without);
    assert!(turns["differ"].as_u64() >= Some(4), "{turns:#}");
}

/// What a policy would have done in the turns of the journal. Each turn of which all is known would
/// have been the same with the policy in force.
fn replayed(laptop: &Laptop<'_>, policy: &str) -> Value {
    let file = laptop.home().join("replayed.toml");
    std::fs::write(&file, policy).unwrap();
    json(
        laptop,
        &["replay", "--json", "--policy", file.to_str().unwrap()],
    )
}

#[test]
fn the_vpn_brings_the_office_and_takes_it_away() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    let _agent = laptop.agent();
    lab.travel("home");
    wait_for_profile(&laptop, "public", SOON);
    let over_vpn = "https://goproxy.corp.test,https://proxy.golang.org";
    for _ in 0..2 {
        lab.travel("vpn-on");
        laptop.wait_for("GOPROXY", over_vpn, SOON);
        lab.travel("vpn-off");
        wait_for_profile(&laptop, "public", SOON);
    }
    let turns = replayed(&laptop, &lab.policy());
    assert_eq!(
        (&turns["differ"], &turns["other_targets"]),
        (&0.into(), &Value::Array(vec![])),
        "{turns:#}"
    );
    assert!(turns["same"].as_u64() >= Some(4), "{turns:#}");
}

#[test]
fn no_portal_is_taken_for_the_public_network_whatever_it_answers() {
    let Some(lab) = Lab::get() else { return };
    let policy = lab.policy().replace("version = 1\n", QUICK_PROBES);
    let laptop = lab.laptop().with_policy(&policy);
    let _agent = laptop.agent();
    for mode in ["portal302", "portal200", "selfsigned", "reset", "hang"] {
        lab.net(&["hotspot-mode", mode]);
        lab.travel("home");
        wait_for_profile(&laptop, "public", SOON);
        lab.travel("hotspot");
        wait_for_profile(&laptop, "offline", AFTER_TIME_OUTS);
        let asked = json(&laptop, &["once", "--json"]);
        assert_eq!(asked["profile"], "offline", "{mode}: {asked:#}");
        assert_ne!(target(&asked, "proxy")["up"], true, "{mode}: {asked:#}");
    }
    lab.net(&["hotspot-mode", "portal302"]);
    let probed = json(&laptop, &["probe", "proxy", "--json"]);
    let proxy = &probed["targets"][0];
    assert_eq!(proxy["verdict"], "portal", "{proxy}");
    assert_eq!(proxy["portal_url"], "http://login.portal.test/", "{proxy}");
}

#[test]
fn a_portal_is_told_with_the_way_out_and_a_dead_name_server_by_its_address() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    let text = |words: &[&str]| {
        let ran = laptop.goroam(words);
        format!("{}{}", ran.stdout, ran.stderr).replace("\n  ", " ")
    };
    lab.net(&["hotspot-mode", "portal302"]);
    lab.travel("hotspot");
    let way_out = "! open http://login.portal.test/ in a browser and log in; ";
    let once = text(&["once"]);
    assert!(
        once.contains("(this network wants a login first)"),
        "{once}"
    );
    assert!(
        once.contains(&format!("{way_out}then run `goroam once`")),
        "{once}"
    );
    let agent = laptop.agent();
    support::wait_until("the agent", SOON, || {
        let status = json(&laptop, &["status", "--json"]);
        let runs = status["agent"] == "running";
        runs.then_some(()).ok_or(status.to_string())
    });
    for words in ["status", "why", "once", "probe"] {
        let told = text(&[words]);
        let again = format!("{way_out}goroam looks again by itself");
        assert!(told.contains(&again), "{words}: {told}");
    }
    assert!(agent.stop().success());

    lab.travel("home");
    for (mode, why) in [
        ("silent", "DNS 192.168.77.1 answers nothing"),
        ("refused", "DNS 192.168.77.1 answers nothing"),
        ("nxdomain", "DNS 192.168.77.1 knows no name"),
    ] {
        lab.dns("home", mode);
        let once = json(&laptop, &["once", "--json"]);
        assert_eq!(once["why"], why, "{mode}: {once:#}");
    }
    lab.dns("home", "ok");
}

#[test]
fn logging_into_a_portal_is_noticed_though_no_event_tells_of_it() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    let _agent = laptop.agent();
    lab.travel("home");
    wait_for_profile(&laptop, "public", SOON);
    lab.net(&["hotspot-mode", "portal302"]);
    lab.travel("hotspot");
    wait_for_profile(&laptop, "offline", SOON);
    lab.net(&["hotspot-mode", "open"]);
    // The open hotspot serves the modules and the database through the proxy only.
    wait_for_profile(&laptop, "restricted", AFTER_TIME_OUTS);
}

#[test]
fn a_proxy_that_misbehaves_is_not_used_however_it_does_so() {
    let Some(lab) = Lab::get() else { return };
    let policy = lab.policy().replace("version = 1\n", QUICK_PROBES);
    let laptop = lab.laptop().with_policy(&policy);
    lab.travel("home");
    for mode in [
        "hang",
        "slow:20",
        "drip:5",
        "reset",
        "close",
        "refuse",
        "404",
        "410",
        "403",
        "429:7",
        "500",
        "503:5",
        "portal302",
        "portal200",
        "badjson",
    ] {
        lab.fault("home", "proxy.golang.org", mode);
        let once = json(&laptop, &["once", "--json"]);
        assert_eq!(once["profile"], "restricted", "{mode}: {once:#}");
        let proxy = target(&once, "proxy");
        assert_eq!(proxy["up"], false, "{mode}: {proxy}");
        assert_ne!(proxy["reason"], "", "{mode}");
    }
    for cert in ["wronghost", "expired", "selfsigned"] {
        lab.fault_with("home", "proxy.golang.org", "ok", cert);
        let once = json(&laptop, &["once", "--json"]);
        assert_eq!(once["profile"], "restricted", "{cert}: {once:#}");
    }
    lab.fault_with("home", "proxy.golang.org", "pass", "public");
    let once = json(&laptop, &["once", "--json"]);
    assert_eq!(once["profile"], "public", "{once:#}");
    assert_eq!(once["changed"], serde_json::json!(["GOPROXY"]));
}

const QUICK_PROBES: &str = "version = 1
[probe]
connect = \"800ms\"
first_byte = \"800ms\"
total = \"1500ms\"
retries = 0
";

fn target<'a>(report: &'a Value, name: &str) -> &'a Value {
    let targets = report["targets"].as_array().unwrap();
    targets
        .iter()
        .find(|target| target["name"] == name)
        .unwrap()
}

#[test]
fn a_database_that_signs_with_a_foreign_key_is_wrong_and_never_used() {
    let Some(lab) = Lab::get() else { return };
    // The lab's sum.golang.org signs with a key of its own; this policy means the true one.
    let key = lab.sumdb_key("sum.golang.org");
    let laptop = lab
        .laptop()
        .with_policy(&lab.policy().replace(&key, "sum.golang.org"));
    lab.travel("home");
    let once = json(&laptop, &["once", "--json"]);
    assert_eq!(once["profile"], "offline", "{once:#}");
    let sum = target(&once, "sum");
    assert_eq!(sum["verdict"], "wrong", "{sum}");
    assert!(
        sum["reason"].as_str().unwrap().contains("sum.golang.org"),
        "{sum}"
    );
    assert!(
        !laptop.go_env().contains_key("GOSUMDB"),
        "{:?}",
        laptop.go_env()
    );
}

#[test]
fn a_silent_resolver_is_waited_for_no_longer_than_the_policy_says() {
    let Some(lab) = Lab::get() else { return };
    let policy = lab.policy().replace("version = 1\n", QUICK_PROBES);
    let laptop = lab.laptop().with_policy(&policy);
    let _agent = laptop.agent();
    lab.travel("home");
    wait_for_profile(&laptop, "public", SOON);
    lab.travel("airplane");
    wait_for_profile(&laptop, "offline", SOON);
    lab.dns("home", "silent");
    let start = std::time::Instant::now();
    let once = json(&laptop, &["once", "--dry-run", "--json"]);
    assert_eq!(once["profile"], "offline");
    lab.travel("home");
    let ran = laptop.goroam(&["probe", "proxy", "--json"]);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(ran.stdout.contains("DNS"), "{}", ran.stdout);
    lab.dns("home", "ok");
    wait_for_profile(&laptop, "public", AFTER_TIME_OUTS);
}

#[test]
fn what_is_written_works_with_each_real_go() {
    let Some(lab) = Lab::get() else { return };
    for version in ["1.21.13", "1.24.11", "1.27.3"] {
        let Some(go) = support::lab::go(version) else {
            panic!("go {version} cannot be installed");
        };
        let go = go.to_str().unwrap();
        let policy = lab.policy().replace(
            "version = 1\n",
            &format!("version = 1\nagent.go = {go:?}\n"),
        );
        let laptop = lab.laptop().with_policy(&policy);
        lab.travel("home");
        laptop.goroam(&["once"]).ok();
        let got = laptop.run(go, &["list", "-m", "-versions", "github.com/google/uuid"]);
        assert!(got.ok().contains("v1.3.0"), "go {version}: {}", got.stderr);
        lab.travel("airplane");
        laptop.goroam(&["once"]).ok();
        // Version control is not tried either: the answer comes from the cache alone.
        let got = laptop.run(go, &["list", "-m", "-versions", "github.com/google/uuid"]);
        assert!(got.took < SOON, "go {version} waited {:?}", got.took);
        laptop.goroam(&["restore"]).ok();
        assert!(!laptop.go_env_file().exists(), "go {version}");
    }
}

#[test]
fn a_flood_of_changes_costs_a_bounded_number_of_turns_and_ends_right() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    let agent = laptop.agent();
    lab.travel("home");
    wait_for_profile(&laptop, "public", SOON);
    let turns = || {
        json(&laptop, &["status", "--json"])["turn"]
            .as_u64()
            .unwrap()
    };
    let before = turns();
    let mut batch = String::new();
    for i in 0..2500 {
        let (a, b) = (i / 250, i % 250 + 1);
        batch += &format!("route add 10.{a}.{b}.0/24 dev wlan0\n");
        batch += &format!("route del 10.{a}.{b}.0/24 dev wlan0\n");
    }
    let file = laptop.home().join("flood");
    std::fs::write(&file, batch).unwrap();
    laptop.run("ip", &["-batch", file.to_str().unwrap()]).ok();
    lab.travel("airplane");
    wait_for_profile(&laptop, "offline", SOON);
    laptop.wait_settled();
    let turns = turns() - before;
    assert!(
        turns < 80,
        "{turns} turns for 5000 changes\n{}",
        agent.log()
    );
}

#[test]
fn the_classic_template_does_what_the_known_scripts_do() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop();
    laptop.goroam(&["init", "--template", "classic"]).ok();
    lab.travel("home");
    laptop.goroam(&["once"]).ok();
    assert_eq!(laptop.go_env()["GOPROXY"], CN);
    assert_eq!(laptop.go_env()["GOSUMDB"], "sum.golang.org");
    lab.travel("office");
    let once = json(&laptop, &["once", "--json"]);
    assert_eq!(laptop.go_env()["GOPROXY"], "direct");
    assert_eq!(laptop.go_env()["GOSUMDB"], "off");
    // What it costs is told wherever the profile is shown.
    assert_eq!(once["weakened"], serde_json::json!(["GOSUMDB=off"]));
}

#[test]
fn a_hiccup_changes_nothing_and_an_outage_is_followed() {
    let Some(lab) = Lab::get() else { return };
    let settings = "version = 1\nagent.recheck = \"1s\"\nagent.fall = 3\n";
    let laptop = lab
        .laptop()
        .with_policy(&lab.policy().replace("version = 1\n", settings));
    let agent = laptop.agent();
    lab.travel("home");
    wait_for_profile(&laptop, "public", SOON);
    let rounds = || {
        json(&laptop, &["status", "--json"])["turn"]
            .as_u64()
            .unwrap()
    };
    let seen_failing = || {
        let status = json(&laptop, &["status", "--json"]);
        let proxy = target(&status, "proxy").clone();
        if proxy["verdict"] == "down" {
            Ok(())
        } else {
            Err(proxy.to_string())
        }
    };
    lab.fault("home", "proxy.golang.org", "503");
    support::wait_until("a failing round", SOON, seen_failing);
    lab.fault("home", "proxy.golang.org", "pass");
    let now = rounds();
    support::wait_until("two more rounds", SOON, || {
        if rounds() >= now + 2 {
            Ok(())
        } else {
            Err(rounds().to_string())
        }
    });
    assert_eq!(laptop.go_env()["GOPROXY"], PUBLIC, "{}", agent.log());
    lab.fault("home", "proxy.golang.org", "503");
    wait_for_profile(&laptop, "restricted", SOON);
    lab.fault("home", "proxy.golang.org", "pass");
    wait_for_profile(&laptop, "public", SOON);
}

#[test]
fn black_holed_public_hosts_do_not_delay_the_office_nor_a_hanging_office_proxy_the_public() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    let agent = laptop.agent();
    lab.net(&["office-mode", "drop"]);
    lab.travel("home");
    wait_for_profile(&laptop, "public", SOON);
    lab.travel("office");
    // Three seconds are the limit of one try: whoever waited for the black hole took longer.
    wait_for_profile(&laptop, "office", Duration::from_secs(2));
    // Now the office's own proxy hangs, and nothing else answers either: the mirror, once
    // that is certain.
    lab.fault("office", "goproxy.corp.test", "hang");
    laptop.goroam(&["once"]).ok();
    wait_for_profile(&laptop, "offline", SOON);
    lab.travel("home");
    wait_for_profile(&laptop, "public", Duration::from_secs(2));
    assert!(agent.log().contains("office"), "{}", agent.log());
}
