//! What a turn knows of slow proxies and of zips: a cold cache is waited for where the choice
//! hangs on it, and beside the agent's rounds; a zip is asked for once on a network.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use goroam::model::{Limits, Observation, Target, Verdict};
use goroam::probe::{ProbeOptions, Prober};

use crate::cli::{self, User};
use crate::go;
use crate::server::*;

/// How long a cold cache takes, and what a round waits: far apart, so that neither is a guess.
const COLD: Duration = Duration::from_millis(1500);
const LIMITS: &str = "first_byte = \"300ms\"\npatience = \"20s\"\nretries = 0\n";

/// A proxy that fetches on demand, and forgets it when the client leaves.
async fn cold_proxy() -> Server {
    Server::http(|request| match good_proxy(request) {
        Reply::Bytes(bytes) if request.line.ends_with(".info") => Reply::Late(bytes, COLD),
        other => other,
    })
    .await
}

/// A user with a policy; `None`: no go, or no network that a probe would be sent over.
fn user(policy: &str) -> Option<User> {
    let go = go::go(go::VERSIONS[2])?;
    let user = User::new();
    let head = format!(
        "version = 1\n[agent]\nrecheck = \"off\"\ngo = \"{}\"\n",
        go.display()
    );
    let path = user.write(".config/goroam/goroam.toml", head + policy);
    cli::mode(&path, 0o600);
    let status = user.goroam("status --json").exits(0).json();
    if status["network"]["default_routes"] == serde_json::json!([]) {
        println!("skipped: this machine has no default route, so nothing is probed");
        return None;
    }
    Some(user)
}

/// `corp` where it is up, else `elsewhere`.
fn corp(url: &str, more: &str) -> String {
    format!(
        "[probe]\n{LIMITS}[target.corp]\ngoproxy = \"{url}\"\n{more}\
         [[profile]]\nname = \"corp\"\nwhen = {{ up = \"corp\" }}\n\
         env = {{ GOPROXY = \"{url}\" }}\n\
         [[profile]]\nname = \"elsewhere\"\nenv = {{ GOPROXY = \"off\" }}\n"
    )
}

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn agent(user: &User) -> Agent {
    let mut command = user.goroam("agent").command();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Agent(command.spawn().unwrap())
}

/// Profiles and causes of all turns, oldest first, once there are so many.
async fn turns(user: &User, number: usize) -> Vec<(String, String)> {
    let end = Instant::now() + Duration::from_secs(40);
    loop {
        // No journal before the first turn: then it is an error.
        let output = user
            .goroam("history -n 50 --json")
            .command()
            .output()
            .unwrap();
        let entries: Vec<serde_json::Value> =
            serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let turns: Vec<(String, String)> = entries
            .iter()
            .map(|entry| (text(&entry["decision"]["profile"]), text(&entry["cause"])))
            .collect();
        if turns.len() >= number {
            return turns;
        }
        assert!(Instant::now() < end, "{turns:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_waits_for_a_cold_cache_where_the_choice_hangs_on_it() {
    let server = cold_proxy().await;
    let Some(user) = user(&corp(&server.url("http"), "")) else {
        return;
    };
    let turn = user.goroam("once --json").exits(0).json();
    assert_eq!(turn["profile"], "corp", "{turn:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn once_does_not_wait_where_the_choice_is_certain_without_it() {
    let (port, _silent) = silent().await;
    let right = Server::http(good_proxy).await;
    let policy = format!(
        "[probe]\n{LIMITS}[target.silent]\ngoproxy = \"http://127.0.0.1:{port}\"\n\
         [target.late]\ngoproxy = \"{}\"\nfirst_byte = \"5s\"\n\
         [[profile]]\nname = \"either\"\nwhen = {{ any = [{{ up = \"silent\" }}, {{ up = \"late\" }}] }}\n\
         env = {{ GOPROXY = \"off\" }}\n[[profile]]\nname = \"elsewhere\"\n",
        right.url("http")
    );
    let Some(user) = user(&policy) else { return };
    let began = Instant::now();
    let turn = user.goroam("once --json").exits(0).json();
    assert_eq!(turn["profile"], "either", "{turn:#}");
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn once_waits_in_vain_only_once_on_a_network() {
    let (port, _silent) = silent().await;
    let policy = corp(&format!("http://127.0.0.1:{port}"), "").replace("20s", "2s");
    let Some(user) = user(&policy) else { return };
    let probe_took = || {
        let turn = user.goroam("once --json").exits(0).json();
        assert_eq!(turn["profile"], "elsewhere", "{turn:#}");
        turn["took"]["probe"].as_f64().unwrap()
    };
    assert!(probe_took() > 2000.0);
    assert!(probe_took() < 2000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_decides_at_once_and_again_when_the_cold_cache_answers() {
    let server = cold_proxy().await;
    let Some(user) = user(&corp(&server.url("http"), "")) else {
        return;
    };
    let _agent = agent(&user);
    let turns = turns(&user, 2).await;
    let turns: Vec<(&str, &str)> = turns
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(turns, [("elsewhere", "start"), ("corp", "late answer")]);
    // The round, and one patient try: nothing is asked again after it.
    let asked = server.seen();
    let infos = asked.iter().filter(|one| one.line.ends_with(".info"));
    assert_eq!(infos.count(), 2, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_is_asked_for_once_on_a_network_and_again_after_a_failure() {
    let broken = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&broken);
    let server = Server::http(move |request| match fails.load(Ordering::SeqCst) {
        true => status("404 Not Found"),
        false => good_proxy(request),
    })
    .await;
    let Some(user) = user(&corp(&server.url("http"), "")) else {
        return;
    };
    let zips = |profile: &str| {
        let before = server.seen().len();
        let turn = user.goroam("once --json").exits(0).json();
        assert_eq!(turn["profile"], profile, "{turn:#}");
        let asked = server.seen().split_off(before);
        asked
            .iter()
            .filter(|one| one.line.ends_with(".zip"))
            .count()
    };
    assert_eq!(zips("corp"), 1);
    assert_eq!(zips("corp"), 0);
    broken.store(true, Ordering::SeqCst);
    assert_eq!(zips("elsewhere"), 0);
    broken.store(false, Ordering::SeqCst);
    assert_eq!(zips("corp"), 1);
    // Another proxy in its place has not been seen here.
    let other = Server::http(good_proxy).await;
    let text = std::fs::read_to_string(user.policy()).unwrap();
    let text = text.replace(&server.url("http"), &other.url("http"));
    std::fs::write(user.policy(), text).unwrap();
    assert_eq!(
        user.goroam("once --json").exits(0).json()["profile"],
        "corp"
    );
    assert_eq!(other.seen().len(), 3);
}

async fn probe(mut target: Target, ca: &Authority, care: ProbeOptions) -> Observation {
    let dir = tempfile::tempdir().unwrap();
    target.ca = vec![ca.write(dir.path())];
    target.limits = Limits {
        first_byte: Duration::from_millis(300),
        patience: Duration::from_secs(20),
        ..target.limits
    };
    Prober::new(&environment(dir.path(), &[]))
        .probe_with(&target, care)
        .await
}

#[tokio::test]
async fn a_private_proxy_that_tls_has_proven_is_waited_for() {
    let ca = Authority::new("corp");
    let cold = |request: &Seen| match good_proxy(request) {
        Reply::Bytes(bytes) if request.line.ends_with(".info") => Reply::Late(bytes, COLD),
        other => other,
    };
    let server = Server::https(&ca.identity(&["127.0.0.1"]), cold).await;
    let private = Target {
        private: true,
        ..goproxy(server.url("https"))
    };
    let seen = probe(private, &ca, ProbeOptions::FIRST).await;
    assert_eq!(
        (seen.verdict, seen.tries),
        (Verdict::Up, 1),
        "{}",
        seen.reason
    );

    // Others, and one that anybody could be, are not: they say that waiting may help.
    let plain = Server::http(cold).await;
    for target in [
        goproxy(server.url("https")),
        Target {
            private: true,
            ..goproxy(plain.url("http"))
        },
    ] {
        let seen = probe(target.clone(), &ca, ProbeOptions::FIRST).await;
        assert_eq!(
            (seen.verdict, seen.silent),
            (Verdict::Down, true),
            "{}",
            seen.reason
        );
        assert!(seen.reason.ends_with("in 300 ms"), "{}", seen.reason);
        let patient = ProbeOptions {
            patience: target.patience().or(Some(Duration::from_secs(20))),
            ..ProbeOptions::FIRST
        };
        let seen = probe(target, &ca, patient).await;
        assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_smoothed_over_never_brings_on_what_weakens_verification() {
    let ca = Authority::new("Corp CA");
    let is_well = Arc::new(AtomicBool::new(true));
    let well = Arc::clone(&is_well);
    let corp = Server::https(&ca.identity(&["127.0.0.1"]), move |_| {
        match well.load(Ordering::SeqCst) {
            true => ok("text/plain", "corp"),
            false => status("404 Not Found"),
        }
    })
    .await;
    // Free: the test listens there later, so it cannot be a `dead_port`.
    let gate = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|gate| gate.local_addr());
    let gate = gate.unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let policy = format!(
        "fall = 100\nrise = 1\n[target.corp]\nhttps = \"{}\"\nca = \"{}\"\n\
         [target.gate]\nlistening = \"127.0.0.1:{gate}\"\n\
         [[profile]]\nname = \"loose\"\nwhen = {{ all = [{{ up = \"gate\" }}, {{ up = \"corp\" }}] }}\n\
         env = {{ GOPROXY = \"off\", GOSUMDB = \"off\" }}\n\
         [[profile]]\nname = \"near\"\nwhen = {{ up = \"corp\" }}\nenv = {{ GOPROXY = \"off\" }}\n\
         [[profile]]\nname = \"last\"\nenv = {{ GOPROXY = \"direct\" }}\n",
        corp.url("https"),
        ca.write(folder.path()).display(),
    );
    let Some(user) = user(&policy) else { return };
    let path = user.policy();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"off\"\ngo", "\"100ms\"\ngo")).unwrap();
    let _agent = agent(&user);
    assert_eq!(turns(&user, 1).await[0].0, "near");

    is_well.store(false, Ordering::SeqCst);
    // Somebody on the way lets go of the one, and holds back the other.
    let _gate = std::net::TcpListener::bind(("127.0.0.1", gate)).unwrap();
    let end = Instant::now() + Duration::from_secs(40);
    loop {
        let history = user.goroam("history -n 50 --json").exits(0).json();
        let verdict = |entry: &serde_json::Value, name: &str| {
            let report = entry["report"].as_array().unwrap();
            let seen = report.iter().find(|seen| seen["target"] == name);
            seen.map(|seen| seen["verdict"] == "up")
        };
        let forged = history.as_array().unwrap().iter().filter(|entry| {
            verdict(entry, "gate") == Some(true) && verdict(entry, "corp") == Some(false)
        });
        let chosen: Vec<&serde_json::Value> =
            forged.map(|entry| &entry["decision"]["profile"]).collect();
        assert!(
            chosen.iter().all(|profile| *profile != "loose"),
            "{chosen:?}"
        );
        if chosen.len() > 2 {
            return;
        }
        assert!(Instant::now() < end, "{history:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_profiles_asks_nothing_that_a_running_agent_has_asked() {
    let server = Server::http(good_proxy).await;
    let Some(user) = user(&corp(&server.url("http"), "")) else {
        return;
    };
    let holds = || {
        let list = user.goroam("use --json").exits(0).json();
        let profiles = list["profiles"].as_array().unwrap().iter();
        Vec::from_iter(profiles.map(|profile| profile["holds"].as_bool()))
    };
    assert_eq!(holds(), [Some(true); 2]);
    assert!(!server.seen().is_empty(), "nobody else has asked");
    let _agent = agent(&user);
    assert_eq!(turns(&user, 1).await[0].0, "corp");
    // The agent may still ask for a moment after its first turn. A list that asks does so each time.
    let asks_nothing = (0..20).any(|_| {
        let asked = server.seen().len();
        assert_eq!(holds(), [Some(true); 2]);
        server.seen().len() == asked
    });
    assert!(asks_nothing, "{:?}", server.seen().len());
}
