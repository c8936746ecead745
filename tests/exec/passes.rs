//! `goroam exec` around any command: what goes in and comes out is untouched.

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::cli::User;

/// `goroam exec ARGS` on a shell script.
fn exec(user: &User, args: &str, script: &str) -> Command {
    let exec = user.goroam("exec").args(args);
    exec.arg("--").arg("sh").arg("-c").arg(script).command()
}

fn ran(user: &User, args: &str, script: &str) -> Output {
    exec(user, args, script).output().unwrap()
}

#[test]
fn every_exit_code_is_passed_on() {
    let user = User::new();
    for code in 0..=255 {
        let done = ran(&user, "", &format!("exit {code}"));
        assert_eq!(done.status.code(), Some(code));
        assert_eq!(done.stderr, b"", "nothing of goroam's own");
    }
}

#[test]
fn bytes_of_any_kind_pass_in_their_order() {
    let user = User::new();
    let script = r"
        printf 'one\000two\377\r\n\033[31m' >&2
        printf out
        printf 'no end of line' >&2";
    let done = ran(&user, "", script);
    assert_eq!(done.stderr, b"one\0two\xff\r\n\x1b[31mno end of line");
    assert_eq!(done.stdout, b"out");
    let all: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let file = user.write("bytes", &all);
    let done = ran(&user, "", &format!("cat {} >&2", file.display()));
    assert!(done.stderr == all, "300,000 bytes differ");
}

#[test]
fn standard_input_and_the_environment_are_the_commands() {
    let user = User::new();
    let script = "cat; echo \"$GOROAM_TIER $MINE\" >&2";
    let mut child = exec(&user, "", script)
        .env("MINE", "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a\0b").unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.stdout, b"a\0b");
    assert_eq!(done.stderr, b"proxy yes\n");
}

#[test]
fn what_is_written_comes_at_once() {
    let user = User::new();
    let script = "printf half >&2; read answer; printf ' whole' >&2";
    let mut child = exec(&user, "", script)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut half = [0; 4];
    let mut stderr = child.stderr.take().unwrap();
    // The command only goes on after this has been read.
    stderr.read_exact(&mut half).unwrap();
    assert_eq!(&half, b"half");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, " whole");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_command_as_without_us() {
    let user = User::new();
    let goroam = env!("CARGO_BIN_EXE_goroam");
    for script in [
        format!("{goroam} exec -- yes | head -1"),
        format!("{goroam} exec -- sh -c 'exec yes >&2' 2>&1 >/dev/null | head -1"),
    ] {
        let begun = Instant::now();
        let done = user.run("sh").arg("-c").arg(&script).exits(0);
        assert_eq!(done.stdout(), "y\n", "{script}");
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn a_command_that_cannot_be_started_is_told_from_one_that_fails() {
    let user = User::new();
    let plain = user.write("plain", "no program");
    let cases = [
        ("no-such-command".to_owned(), 127),
        (plain.display().to_string(), 126),
    ];
    for (command, code) in cases {
        let run = user.goroam("exec --").arg(&command);
        run.exits(code).complains(&format!("goroam: {command}: "));
        let run = user.goroam("exec --summary json --").arg(&command);
        let summary = last_line(run.exits(code).stderr().as_bytes());
        assert_eq!(
            (&summary["exit"], &summary["tier"]),
            (&code.into(), &"proxy".into())
        );
        assert_eq!(summary["attempts"][0]["exit"], code);
    }
}

/// The very last line, as JSON.
#[track_caller]
fn last_line(stderr: &[u8]) -> serde_json::Value {
    let text = std::str::from_utf8(stderr).unwrap();
    let line = text
        .strip_suffix('\n')
        .unwrap()
        .rsplit('\n')
        .next()
        .unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn the_summary_is_always_the_last_line_and_a_line_of_its_own() {
    let user = User::new();
    for (script, exit, class, line) in [
        ("true", 0, "ok", ""),
        ("printf 'no end' >&2; exit 7", 7, "code", "no end"),
        ("printf 'x\\n\\n' >&2; exit 1", 1, "code", "x"),
        (
            "echo dial tcp: connection refused >&2; exit 1",
            1,
            "code",
            "dial tcp: connection refused",
        ),
        ("kill -KILL $$", 137, "code", ""),
    ] {
        let done = ran(&user, "--summary json", script);
        let summary = last_line(&done.stderr);
        assert_eq!(summary["exit"], exit, "{script}");
        let attempts = summary["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "{script}");
        assert_eq!(
            (&attempts[0]["class"], &attempts[0]["line"]),
            (&class.into(), &line.into())
        );
        assert!(attempts[0]["ms"].is_u64());
        assert_eq!(done.status.code(), Some(exit), "{script}");
    }
}

#[test]
fn a_server_in_the_background_neither_holds_us_up_nor_dies() {
    let user = User::new();
    let mark = user.path("mark");
    let script = format!(
        "( sleep 8; echo late >&2; echo late >{} ) & echo started >&2",
        mark.display()
    );
    let log = user.path("log");
    let begun = Instant::now();
    let status = exec(&user, "--summary json", &script)
        .stderr(std::fs::File::create(&log).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(
        begun.elapsed() < Duration::from_millis(7900),
        "{:?}",
        begun.elapsed()
    );
    let said = std::fs::read(&log).unwrap();
    assert!(said.starts_with(b"started\n"));
    assert_eq!(last_line(&said)["exit"], 0);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !mark.exists() {
        assert!(
            Instant::now() < deadline,
            "its standard error is closed, so it died"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // What it said still comes, by way of the copier.
    while !std::fs::read_to_string(&log).unwrap().ends_with("late\n") {
        assert!(Instant::now() < deadline, "what it said last is lost");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_hundred_megabytes_pass_without_being_kept() {
    let user = User::new();
    let line = "x".repeat(99);
    let script = format!("yes {line} | head -c 100000000 >&2; grep VmHWM /proc/$PPID/status");
    let mut child = exec(&user, "", &script)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut count = 0;
    loop {
        match stderr.read(&mut buffer).unwrap() {
            0 => break,
            some => count += some,
        }
    }
    assert_eq!(count, 100_000_000);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    if cfg!(target_os = "linux") {
        let said = String::from_utf8(done.stdout).unwrap();
        let peak: u64 = said.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(peak < 60_000, "{peak} KiB");
    }
}
