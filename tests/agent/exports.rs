//! What an export leaves behind: nothing that runs, nothing stale, and a report when it does not arrive.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::health::{ACCEPTS, SECRET, Scene, Sink, free_port};
use super::minisign::MinisignKey;
use super::resident::wait_until;
use super::server::{Authority, Reply, Seen, Server};
use super::store::Store;

const POLICY: &str = ".config/goroam/goroam.toml";

/// What a file below `/proc/PID` says of the threads, and of the memory.
fn figures(pid: u32) -> (u64, usize, u64) {
    let number = |path: &Path, name: &str| {
        let text = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|word| word.parse::<u64>().ok())
            .unwrap_or_default()
    };
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let naps = tasks.flatten();
    let naps = Vec::from_iter(naps.map(|task| number(&task.path(), "voluntary_ctxt_switches:")));
    let own = number(Path::new(&format!("/proc/{pid}")), "RssAnon:");
    (naps.iter().sum(), naps.len(), own)
}

#[test]
fn an_idle_agent_that_follows_a_fleet_and_has_sent_never_wakes() {
    let (Some(key), Some(store)) = (MinisignKey::new(), Store::start(&[])) else {
        println!("skipped: there is no minisign, or no nginx");
        return;
    };
    let sink = Sink::start(0, ACCEPTS);
    let Some(scene) = Scene::new(sink.port, "") else {
        return;
    };
    let desk = &scene.desk;
    store.put(
        "version = 1\n[policy]\nid = \"corp\"\nversion = 7\nissued = 2026-01-01T00:00:00Z\n\
         expires = 9000-01-01T00:00:00Z\n[agent]\nrise = 1\n",
        &key,
    );
    let policy = std::fs::read_to_string(desk.user.path(POLICY)).unwrap();
    let more = format!(
        "[metrics]\ntextfile = {:?}\n[fleet]\nurl = {:?}\nkeys = [{:?}]\nrefresh = \"1s\"\n[target.local]",
        desk.user.path("goroam.prom"),
        store.url("policy.toml"),
        key.public
    );
    let policy = policy.replace("[[profile]]", "[[profile]]\nfleet = true");
    desk.user
        .write(POLICY, policy.replace("[target.local]", &more));
    let agent = desk.agent();
    wait_until("it has the fleet's policy", || {
        let fleet = desk.status()["fleet"].clone();
        (fleet["version"] == 7)
            .then_some(())
            .ok_or(fleet.to_string())
    });
    scene.wait_for("it has sent all", |telemetry| {
        telemetry["sent"].is_string() && telemetry["queued"] == 0
    });
    let pid = agent.child.id();
    // Two seconds after the last event the agent gives memory back.
    let (mut last, mut since) = (figures(pid).0, Instant::now());
    wait_until("an agent that rests", || {
        let now = figures(pid).0;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let rests = since.elapsed() > Duration::from_millis(2500);
        rests.then_some(()).ok_or_else(|| now.to_string())
    });
    let asked = (store.asked().len(), sink.seen().len());
    std::thread::park_timeout(Duration::from_secs(2));
    let (naps, threads, own) = figures(pid);
    println!("measured: idle with a fleet and a collector: {own} kB own, {threads} threads");
    assert_eq!(naps, last);
    assert_eq!((store.asked().len(), sink.seen().len()), asked);
    assert_eq!(threads, 1);
    assert!(own <= 9_000, "{own} kB");
}

#[test]
fn what_is_switched_off_leaves_nothing_stale_behind() {
    let Some(scene) = Scene::new(free_port(), "") else {
        return;
    };
    let desk = &scene.desk;
    let policy = std::fs::read_to_string(desk.user.path(POLICY)).unwrap();
    let [first, second] = ["a.prom", "b.prom"].map(|name| desk.user.path(name));
    let with = |file: &Path| {
        let metrics = format!("[metrics]\ntextfile = {file:?}\n[target.local]");
        policy.replace("[target.local]", &metrics)
    };
    desk.user.write(POLICY, with(&first));
    scene.once();
    assert!(first.exists() && desk.state("telemetry.jsonl").exists());
    desk.user.write(POLICY, with(&second));
    scene.once();
    assert!(!first.exists() && second.exists());
    let off = policy.replace("otlp = \"http:", "otlp = \"off\" # ");
    desk.user.write(POLICY, &off);
    scene.once();
    assert!(!second.exists() && !desk.state("telemetry.jsonl").exists());
    // A file of another program is not removed.
    desk.user.write(POLICY, with(&second));
    scene.once();
    std::fs::write(&second, "# HELP node_x Of another program.\n").unwrap();
    desk.user.write(POLICY, &off);
    scene.once();
    assert!(second.exists());
}

#[test]
fn a_dry_run_sends_nothing_and_a_failure_is_in_the_file_of_metrics_at_once() {
    let sink = Sink::start(0, ACCEPTS);
    let Some(scene) = Scene::new(sink.port, "") else {
        return;
    };
    let desk = &scene.desk;
    scene.once();
    let before = sink.seen().len();
    desk.goroam("once --dry-run").exits(0);
    assert_eq!(sink.seen().len(), before);
    let policy = std::fs::read_to_string(desk.user.path(POLICY)).unwrap();
    let file = desk.user.path("a.prom");
    let metrics = format!("[metrics]\ntextfile = {file:?}\n[target.local]");
    let policy = policy.replace("[target.local]", &metrics);
    let broken = policy.replace("fall = 1", "fall = 1\ngo = \"/missing/go\"");
    desk.user.write(POLICY, broken);
    desk.goroam("once").exits(3);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\ngoroam_turn_failures_total 1\n"), "{text}");
    assert!(text.contains("\ngoroam_export_queued 1\n"), "{text}");
}

#[test]
fn a_damaged_line_of_the_queue_and_a_long_answer_lose_nothing_and_repeat_nothing() {
    let port = free_port();
    let Some(scene) = Scene::new(port, "") else {
        return;
    };
    let queue = scene.desk.state("telemetry.jsonl");
    scene.once();
    let first = std::fs::read_to_string(&queue).unwrap();
    std::fs::write(&queue, format!("\n1\n{{}}\n{first}{}", &first[..80])).unwrap();
    // Longer than what goroam reads of it.
    let said = format!(
        "{{\"partialSuccess\":{{\"errorMessage\":\"{}\"}}}}",
        "x".repeat(9000)
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{said}",
        said.len()
    );
    let sink = Sink::start(port, &answer);
    scene.once();
    let spans = |body: &Value| {
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].clone();
        let turns = spans.as_array().unwrap().iter();
        turns.filter(|span| span["name"] == "goroam.turn").count()
    };
    let seen = sink.seen();
    assert_eq!(spans(&serde_json::from_slice(&seen[0].body).unwrap()), 2);
    assert!(!queue.exists());
    scene.once();
    let seen = sink.seen();
    assert_eq!(spans(&serde_json::from_slice(&seen[2].body).unwrap()), 1);
}

#[test]
fn a_collector_that_never_comes_to_its_answer_holds_up_nothing() {
    for (answer, why) in [
        ("HTTP/1.1 100 Continue\r\n\r\n", "more than"),
        ("HTTP/1.1 200 OK\r\n\r\n{", ""),
        ("X-Header: a\r\n", "not in HTTP"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let Some(scene) = Scene::new(listener.local_addr().unwrap().port(), "") else {
            return;
        };
        let flood = answer.repeat(4000);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 1024]);
                while stream.write_all(flood.as_bytes()).is_ok() {}
            }
        });
        let _agent = scene.desk.agent();
        let began = Instant::now();
        let _listener = scene.listen();
        scene.once();
        assert_eq!(scene.desk.line("GOPROXY").as_deref(), Some("direct"));
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{answer}: {:?}",
            began.elapsed()
        );
        scene.wait_for(why, |telemetry| match telemetry["failed"].as_str() {
            Some(failed) => failed.contains(why),
            None => why.is_empty() && telemetry["sent"].is_string(),
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_behind_a_proxy_must_prove_itself_before_it_gets_anything() {
    let authority = Authority::new("an authority");
    let accept = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let identity = authority.identity(&["collector.test"]);
    let collector = Server::https(&identity, |_| Reply::Bytes(accept.to_vec())).await;
    let to = format!("127.0.0.1:{}", collector.port);
    let proxy = Server::http(move |_| Reply::Tunnel(to.clone())).await;
    let Some(scene) = Scene::new(1, "") else {
        return;
    };
    let desk = &scene.desk;
    let policy = std::fs::read_to_string(desk.user.path(POLICY)).unwrap();
    let policy = policy.replace("http://127.0.0.1:1\"", "https://collector.test\"");
    desk.user.write(POLICY, policy);
    let once = || {
        let run = desk.goroam("once");
        run.env("HTTPS_PROXY", &proxy.url("http"))
    };
    once().exits(0);
    assert_eq!(desk.status()["telemetry"]["queued"], 1);
    assert_eq!(collector.seen().len(), 0, "its certificate proves nothing");
    let trusted = authority.write(&desk.user.path(""));
    once()
        .env("SSL_CERT_FILE", trusted.to_str().unwrap())
        .exits(0);
    assert_eq!(desk.status()["telemetry"]["queued"], 0);
    let seen = collector.seen();
    let has = |one: &Seen| one.header("authorization") == Some(&format!("Bearer {SECRET}"));
    assert_eq!(seen.iter().filter(|one| has(one)).count(), 2, "{seen:?}");
    for one in proxy.seen() {
        assert_eq!(one.line, "CONNECT collector.test:443");
        assert!(!one.head.contains(SECRET), "{one:?}");
    }
    let log = desk.history();
    assert!(!serde_json::to_string(&log).unwrap().contains(SECRET));
}

#[test]
fn doctor_says_what_did_not_arrive() {
    let port = free_port();
    let Some(scene) = Scene::new(port, "") else {
        return;
    };
    let desk = &scene.desk;
    let findings = || {
        let run = desk.goroam("doctor --json").command().output().unwrap();
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        let all = report["findings"].as_array().unwrap().clone();
        let own = |one: &&Value| one["code"] == "not-exported" || one["code"] == "trouble";
        let own = Vec::from_iter(all.iter().filter(own).cloned());
        Value::from(own)
    };
    // A collector may be away for a while: that is not reported.
    scene.once();
    assert_eq!(findings(), Value::from(Vec::<Value>::new()));
    desk.goroam("status")
        .exits(0)
        .says("telemetry not sent for ");
    let path = desk.state("state.json");
    let state = std::fs::read_to_string(&path).unwrap();
    let mut changed: Value = serde_json::from_str(&state).unwrap();
    assert!(changed["counts"]["unsent"].is_string(), "{changed}");
    changed["counts"]["unsent"] = "2026-01-01T00:00:00Z".into();
    changed["counts"]["dropped"] = 3.into();
    std::fs::write(&path, changed.to_string()).unwrap();
    let told = findings();
    assert_eq!(
        (&told[0]["code"], &told[0]["severity"]),
        (&"not-exported".into(), &"warning".into())
    );
    let text = told.to_string();
    assert!(
        text.contains("has got nothing for") && text.contains("3 turns"),
        "{text}"
    );
    assert!(!text.contains(SECRET), "{text}");
    // It is there again.
    let _sink = Sink::start(port, ACCEPTS);
    scene.once();
    let told = findings();
    assert_eq!(told[0]["severity"], "note", "{told}");
    // A file of metrics that this user cannot write, also without an agent.
    let policy = std::fs::read_to_string(desk.user.path(POLICY)).unwrap();
    let metrics = "[metrics]\ntextfile = \"/missing/goroam.prom\"\n[target.local]";
    desk.user
        .write(POLICY, policy.replace("[target.local]", metrics));
    let text = findings().to_string();
    assert!(
        text.contains("cannot write the metrics to /missing/goroam.prom"),
        "{text}"
    );
}
