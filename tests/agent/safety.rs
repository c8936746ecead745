//! An agent that is stopped, a second one, and a record of before that is lost.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::{self, Done, User};
use crate::go;
use crate::resident::{self, Desk, wait_until};

const TWO: &str = r#"version = 1
[agent]
recheck = "off"
[[profile]]
name = "first"
when = { not = { portal = true } }
env = { GOPROXY = "https://goproxy.io,direct", GONOPROXY = "none" }
[[profile]]
name = "second"
env = { GOPROXY = "https://proxy.golang.org" }
"#;

fn desk(policy: &str) -> Option<Desk> {
    Some(Desk::new(go::go(go::VERSIONS[2])?, policy))
}

// --- an agent that does not answer ---------------------------------------------------------

/// Every verb that asks an agent; `pause` last, for its effect.
const VERBS: [&str; 8] = [
    "status",
    "status --watch",
    "use second",
    "once",
    "once --dry-run",
    "auto",
    "restore",
    "pause",
];

/// Runs them all at once: each must give up within five seconds, with a sentence.
fn all_give_up(desk: &Desk) {
    let config = desk.user.policy();
    std::thread::scope(|scope| {
        for verb in VERBS {
            let config = config.clone();
            scope.spawn(move || {
                let start = Instant::now();
                let run = desk.goroam(&format!("--config {} {verb}", config.display()));
                let said = run.exits(5).complains("does not answer");
                // The machine may be busy with other tests; a wait of its own would be 120 s.
                let took = start.elapsed();
                assert!(took < Duration::from_secs(8), "{verb}: {took:?}");
                drop(said);
            });
        }
    });
}

#[test]
fn a_stopped_agent_is_given_up_and_does_not_obey_later() {
    let Some(desk) = desk(TWO) else { return };
    let agent = desk.agent();
    agent.signal("-STOP");
    let start = Instant::now();
    let done = desk.goroam("use second").exits(5);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    done.complains(&format!("(pid {0}) does not answer", agent.child.id()))
        .complains("kill -CONT");
    all_give_up(&desk);
    // What does not need the agent works on.
    desk.goroam("why").exits(0);
    agent.signal("-CONT");
    let status = desk.status();
    assert_eq!(
        (&status["profile"], &status["pinned"]),
        (&"first".into(), &serde_json::Value::Null)
    );
    assert_eq!(status["paused"], false);
    desk.goroam("use second").exits(0);
}

/// Takes clients at the agent's socket; each is handed to `serve` on a thread of its own.
fn holder(user: &User, serve: impl Fn(UnixStream) + Send + Sync + Copy + 'static) {
    let path = user.path("run/goroam/agent.sock");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || serve(stream));
        }
    });
}

#[test]
fn whoever_holds_the_socket_and_says_nothing_is_given_up() {
    let Some(desk) = desk(TWO) else { return };
    holder(&desk.user, |mut stream| {
        drop(stream.read_to_end(&mut Vec::new()))
    });
    all_give_up(&desk);
}

#[test]
fn whoever_holds_the_socket_and_drips_is_given_up() {
    let Some(desk) = desk(TWO) else { return };
    holder(&desk.user, |mut stream| {
        while stream.write_all(b"{").is_ok() {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    });
    all_give_up(&desk);
}

#[test]
fn an_older_agent_that_is_at_work_is_waited_for() {
    let Some(desk) = desk(TWO) else { return };
    // It knows of no heartbeat, and answers who asks for the status.
    holder(&desk.user, |stream| {
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let answer = match line.contains("\"status\"") {
            true => {
                let status = goroam::model::status::Status::default();
                serde_json::to_string(&goroam::agent::Reply::Status(Box::new(status))).unwrap()
            }
            false => {
                std::thread::park_timeout(Duration::from_secs(7));
                r#"{"failed":{"error":"a slow turn","exit":4}}"#.to_owned()
            }
        };
        let _gone = (&stream).write_all(format!("{answer}\n").as_bytes());
    });
    desk.goroam("once").exits(4).complains("a slow turn");
}

#[test]
fn a_slow_turn_of_an_agent_that_is_alive_is_not_cut_off() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let policy = format!(
        r#"version = 1
[agent]
recheck = "off"
[probe]
retries = 0
first_byte = "7s"
total = "8s"
[target.slow]
goproxy = "http://{address}"
[[profile]]
name = "first"
when = {{ up = "slow" }}
env = {{ GOPROXY = "http://{address}" }}
[[profile]]
name = "second"
env = {{ GOPROXY = "off" }}
"#
    );
    let Some(desk) = desk(&policy) else { return };
    desk.goroam("check").exits(0);
    let agent = desk.spawn(|run| run);
    wait_until("an agent", || {
        let status = desk.goroam("status --json").exits(0).json();
        (status["agent"] == "running")
            .then_some(())
            .ok_or(agent.log())
    });
    let start = Instant::now();
    desk.goroam("once").exits(0).says("second");
    assert!(
        start.elapsed() > Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

// --- a second agent ------------------------------------------------------------------------

#[track_caller]
fn refused(desk: &Desk, run: impl FnOnce(cli::Run) -> cli::Run) {
    let mut second = desk.spawn(run);
    assert_eq!(second.ended(), Some(1), "{}", second.log());
    assert!(
        second.log().contains("is running already"),
        "{}",
        second.log()
    );
}

#[test]
fn a_second_agent_is_refused_whatever_was_cleared_and_whatever_the_environment_says() {
    let Some(desk) = desk(TWO) else { return };
    let mut agent = desk.agent();
    let user = &desk.user;
    refused(&desk, |run| run);
    let other = user.path("other");
    std::fs::create_dir(&other).unwrap();
    refused(&desk, |run| {
        run.env("XDG_RUNTIME_DIR", other.to_str().unwrap())
    });
    refused(&desk, |run| run.without("XDG_RUNTIME_DIR"));
    let alias = user.path("alias");
    std::os::unix::fs::symlink(user.path("."), &alias).unwrap();
    refused(&desk, |run| {
        run.env("HOME", alias.to_str().unwrap())
            .env("XDG_RUNTIME_DIR", other.to_str().unwrap())
    });
    let elsewhere = user.path("elsewhere");
    refused(&desk, |run| {
        run.env("XDG_STATE_HOME", elsewhere.to_str().unwrap())
            .env("XDG_RUNTIME_DIR", other.to_str().unwrap())
    });
    clear(&user.path("run/goroam"));
    refused(&desk, |run| run);
    for name in locks(&desk) {
        std::fs::remove_file(name).unwrap();
    }
    refused(&desk, |run| run);
    clear(&desk.state(""));
    clear(&user.path("run/goroam"));
    refused(&desk, |run| run);
    assert!(agent.is_alive());
}

/// Removes a folder, as a reaper does. The agent may put its files back before all of it is gone.
fn clear(folder: &Path) {
    let _again = std::fs::remove_dir_all(folder);
}

fn locks(desk: &Desk) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(desk.state("")).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.to_str().unwrap().contains("/agent-"))
        .collect()
}

#[test]
fn a_lock_that_was_removed_is_put_back_by_the_agent_that_holds_it() {
    let Some(desk) = desk(TWO) else { return };
    // A go env file elsewhere: no folder of go's own is there to be locked.
    let file = desk.user.path("my.env");
    let own = |run: cli::Run| run.env("GOENV", file.to_str().unwrap());
    let _agent = desk.spawn(own);
    let lock = wait_until("its lock", || locks(&desk).pop().ok_or(String::new()));
    wait_until("its first turn", || {
        std::fs::metadata(&file).map_err(|error| error.to_string())
    });
    std::fs::remove_file(&lock).unwrap();
    wait_until("the lock again", || {
        std::fs::metadata(&lock).map_err(|error| error.to_string())
    });
    let other = desk.user.path("other");
    std::fs::create_dir(&other).unwrap();
    refused(&desk, |run| {
        own(run).env("XDG_RUNTIME_DIR", other.to_str().unwrap())
    });
}

#[test]
fn a_command_that_cannot_reach_the_agent_does_not_write_beside_it() {
    let Some(desk) = desk(TWO) else { return };
    let agent = desk.agent();
    let other = desk.user.path("other");
    std::fs::create_dir(&other).unwrap();
    let command = desk.goroam("use second");
    let said = command
        .env("XDG_RUNTIME_DIR", other.to_str().unwrap())
        .exits(5);
    said.complains(&format!("an agent is running (pid {})", agent.child.id()));
    assert_eq!(
        desk.line("GOPROXY").as_deref(),
        Some("https://goproxy.io,direct")
    );
}

#[test]
fn a_pipe_in_the_place_of_a_lock_holds_nothing_up() {
    let Some(desk) = desk(TWO) else { return };
    desk.goroam("once").exits(0);
    let pipe = |path: &Path| {
        let _gone = std::fs::remove_file(path);
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    for name in ["turn.lock", "journal.lock"] {
        pipe(&desk.state(name));
        let start = Instant::now();
        let done: Done = match name {
            "turn.lock" => desk.goroam("once").exits(1).complains("move it away"),
            // The file is right by then: a journal that cannot be written is told.
            _ => desk.goroam("once").exits(0).says("journal"),
        };
        assert!(start.elapsed() < Duration::from_secs(10), "{}", done.all());
        std::fs::remove_file(desk.state(name)).unwrap();
    }
    let mut agent = desk.agent();
    let lock = locks(&desk).pop().unwrap();
    agent.signal("-TERM");
    agent.ended();
    pipe(&lock);
    let mut agent = desk.spawn(|run| run);
    assert_eq!(agent.ended(), Some(1));
    assert!(agent.log().contains("move it away"), "{}", agent.log());
}

// --- the record of before ------------------------------------------------------------------

const OWN: &str = "# mine\nGOPRIVATE=corp.test\nGOPROXY=https://mine.test\n";

/// A user with settings, and goroam's in their place.
fn after_a_turn() -> Option<Desk> {
    let desk = desk(TWO)?;
    desk.user.write(".config/go/env", OWN);
    desk.goroam("once").exits(0);
    Some(desk)
}

fn break_baseline(desk: &Desk, how: &str) {
    let path = desk.state("baseline.json");
    match how {
        "gone" => std::fs::remove_file(path).unwrap(),
        "a folder" => {
            std::fs::remove_file(&path).unwrap();
            std::fs::create_dir(&path).unwrap();
        }
        text => std::fs::write(path, text).unwrap(),
    }
}

/// As a goroam of before has left it: without a copy.
fn forget_copy(desk: &Desk) {
    let path = desk.state("state.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
    state["before"] = serde_json::Value::Null;
    std::fs::write(&path, state.to_string()).unwrap();
}

#[test]
fn a_lost_record_of_before_is_told_and_put_back_from_the_copy() {
    for how in ["gone", "", "{\"path\"", "not json", "a folder"] {
        let Some(desk) = after_a_turn() else { return };
        break_baseline(&desk, how);
        let troubles = desk.status()["troubles"].to_string();
        for part in ["held before goroam", "; the copy in state.json is used"] {
            assert!(troubles.contains(part), "{how}: {troubles}");
        }
        desk.goroam("why").exits(0);
        desk.goroam("probe").exits(0);
        desk.goroam("use second").exits(0);
        let status = desk.status();
        assert_eq!(status["troubles"], serde_json::json!([]), "{how}");
        assert_eq!(status["was"]["GOPROXY"], "https://mine.test");
        desk.goroam("restore").exits(0);
        assert_eq!(
            std::fs::read_to_string(desk.env_file()).unwrap(),
            OWN,
            "{how}"
        );
    }
}

#[test]
fn without_the_copy_goroams_values_are_not_taken_for_the_users() {
    for how in ["gone", "not json"] {
        for without_state in [false, true] {
            let Some(desk) = after_a_turn() else { return };
            break_baseline(&desk, how);
            forget_copy(&desk);
            if without_state {
                std::fs::remove_file(desk.state("state.json")).unwrap();
            }
            let said = desk.status()["troubles"].to_string();
            assert!(said.contains("takes none of it for yours"), "{said}");
            assert!(!said.contains("move it away"), "{said}");
            desk.goroam("use second").exits(0);
            assert_eq!(desk.line("GONOPROXY"), None);
            desk.goroam("restore").exits(0).says("is not known");
            assert_eq!((desk.line("GOPROXY"), desk.line("GONOPROXY")), (None, None));
            assert_eq!(desk.line("GOPRIVATE").as_deref(), Some("corp.test"));
        }
    }
}

#[test]
fn without_state_json_a_value_set_by_hand_is_still_known_as_such() {
    for how in ["gone", "damaged"] {
        let Some(desk) = after_a_turn() else { return };
        desk.go("env -w GOPROXY=https://by-hand.test");
        match how {
            "gone" => std::fs::remove_file(desk.state("state.json")).unwrap(),
            _ => std::fs::write(desk.state("state.json"), "{\"turn\": 1").unwrap(),
        }
        let status = desk.status();
        assert_eq!(status["profile"], "first", "{how}");
        assert_eq!(status["drift"][0]["name"], "GOPROXY", "{how}: {status}");
        // Its first turn respects it, and ends what goroam had set beside it.
        let mut agent = desk.agent();
        desk.wait_for("GONOPROXY", None);
        assert_eq!(
            desk.line("GOPROXY").as_deref(),
            Some("https://by-hand.test")
        );
        agent.signal("-TERM");
        agent.ended();
        desk.goroam("restore").exits(0);
        assert_eq!(std::fs::read_to_string(desk.env_file()).unwrap(), OWN);
    }
}

#[test]
fn an_agent_goes_on_with_a_lost_record_and_keeps_it_again() {
    let Some(desk) = after_a_turn() else { return };
    break_baseline(&desk, "not json");
    let _agent = desk.agent();
    desk.goroam("use second").exits(0);
    desk.goroam("restore").exits(0);
    assert_eq!(std::fs::read_to_string(desk.env_file()).unwrap(), OWN);
}

// --- the last good policy ------------------------------------------------------------------

const ONE: &str =
    "version = 1\n[[profile]]\nname = \"a\"\nenv = { GOPROXY = \"https://one.test\" }\n";

#[test]
fn a_refused_edit_leaves_the_last_good_policy_in_force_over_a_restart() {
    let Some(desk) = desk(ONE) else { return };
    let mut agent = desk.agent();
    desk.user
        .write(".config/goroam/goroam.toml", format!("{ONE}nonsense = 1\n"));
    let refused = || {
        wait_until("it is told", || {
            let status = desk.status();
            let told = status["last_good"]["refused"].to_string();
            told.contains("1 error")
                .then_some(status.clone())
                .ok_or(status.to_string())
        })
    };
    refused();
    agent.signal("-TERM");
    agent.ended();
    let mut agent = desk.agent();
    assert!(agent.log().contains("the last good policy stays in force"));
    let status = refused();
    assert_eq!(status["profile"], "a");
    assert!(
        status["troubles"]
            .to_string()
            .contains("last good policy stays in force")
    );
    desk.goroam("check").exits(2);
    desk.goroam("once").exits(0);
    assert_eq!(desk.line("GOPROXY").as_deref(), Some("https://one.test"));
    // A better one takes its place at once.
    desk.user
        .write(".config/goroam/goroam.toml", ONE.replace("one", "two"));
    desk.wait_for("GOPROXY", Some("https://two.test"));
    assert_eq!(desk.status()["last_good"], serde_json::Value::Null);
    assert!(agent.is_alive());
}

#[test]
fn an_upgrade_that_refuses_the_policy_keeps_it_and_never_what_weakens_verification() {
    let text = format!(
        "version = 1\n[[profile]]\nname = \"loose\"\nwhen = {{ not = {{ subnet = \"10.255.255.0/24\" }} }}\n\
         env = {{ GOPROXY = \"https://loose.test\", GOSUMDB = \"off\" }}\n{}",
        ONE.replace("version = 1\n", "")
    );
    let Some(desk) = desk(&text) else { return };
    // Without a record of a goroam that took it, there is nothing to go by.
    desk.goroam("agent").exits(2);
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let hash: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kept = serde_json::json!({
        "path": desk.user.policy(), "text": text, "sha256": hash,
        "at": "2026-11-01T00:00:00Z", "version": "0.0.1",
    });
    resident::private(&desk.state("policy.last.json"), &kept.to_string());
    let _agent = desk.agent();
    let status = desk.status();
    assert_eq!(status["profile"], "a");
    assert_eq!(
        status["last_good"]["left_out"],
        serde_json::json!(["loose"])
    );
    desk.goroam("check").exits(2);
    desk.goroam("use loose").exits(2);
    assert_eq!(
        (desk.line("GOPROXY").as_deref(), desk.line("GOSUMDB")),
        (Some("https://one.test"), None)
    );
}

// --- the journal ---------------------------------------------------------------------------

#[test]
fn turns_that_were_cut_from_the_journal_are_missed_and_told() {
    let Some(desk) = desk(TWO) else { return };
    for _ in 0..3 {
        desk.goroam("use second").exits(0);
        desk.goroam("use first").exits(0);
    }
    desk.goroam("history --verify").exits(0).says("6 turns");
    let path = desk.state("journal.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for left in [lines[..3].concat(), String::new()] {
        std::fs::write(&path, left).unwrap();
        desk.goroam("history --verify").exits(1).complains("6");
        let troubles = desk.status()["troubles"].to_string();
        assert!(troubles.contains("history --verify"), "{troubles}");
    }
    std::fs::remove_file(&path).unwrap();
    desk.goroam("history --verify")
        .exits(1)
        .complains("turns 1 to 6");
    desk.goroam("doctor").exits(1).says("history --verify");
    // The next turn does not cover it.
    desk.goroam("use second").exits(0);
    desk.goroam("history --verify")
        .exits(1)
        .complains("turns 1 to 6 were removed");
}

#[cfg(target_os = "linux")]
#[test]
fn a_flood_of_addresses_and_routes_takes_little_memory() {
    let policy = "version = 1\n[[profile]]\nname = \"a\"\nwhen = { gateway = \"10.1.0.1\" }\n\
                  env = { GOPROXY = \"off\" }\n[[profile]]\nname = \"z\"\n";
    let Some(desk) = desk(policy) else { return };
    let addresses =
        (0..5000).map(|n| format!("addr add 10.64.{}.{}/32 dev d0\n", n / 250, n % 250));
    let routes = (0..3000).map(|n| {
        let (high, low) = (1 + n / 250, n % 250);
        format!(
            "route add default via 10.1.{high}.{low} dev d0 metric {}\n",
            100 + n
        )
    });
    let batch: String = addresses.chain(routes).collect();
    let batch = desk.user.write("batch", batch);
    let script = format!(
        "set -e; ip link add d0 type veth peer name e0; ip link set d0 up; ip link set e0 up\n\
         ip addr add 10.1.0.2/16 dev d0; {goroam} agent 2>agent.log & agent=$!\n\
         until {goroam} status --json | grep -q running; do sleep 0.1; done\n\
         ip -batch {batch}; {goroam} once >/dev/null; {goroam} once >/dev/null\n\
         grep VmHWM /proc/$agent/status; kill $agent; wait $agent",
        goroam = env!("CARGO_BIN_EXE_goroam"),
        batch = batch.display(),
    );
    let namespace = std::process::Command::new("unshare")
        .args(["-n", "true"])
        .status();
    if !namespace.is_ok_and(|status| status.success()) {
        println!("skipped: a network namespace needs root");
        return;
    }
    let run = desk
        .in_path(desk.user.run("unshare"))
        .args("-n -- sh -c")
        .arg(script);
    let said = run.exits(0).stdout();
    let most: u64 = said
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .unwrap();
    assert!(most < 64 << 10, "{said}");
    let journal = std::fs::metadata(desk.state("journal.jsonl"))
        .unwrap()
        .len();
    assert!(journal < 400 << 10, "{journal}");
}
