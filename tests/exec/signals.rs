//! Signals and the terminal: `goroam exec` is as if it were not there.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::cli::{self, User};
use crate::exec_project::Project;
use crate::go;
use crate::tmux::Terminal;

const GOROAM: &str = env!("CARGO_BIN_EXE_goroam");

/// A command that says `ready` and waits.
fn start(user: &User, script: &str) -> Child {
    let exec = user.goroam("exec --summary json --");
    ready(exec.arg("sh").arg("-c").arg(script).command())
}

/// Starts it and waits until it has said so.
fn ready(mut command: Command) -> Child {
    default_signals(&mut command);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut ready = [0; 6];
    let out = child.stdout.as_mut().unwrap();
    out.read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    child
}

/// Tests may run in the background of a shell, which ignores SIGINT and SIGQUIT there; a shell
/// that starts so cannot trap them.
fn default_signals(command: &mut Command) {
    let reset = || {
        for signal in [libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: signal(2) may be called between fork and exec, and SIG_DFL is no handler of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: what runs between fork and exec makes two system calls and allocates nothing.
    unsafe { command.pre_exec(reset) };
}

fn send(child: &Child, signal: i32) {
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: numbers only; the child has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

fn end(mut child: Child) -> (ExitStatus, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    (child.wait().unwrap(), out, err)
}

#[test]
fn a_signal_that_ends_the_command_ends_us_the_same_way() {
    let user = User::new();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        let child = start(&user, "ulimit -c 0; echo ready; exec sleep 60");
        send(&child, signal);
        let (status, _, said) = end(child);
        assert_eq!(status.signal(), Some(signal), "{said}");
        let line = said.lines().last().unwrap();
        assert!(
            line.contains(&format!("\"exit\":{}", 128 + signal)),
            "{said}"
        );
    }
}

#[test]
fn a_command_that_tidies_up_after_a_signal_may_and_says_its_own_exit_code() {
    let user = User::new();
    for (signal, name) in [
        (libc::SIGTERM, "TERM"),
        (libc::SIGINT, "INT"),
        (libc::SIGUSR1, "USR1"),
    ] {
        let script =
            format!("trap 'echo tidy; exit 9' {name}; echo ready; while :; do sleep 0.1; done");
        let child = start(&user, &script);
        send(&child, signal);
        let (status, out, _) = end(child);
        assert_eq!((status.code(), out.as_str()), (Some(9), "tidy\n"));
    }
}

#[test]
fn after_a_signal_there_is_no_further_step() {
    let program = "package main\n\nfunc main() {}\n";
    let project = Project::new(go::VERSIONS[2], "m.test/m v1.0.0", program);
    let Some(project) = project else { return };
    // Words of go's that lead to the next step, unless somebody has asked for an end.
    let failure = "go: m.test/m@v1.0.0: Get \"https://p.test/m.test/m/@v/v1.0.0.info\": \
                   dial tcp 127.0.0.1:1: connect: connection refused\n";
    let words = project.user.write("words", failure);
    let words = words.display();
    let begin = format!("trap 'cat {words} >&2; exit 1' TERM; echo ready; ");
    project.user.write("w/vendor/modules.txt", "");
    let args = "--summary json --tiers proxy,vendor";
    let run = |script: String| {
        let command = ["sh", "-c", script.as_str()];
        ready(project.exec("https://p.test", args, &command))
    };
    let attempts = |child: Child| {
        let (status, _, said) = end(child);
        assert_eq!(status.code(), Some(1), "{said}");
        let line = said.lines().last().unwrap();
        let summary: serde_json::Value = serde_json::from_str(line).unwrap();
        summary["attempts"].as_array().unwrap().len()
    };
    let child = run(format!("{begin} while :; do sleep 0.1; done"));
    send(&child, libc::SIGTERM);
    assert_eq!(attempts(child), 1);
    let child = run(format!("{begin} kill $$; sleep 1"));
    assert_eq!(attempts(child), 2, "nobody asked us");
}

#[test]
fn what_was_ignored_stays_ignored() {
    let user = User::new();
    // As `nohup` does it.
    let script = format!(
        "trap '' HUP; exec {GOROAM} exec -- sh -c 'kill -HUP $PPID; kill -HUP $$; echo alive'"
    );
    let done = user.run("sh").arg("-c").arg(script).exits(0);
    assert_eq!(done.stdout(), "alive\n");
}

#[test]
fn a_stop_and_a_continue_are_passed_on() {
    let user = User::new();
    // The inner shell says it: while the outer one starts it by vfork(2) the kernel stops neither.
    let mut child = start(&user, "sh -c 'echo ready; exec sleep 0.2'; echo on");
    send(&child, libc::SIGTSTP);
    let state = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')')
            .next()
            .unwrap()
            .trim()
            .chars()
            .next()
            .unwrap()
    };
    // Without a shell above nobody would continue us: a stop is not carried out then.
    let deadline = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() && state(child.id()) != 'T' {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    if child.try_wait().unwrap().is_none() {
        send(&child, libc::SIGCONT);
    }
    let (status, out, _) = end(child);
    assert_eq!((status.code(), out.as_str()), (Some(0), "on\n"));
}

/// The settings are asked for first, of a go that may take its time.
#[test]
fn a_signal_before_the_command_has_begun_keeps_it_from_beginning() {
    let user = User::new();
    let asked = user.path("asked");
    let script = format!("#!/bin/sh\n>{}\nsleep 1\nexit 1\n", asked.display());
    cli::mode(&user.write("bin/go", script), 0o755);
    let path = format!("{}:/usr/bin:/bin", user.path("bin").display());
    let run = user.goroam("exec --summary json -- touch ran");
    let child = run
        .env("PATH", &path)
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !asked.exists() {
        assert!(Instant::now() < deadline, "go was not asked");
        std::thread::sleep(Duration::from_millis(5));
    }
    send(&child, libc::SIGTERM);
    let (status, _, said) = end(child);
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{said}");
    assert!(!user.path("ran").exists());
    assert!(said.ends_with("\"exit\":143,\"attempts\":[]}\n"), "{said}");
}

/// A terminal with a shell that monitors its jobs, as a person has it.
fn terminal() -> Option<Terminal> {
    let terminal = Terminal::open(80, 24, &[("HOME", "/nonexistent")])?;
    terminal.shows("$");
    Some(terminal)
}

#[test]
fn in_a_terminal_the_command_sees_one_on_all_three_and_its_size() {
    let Some(terminal) = terminal() else { return };
    let test = "for n in 0 1 2; do test -t $n && printf $n; done; echo; stty size <&2";
    terminal.enter(&format!("{GOROAM} exec -- sh -c '{test}'"));
    terminal.shows("012\n24 80");
    // Colours and carriage returns come as they are, and lines begin at the left.
    terminal.enter("clear");
    terminal.enter(&format!(
        "{GOROAM} exec -- sh -c 'printf \"one\\n\\033[31mtwo\\033[0m\\nxxx\\rthree\\n\" >&2'"
    ));
    terminal.shows("\none\ntwo\nthree\n");
}

#[test]
fn ctrl_c_ends_the_command_and_the_script_around_us() {
    let Some(terminal) = terminal() else { return };
    terminal.enter(&format!(
        "bash -c '{GOROAM} exec -- sh -c \"echo rea\"dy\"; sleep 60\"; echo not to be seen'"
    ));
    terminal.shows("\nready");
    terminal.press(&["C-c"]);
    terminal.shows("^C");
    terminal.enter("echo code $?");
    let screen = terminal.shows("\ncode 130").join("\n");
    assert!(!screen.contains("\nnot to be seen"), "{screen}");
}

#[test]
fn ctrl_z_and_fg_work_and_the_terminal_is_read_from() {
    let Some(terminal) = terminal() else { return };
    terminal.enter(&format!(
        "{GOROAM} exec -- sh -c 'echo a\"sks\"; read word; echo got $word; sleep 0.5; read word; echo and $word'"
    ));
    terminal.shows("\nasks");
    // It reads, so it has been given the terminal; Ctrl-Z comes to it alone.
    terminal.enter("first");
    terminal.shows("\ngot first");
    terminal.press(&["C-z"]);
    terminal.shows("Stopped");
    terminal.enter("echo shell is back");
    terminal.shows("\nshell is back");
    terminal.enter("fg");
    insist(&terminal, "second", "\nand second");
    terminal.enter("echo code $?");
    terminal.shows("code 0");
}

/// Enters a line until it has been read: one that comes while the shell still has the terminal
/// in its own mode, before `fg` is through, ends with what is no line's end afterwards.
#[track_caller]
fn insist(terminal: &Terminal, line: &str, answer: &str) {
    let asked = std::cell::Cell::new(0_u16);
    terminal.until(answer, |lines| {
        let turn = asked.replace(asked.get() + 1);
        if turn.is_multiple_of(50) {
            terminal.enter(line);
        }
        lines.join("\n").contains(answer)
    });
}

#[test]
fn the_rest_of_a_pipeline_keeps_the_terminal() {
    let Some(terminal) = terminal() else { return };
    // The last one reads a key from the terminal while the command still runs.
    terminal.enter(&format!(
        "{GOROAM} exec -- sh -c 'echo line; sleep 1; echo end' | (read a; echo \"$a?\"; read key </dev/tty; echo key $key; cat)"
    ));
    terminal.shows("\nline?");
    terminal.enter("k");
    terminal.shows("\nkey k\nend");
}

#[test]
fn a_resize_reaches_the_command() {
    let Some(terminal) = terminal() else { return };
    terminal.enter(&format!(
        "{GOROAM} exec -- bash -c 'trap \"stty size <&2\" WINCH; echo ready; for i in {{1..300}}; do sleep 0.1; done'"
    ));
    terminal.shows("\nready");
    // Told again where the first one was lost on the way through tmux.
    let asked = std::cell::Cell::new(0_u16);
    terminal.until("20 70 or 20 71", |lines| {
        let turn = asked.replace(asked.get() + 1);
        if turn.is_multiple_of(100) {
            terminal.resize(70 + (turn / 100) % 2, 20);
        }
        lines.iter().any(|line| line.starts_with("20 7"))
    });
    terminal.press(&["C-c"]);
}

#[test]
fn in_the_background_it_waits_for_the_terminal_as_any_job() {
    let Some(terminal) = terminal() else { return };
    terminal.enter(&format!(
        "{GOROAM} exec -- sh -c 'read word; echo got $word' &"
    ));
    // bash tells of it at the next prompt.
    terminal.until("Stopped", |lines| {
        terminal.enter("");
        lines.iter().any(|line| line.contains("Stopped"))
    });
    terminal.enter("fg");
    insist(&terminal, "late", "\ngot late");
}
