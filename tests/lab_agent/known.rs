//! Networks where the laptop has been before: the profile of last time is applied at once and
//! proven behind it, but never one that weakens verification.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Lab, Laptop, wait_until};

const SOON: Duration = Duration::from_secs(30);
const PUBLIC: &str = "https://proxy.golang.org,direct";
const CN: &str = "https://goproxy.cn,direct";

const STATE: &str = ".local/state/goroam/state.json";
/// The link-layer addresses of two routers.
const ONE: &str = "02:00:00:00:00:01";
const OTHER: &str = "02:00:00:00:00:02";

/// Long enough to tell "at once" from "after the time-outs".
const SLOW_PROBES: &str = "version = 1
[probe]
connect = \"3s\"
first_byte = \"3s\"
total = \"3s\"
retries = 0
";

/// Profiles of the turns that wrote something, oldest first.
fn written(laptop: &Laptop<'_>) -> Vec<String> {
    let history = laptop.goroam(&["history", "-n", "1000", "--json"]);
    let entries: Vec<Value> = serde_json::from_str(history.ok()).unwrap();
    entries
        .iter()
        .filter(|entry| entry["outcome"]["is"] == "written")
        .map(|entry| entry["decision"]["profile"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_profile_of_last_time_is_applied_at_once_and_proven_behind_it() {
    let Some(lab) = Lab::get() else { return };
    let policy = lab.policy().replace("version = 1\n", SLOW_PROBES);
    let laptop = lab.laptop().with_policy(&policy);
    let _agent = laptop.agent();
    lab.travel("home");
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
    lab.travel("airplane");
    laptop.wait_env("offline", SOON, |env| env["GOPROXY"].starts_with("file:"));
    // It is the same network, but its proxy hangs now.
    lab.fault("home", "proxy.golang.org", "hang");
    lab.travel("home");
    laptop.wait_for("GOPROXY", PUBLIC, Duration::from_secs(2));
    laptop.wait_for("GOPROXY", CN, SOON);
    let profiles = written(&laptop);
    assert_eq!(profiles[profiles.len() - 2..], ["public", "restricted"]);
}

#[test]
fn a_fastest_gives_at_once_what_it_gave_last_time_although_other_targets_are_silent() {
    let Some(lab) = Lab::get() else { return };
    let fastest = r#"GOPROXY = { fastest = ["cn"], then = "direct" }"#;
    let policy = lab
        .policy()
        .replace("version = 1\n", SLOW_PROBES)
        .replace(&format!("GOPROXY = \"{CN}\""), fastest);
    assert!(policy.contains(fastest));
    let laptop = lab.laptop().with_policy(&policy);
    let _agent = laptop.agent();
    for server in ["proxy.golang.org", "sum.golang.org"] {
        lab.fault("home", server, "hang");
    }
    lab.travel("home");
    laptop.wait_for("GOPROXY", CN, SOON);
    // Only a final decision is remembered.
    wait_until("the final decision", SOON, || {
        let status = laptop.goroam(&["status", "--json"]);
        let status: Value = serde_json::from_str(status.ok()).unwrap();
        let is_final = status["profile"] == "restricted" && status["provisional"].is_null();
        is_final.then_some(()).ok_or_else(|| format!("{status:#}"))
    });
    lab.travel("airplane");
    let is_offline = |env: &BTreeMap<String, String>| env["GOPROXY"].starts_with("file:");
    laptop.wait_env("offline", SOON, is_offline);
    // The last one hangs now, too.
    lab.fault("home", "goproxy.cn", "hang");
    lab.travel("home");
    laptop.wait_for("GOPROXY", CN, Duration::from_secs(2));
    laptop.wait_env("offline", SOON, is_offline);
    let profiles = written(&laptop);
    assert_eq!(profiles[profiles.len() - 2..], ["restricted", "offline"]);
}

#[test]
fn a_profile_that_weakens_verification_is_proven_again_before_it_is_applied() {
    let Some(lab) = Lab::get() else { return };
    let loose = "env  = { GOPROXY = \"https://proxy.golang.org,direct\", GOSUMDB = \"off\" }";
    let strict = lab
        .policy()
        .lines()
        .find(|line| line.contains("proxy.golang.org,direct"))
        .unwrap()
        .to_owned();
    let policy = lab
        .policy()
        .replace("version = 1\n", SLOW_PROBES)
        .replace(&strict, loose);
    let laptop = lab.laptop().with_policy(&policy);
    let agent = laptop.agent();
    lab.travel("home");
    laptop.wait_for("GOSUMDB", "off", SOON);
    lab.travel("airplane");
    laptop.wait_env("offline", SOON, |env| !env.contains_key("GOSUMDB"));
    lab.fault("home", "proxy.golang.org", "hang");
    lab.travel("home");
    laptop.wait_for("GOPROXY", CN, SOON);
    let profiles = written(&laptop);
    assert_eq!(profiles.last().map(String::as_str), Some("restricted"));
    let times = profiles.iter().filter(|name| *name == "public").count();
    assert_eq!(times, 1, "{profiles:?}\n{}", agent.log());
}

#[test]
fn two_networks_with_equal_numbers_are_told_apart_by_their_router() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    let agent = laptop.agent();
    let visit = |router: &str, profile: &str| {
        let bridge = ["-n", "goroam-home", "link", "set", "br0", "address", router];
        let done = Command::new("ip").args(bridge).status().unwrap();
        assert!(done.success());
        lab.travel("home");
        // What is known of both, by the profile: the file of this moment is not enough.
        wait_until(&format!("{profile} by {router}"), SOON, || {
            let state = std::fs::read(laptop.home().join(STATE)).unwrap_or_default();
            let state: Value = serde_json::from_slice(&state).unwrap_or_default();
            let router = &state["snapshot"]["router"];
            let networks = state["networks"].as_object().cloned().unwrap_or_default();
            let here = router.as_str().and_then(|router| {
                let is_here = |id: &&String| id.ends_with(&format!(", router {router}"));
                networks.keys().find(is_here)
            });
            match here.map(|here| &networks[here][0]) {
                Some(known) if known == profile => Ok(networks.len()),
                known => Err(format!("{known:?} {networks:?}\n{}", agent.log())),
            }
        })
    };
    let leave = || {
        lab.travel("airplane");
        laptop.wait_env("offline", SOON, |env| env["GOPROXY"].starts_with("file:"));
    };
    assert_eq!(visit(ONE, "public"), 1);
    leave();
    lab.fault("home", "proxy.golang.org", "503");
    assert_eq!(visit(OTHER, "restricted"), 2);
    leave();
    lab.fault("home", "proxy.golang.org", "pass");
    assert_eq!(visit(ONE, "public"), 2);
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
}

#[test]
fn a_known_network_is_told_apart_from_another_by_its_gateway_and_resolver() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    let _agent = laptop.agent();
    let identity = || {
        let status = laptop.goroam(&["status", "--json"]);
        let status: Value = serde_json::from_str(status.ok()).unwrap();
        status["network"]["identity"].clone()
    };
    let at = |place: &str, gateway: &str| {
        lab.travel(place);
        wait_until(place, SOON, || match identity().as_str() {
            Some(text) if text.contains(gateway) => Ok(text.to_owned()),
            other => Err(format!("{other:?}")),
        })
    };
    let home = at("home", "192.168.77.1");
    let office = at("office", "10.20.0.1");
    lab.travel("airplane");
    wait_until("no identity", SOON, || {
        let now = identity();
        if now.is_null() {
            Ok(())
        } else {
            Err(now.to_string())
        }
    });
    assert_ne!(home, office);
    assert_eq!(at("home", "192.168.77.1"), home, "the same each time");
}
