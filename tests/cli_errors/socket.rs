//! The agent's socket and lock, and outputs that nobody reads.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::bench::{Bench, ENV};

const READY: &str = "switched";

#[test]
fn what_a_killed_agent_left_is_in_nobodys_way() {
    let Some(bench) = Bench::new() else { return };
    // The first turn of a fresh home is the agent's own.
    let mut agent = bench.agent(bench.goroam("agent"), READY);
    assert_eq!(bench.read(ENV), "GOPROXY=off\n");
    agent.kill();
    assert!(bench.is_there("run/goroam/agent.sock"), "it was killed");
    bench.goroam("status").exits(0).says("no agent is running");
    bench.goroam("once").exits(0);
    bench
        .goroam("status --watch")
        .exits(5)
        .complains("goroam agent");
    std::fs::remove_file(bench.user.path(ENV)).unwrap();
    let _second = bench.agent(bench.goroam("agent"), "watching the network");
    let status = bench.goroam("status --json").exits(0).json();
    assert_eq!(status["agent"], "running");
}

#[test]
fn a_second_agent_says_which_one_is_running() {
    let Some(bench) = Bench::new() else { return };
    let _first = bench.agent(bench.goroam("agent"), READY);
    let pid = bench.read("run/goroam/agent.lock");
    bench
        .goroam("agent")
        .exits(1)
        .complains(&format!("is running already (pid {})", pid.trim()))
        .complains("`goroam status` asks it");
    assert_eq!(
        bench.goroam("status --json").exits(0).json()["agent"],
        "running"
    );
}

#[test]
fn something_else_at_the_sockets_place_is_named_and_kept() {
    let Some(bench) = Bench::new() else { return };
    let path = bench.user.write("run/goroam/agent.sock", "precious");
    bench
        .goroam("agent")
        .exits(1)
        .complains(&format!("cannot listen at {}", path.display()))
        .complains("is in the way and is not a socket; move it away");
    assert_eq!(bench.read("run/goroam/agent.sock"), "precious");
    bench.goroam("once").exits(0);
    let long = format!("/tmp/{}", "x".repeat(120));
    bench
        .goroam("agent")
        .env("XDG_RUNTIME_DIR", &long)
        .exits(1)
        .complains("too long for a socket")
        .complains("set XDG_RUNTIME_DIR to a shorter one");
    std::fs::remove_dir_all(long).unwrap();
}

#[test]
fn an_agent_that_does_not_answer_is_not_waited_for() {
    let Some(bench) = Bench::new() else { return };
    let folder = bench.user.path("run/goroam");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let _silent = UnixListener::bind(folder.join("agent.sock")).unwrap();
    bench.goroam("status").exits(5).complains("does not answer");
}

#[test]
fn an_agent_out_of_files_says_so_once_and_goes_on_afterwards() {
    let Some(bench) = Bench::new() else { return };
    let mut agent = bench.agent(bench.goroam("agent"), "switched");
    bench.goroam("status").exits(0);
    agent.most_files(8);
    // Its client is not taken for five seconds, and it is told of that ten times in each.
    bench.goroam("status").exits(5).complains("does not answer");
    agent.wait_for("cannot take a client: Too many open files");
    agent.most_files(1024);
    bench.goroam("status").exits(0);
    let said = agent.last_words();
    let again = said.iter().filter(|line| line.contains("cannot take"));
    assert_eq!(again.count(), 0, "{said:#?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure_and_a_full_disk_is_one() {
    let Some(bench) = Bench::new() else { return };
    bench.goroam("once").exits(0);
    for words in [
        "once",
        "once --json",
        "status",
        "status --json",
        "why",
        "history",
        "check",
        "probe",
        "init --print",
        "completions bash",
        "man",
        "--help",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let closed = bench
            .goroam(words)
            .command()
            .stdout(writer)
            .output()
            .unwrap();
        let told = String::from_utf8(closed.stderr).unwrap();
        assert_eq!(
            (closed.status.code(), told.as_str()),
            (Some(0), ""),
            "{words}"
        );
        if words == "--help" {
            continue; // clap's own
        }
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let full = bench
            .goroam(words)
            .command()
            .stdout(full.unwrap())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let told = String::from_utf8(full.stderr).unwrap();
        assert_eq!(full.status.code(), Some(1), "{words}: {told}");
        assert!(
            told.contains("cannot write the answer: No space left"),
            "{words}: {told}"
        );
    }
    bench.after("exec >&- 2>&-", "-vv once").exits(0);
}
