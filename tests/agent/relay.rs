//! The relay of a running agent.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::go;
use crate::resident::{Desk, wait_until};

/// The proxy refuses every connection; the mirror has one module.
const POLICY: &str = r#"version = 1
[agent]
recheck = "off"
[relay]
enabled = true
retries = 0
[target.public]
goproxy = "http://127.0.0.1:1"
[[profile]]
name = "own"
env = { GOPROXY = "http://127.0.0.1:1|file://TREE,off" }
"#;

const PATH: &str = "example.test/m/@v/v1.0.0.mod";
const GO_MOD: &str = "module example.test/m\n";

fn desk() -> Option<Desk> {
    let desk = Desk::new(go::go(go::VERSIONS[2])?, "version = 1\n");
    let tree = desk.user.path("tree");
    desk.user.write(&format!("tree/{PATH}"), GO_MOD);
    let policy = POLICY.replace("TREE", tree.to_str().unwrap());
    desk.user.write(".config/goroam/goroam.toml", policy);
    Some(desk)
}

/// The relay's URL from GOPROXY, once it is there.
fn url(desk: &Desk) -> String {
    let goproxy = wait_until("GOPROXY names the relay", || {
        let line = desk.line("GOPROXY").unwrap_or_default();
        let is_relayed =
            line.starts_with("http://127.0.0.1:") && !line.starts_with("http://127.0.0.1:1|");
        is_relayed.then_some(line.clone()).ok_or(line)
    });
    goproxy.split(['|', ',']).next().unwrap().to_owned()
}

/// The status line and the body.
fn get(url: &str, path: &str) -> (String, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, token) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let request =
        format!("GET /{token}/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn goproxy_names_the_relay_while_the_agent_runs_and_the_chain_afterwards() {
    let Some(desk) = desk() else { return };
    let agent = desk.agent();
    let first = url(&desk);
    let tree = desk.user.path("tree");
    let chain = format!("http://127.0.0.1:1|file://{},off", tree.display());
    // The proxy is down, and the tree has the file.
    assert_eq!(
        get(&first, PATH),
        ("HTTP/1.1 200 OK".to_owned(), GO_MOD.to_owned())
    );
    let (status, body) = get(&first, "example.test/other/@v/v1.0.0.mod");
    assert!(
        status.contains(" 502 ") && body.contains("127.0.0.1:1"),
        "{status} {body}"
    );
    let status = desk.status();
    assert_eq!(status["relay"]["form"], "open", "{status}");
    assert_eq!(status["relay"]["chain"], chain, "{status}");
    // The value is of this machine only; for a container there is the chain.
    let printed = desk.goroam("env --no-relay GOPROXY").exits(0).stdout();
    assert_eq!(
        printed,
        format!(
            "{chain}
"
        )
    );
    let printed = desk.goroam("env GOPROXY").exits(0).stdout();
    assert!(printed.starts_with(&first), "{printed}");

    // The token is in private files only, and masked in the journal.
    let token = first.rsplit('/').next().unwrap();
    let journal = std::fs::read_to_string(desk.state("journal.jsonl")).unwrap();
    assert!(
        !journal.contains(token) && journal.contains("127.0.0.1:"),
        "{journal}"
    );
    assert!(!agent.log().contains(token) && !status.to_string().contains(token));

    // After a kill the next agent has the same URL, so a go that runs goes on.
    agent.signal("-KILL");
    drop(agent);
    let mut agent = desk.agent();
    assert_eq!(url(&desk), first);
    wait_until("the relay answers again", || {
        let (status, body) = get(&first, PATH);
        (body == GO_MOD).then_some(()).ok_or(status)
    });
    agent.signal("-TERM");
    desk.wait_for("GOPROXY", Some(&chain));
    wait_until("the agent ends", || {
        (!agent.is_alive()).then_some(()).ok_or(agent.log())
    });
    assert!(TcpStream::connect(first[7..].split('/').next().unwrap()).is_err());
}

#[test]
fn a_target_of_the_policy_has_its_own_limits_in_the_relay() {
    let Some(desk) = desk() else { return };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url_of_silent = format!("http://{}", silent.local_addr().unwrap());
    let policy = POLICY.replace("http://127.0.0.1:1", &url_of_silent);
    let limits = "relay = { first_byte = \"300ms\" }\n[[profile]]";
    let policy = policy.replace("[[profile]]", limits);
    desk.user.write(
        ".config/goroam/goroam.toml",
        policy.replace("|file://TREE", ""),
    );
    let _agent = desk.agent();
    // `get` waits for 20 s; the usual limit of a proxy without another one is 60 s.
    let (status, body) = get(&url(&desk), PATH);
    assert!(status.contains(" 502 "), "{status} {body}");
}

#[test]
fn exec_uses_the_chain_behind_the_agents_relay_and_names_its_proxies() {
    let Some(desk) = desk() else { return };
    let info = PATH.replace(".mod", ".info");
    desk.user
        .write(&format!("tree/{info}"), r#"{"Version":"v1.0.0"}"#);
    let _agent = desk.agent();
    let of_relay = url(&desk);
    let run = desk.goroam("exec --summary json -- go list -m example.test/m@v1.0.0");
    let run = run.env("GOTOOLCHAIN", "local").env("GOTELEMETRY", "off");
    let done = run.env("GOFLAGS", "-modcacherw").exits(0);
    assert_eq!(done.stdout(), "example.test/m v1.0.0\n");
    let said = done.stderr();
    let summary: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let attempts = summary["attempts"].as_array().unwrap();
    assert_eq!(attempts[0]["hop"], "127.0.0.1:1", "{said}");
    assert_eq!(attempts[0]["class"], "refused", "{said}");
    assert_eq!(attempts.last().unwrap()["class"], "ok", "{said}");
    // It asked the proxies itself.
    let (_, metrics) = get(&of_relay, "metrics");
    assert!(
        metrics.contains("goroam_relay_requests_total 0\n"),
        "{metrics}"
    );
}

#[test]
fn the_relay_ends_when_the_policy_turns_it_off_and_a_taken_port_is_reported() {
    let Some(desk) = desk() else { return };
    let agent = desk.agent();
    let first = url(&desk);
    let path = desk.user.path(".config/goroam/goroam.toml");
    let policy = std::fs::read_to_string(&path).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!(
        "enabled = true\nlisten = \"{}\"",
        taken.local_addr().unwrap()
    );
    desk.user.write(
        ".config/goroam/goroam.toml",
        policy.replace("enabled = true", &listen),
    );
    wait_until("the trouble is shown", || {
        let status = desk.status();
        let is_told = status["troubles"]
            .to_string()
            .contains("the relay cannot start");
        is_told.then_some(()).ok_or(status.to_string())
    });
    let off = policy.replace("enabled = true", "enabled = false");
    desk.user.write(".config/goroam/goroam.toml", off);
    let tree = desk.user.path("tree");
    let chain = format!("http://127.0.0.1:1|file://{},off", tree.display());
    desk.wait_for("GOPROXY", Some(&chain));
    let status = desk.status();
    assert_eq!(status["relay"], serde_json::Value::Null, "{status}");
    assert!(!first.is_empty() && !agent.log().contains("panic"));
}

#[test]
fn a_mirror_that_is_chosen_by_hand_goes_through_the_relay() {
    let Some(desk) = desk() else { return };
    let _agent = desk.agent();
    let relay = url(&desk);
    desk.goroam("use http://127.0.0.1:2").exits(0);
    assert_eq!(url(&desk), relay);
    let status = desk.status();
    assert_eq!(status["relay"]["chain"], "http://127.0.0.1:2,direct");
    let (line, body) = get(&relay, PATH);
    assert!(
        line.contains(" 502 ") && body.contains("127.0.0.1:2"),
        "{line} {body}"
    );
    desk.goroam("auto").exits(0);
    assert_eq!(get(&relay, PATH).1, GO_MOD);
}
