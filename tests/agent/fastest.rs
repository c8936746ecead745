//! Which mirror of a `fastest` an agent uses: what it measures, and when it changes.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goroam::gomod::zip::h1_of;
use serde_json::Value;

use crate::go;
use crate::resident::{Desk, wait_until};
use crate::server::{Reply, Server, answer, status};

const FILE: &str = "/example.test/m/@v/v1.0.0";

/// How long a body takes for a byte, if it is slow.
const SLOW: Duration = Duration::from_millis(1);

/// A module zip with this text in it.
fn zip(text: &str) -> Vec<u8> {
    let mut zip = rawzip::ZipArchiveWriter::new(Vec::new());
    let (mut entry, config) = zip.new_file("example.test/m@v1.0.0/a.go").start().unwrap();
    let mut writer = config.wrap(&mut entry);
    writer.write_all(text.as_bytes()).unwrap();
    let (_, end) = writer.finish().unwrap();
    entry.finish(end).unwrap();
    zip.finish().unwrap()
}

/// A mirror whose answers take so long, and which answers for the zip with this.
async fn mirror(
    latency: u64,
    zip: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    drips: bool,
) -> Server {
    let latency = Duration::from_millis(latency);
    // The first turn reads only the beginning of the zip, which must not take long.
    let is_begun = AtomicBool::new(false);
    Server::http(move |request| {
        let Some(file) = request
            .line
            .strip_prefix("GET ")
            .and_then(|path| path.strip_prefix(FILE))
        else {
            return status("404 Not Found");
        };
        let reply = match file {
            ".info" => answer("200 OK", &[], r#"{"Version":"v1.0.0"}"#),
            ".mod" => answer("200 OK", &[], "module example.test/m\n"),
            _ => {
                let zip = zip();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", zip.len());
                Reply::Bytes([head.into_bytes(), zip].concat())
            }
        };
        match reply {
            Reply::Bytes(bytes)
                if drips && file == ".zip" && is_begun.swap(true, Ordering::SeqCst) =>
            {
                Reply::Drip(bytes, SLOW)
            }
            Reply::Bytes(bytes) => Reply::Late(bytes, latency),
            other => other,
        }
    })
    .await
}

fn desk(mirrors: &[(&str, &Server)], relay: bool) -> Option<Desk> {
    let desk = Desk::new(go::go(go::VERSIONS[2])?, "version = 1\n");
    let right = desk.user.write("right.zip", zip("package a"));
    let sum = h1_of(&right).unwrap();
    let mut policy =
        format!("version = 1\n[agent]\nrecheck = \"off\"\n[relay]\nenabled = {relay}\n");
    for (name, server) in mirrors {
        policy += &format!(
            "[target.{name}]\ngoproxy = \"{}\"\nmodule = \"example.test/m@v1.0.0\"\nzip_sum = \"{sum}\"\n",
            server.url("http")
        );
    }
    let names: Vec<String> = mirrors
        .iter()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    policy += &format!(
        "[[profile]]\nname = \"mirrors\"\nenv = {{ GOPROXY = {{ fastest = [{}], then = \"off\" }} }}\n",
        names.join(", ")
    );
    desk.user.write(".config/goroam/goroam.toml", policy);
    let status = desk.status();
    if status["network"]["default_routes"] == serde_json::json!([]) {
        println!("skipped: this machine has no default route, so nothing is probed");
        return None;
    }
    Some(desk)
}

/// How often the mirrors have been measured since the choice, in the agent's memory.
fn rounds(desk: &Desk) -> usize {
    let state = std::fs::read(desk.state("state.json")).unwrap_or_default();
    let state: Value = serde_json::from_slice(&state).unwrap_or_default();
    let by_network = state["fastest"].as_object().into_iter().flatten();
    let records = by_network
        .map(|(_, record)| record)
        .chain([&state["fastest_here"]]);
    records
        .filter_map(|record| record["rounds"].as_array())
        .map(Vec::len)
        .max()
        .unwrap_or(0)
}

/// The chain in force, behind the relay if there is one.
fn chain(desk: &Desk, relay: bool) -> String {
    match relay {
        true => desk.status()["relay"]["chain"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        false => desk.line("GOPROXY").unwrap_or_default(),
    }
}

#[track_caller]
fn wait_for(desk: &Desk, relay: bool, server: &Server) {
    let wanted = format!("{},off", server.url("http"));
    wait_until(&format!("GOPROXY is {wanted}"), || {
        let chain = chain(desk, relay);
        (chain == wanted).then_some(()).ok_or(chain)
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_with_a_slow_body_is_left_when_another_was_clearly_faster_twice() {
    change_to_the_steady_one(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_changes_to_another_mirror_in_the_same_way() {
    change_to_the_steady_one(true).await;
}

async fn change_to_the_steady_one(relay: bool) {
    let right = || zip("package a");
    let quick = mirror(0, right, true).await;
    let steady = mirror(300, right, false).await;
    let mirrors = [("quick", &quick), ("steady", &steady)];
    let Some(desk) = desk(&mirrors, relay) else {
        return;
    };
    let agent = desk.agent();
    // The switch itself does not wait for any zip.
    wait_for(&desk, relay, &quick);
    wait_until("one measurement", || {
        (rounds(&desk) == 1).then_some(()).ok_or(agent.log())
    });
    assert_eq!(chain(&desk, relay), format!("{},off", quick.url("http")));

    let turn = desk.goroam("once --json").exits(0).json();
    let fastest = &turn["decision"]["fastest"];
    assert_eq!(fastest["target"], "quick", "{turn}");
    let reason = "kept; steady would be faster by 99 %, seen once";
    assert_eq!(fastest["reason"], reason);
    wait_for(&desk, relay, &steady);
    // The journal follows the file.
    wait_until("the turn in the journal", || {
        let history = desk.history();
        let cause = &history.last().unwrap()["cause"];
        (cause == "measured")
            .then_some(())
            .ok_or(format!("{history:?}"))
    });
    let why = desk.goroam("why").exits(0).stdout().replace('\n', " ");
    assert!(
        why.contains("Fastest: steady, faster than quick by 99 %, seen twice."),
        "{why}"
    );

    // Each measurement has fetched each zip once; the next turn fetches none.
    wait_until("one measurement of the new choice", || {
        (rounds(&desk) == 1).then_some(()).ok_or(agent.log())
    });
    let zips = || {
        let seen = [quick.seen(), steady.seen()].concat();
        seen.iter()
            .filter(|seen| seen.line.ends_with(".zip"))
            .count()
    };
    let before = zips();
    let turn = desk.goroam("once --json").exits(0).json();
    let reason = &turn["decision"]["fastest"]["reason"];
    assert_eq!(reason, "kept; no other is clearly faster", "{turn}");
    assert_eq!(zips(), before);
    // Without the relay the chain itself is there, not what another network would get.
    agent.signal("-TERM");
    let url = steady.url("http");
    desk.wait_for("GOPROXY", Some(&format!("{url},off")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_with_wrong_content_is_left_at_once_and_one_that_fails_fast_never_wins() {
    let failing = Server::http(|request| match request.line.ends_with(".zip") {
        true => status("500 Internal Server Error"),
        false => match request.line.rsplit('.').next() {
            Some("info") => answer("200 OK", &[], r#"{"Version":"v1.0.0"}"#),
            _ => answer("200 OK", &[], "module example.test/m\n"),
        },
    })
    .await;
    let wrong = mirror(0, || zip("package evil"), false).await;
    let right = mirror(150, || zip("package a"), false).await;
    let mirrors = [("failing", &failing), ("wrong", &wrong), ("right", &right)];
    let Some(desk) = desk(&mirrors, false) else {
        return;
    };
    let _agent = desk.agent();
    wait_for(&desk, false, &right);
    let turn = desk.goroam("once --json").exits(0).json();
    assert_eq!(turn["decision"]["fastest"]["target"], "right", "{turn}");
    let probed = desk.goroam("probe --json").exits(0).json();
    let probed = |name: &str| {
        let targets = probed["targets"].as_array().unwrap().iter();
        targets
            .clone()
            .find(|target| target["name"] == name)
            .unwrap()
            .clone()
    };
    let seen = probed("wrong");
    assert_eq!(seen["verdict"], "wrong", "{seen}");
    assert!(
        seen["reason"].as_str().unwrap().contains("its hash is h1:"),
        "{seen}"
    );
    assert_eq!(seen["speed"], Value::Null);
    assert!(probed("right")["speed"]["bytes_per_second"].is_number());
}
