//! What the installed agent costs while nothing happens.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::machine::Machine;
use crate::support::wait_until;

/// How long nothing must happen.
const SPAN: Duration = Duration::from_secs(20);
/// After a move the kernel has late events, and the C library's look-ups a thread.
const QUIET: Duration = Duration::from_secs(4);
/// Kilobytes.
const MEMORY: u64 = 9_000;

/// Prints and asserts memory, wake-ups and system calls of the agent.
pub(crate) fn measure(machine: &Machine<'_>) {
    let pid = machine.host_pid().expect("an agent that runs");
    let (mut last, mut since) = (wake_ups(pid), Instant::now());
    wait_until("an agent that rests", Duration::from_secs(60), || {
        let now = wake_ups(pid);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() > QUIET)
            .then_some(())
            .ok_or_else(|| format!("{now} wake-ups"))
    });
    let before = wake_ups(pid);
    let end = Instant::now() + SPAN;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    let woken = wake_ups(pid) - before;
    let calls = system_calls(pid);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let memory = field(&status, "VmRSS:");
    let threads = field(&status, "Threads:");
    println!(
        "measured: idle under systemd: VmRSS {memory} kB, own {} kB, {threads} threads; in {} s \
         {woken} voluntary context switches, in a further {} s {} system calls",
        field(&status, "RssAnon:"),
        SPAN.as_secs(),
        SPAN.as_secs(),
        calls.lines().count(),
    );
    assert_eq!(woken, 0);
    assert_eq!(calls, "", "system calls of an idle agent");
    assert!(memory <= MEMORY, "{memory} kB");
    assert!(threads <= 2, "{threads} threads");
}

/// Voluntary context switches of all threads so far.
fn wake_ups(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the agent runs");
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .map(|status| field(&status, "voluntary_ctxt_switches:"))
        .sum()
}

/// What strace sees in all threads while nothing happens, without the calls that it comes upon
/// and that go on: they are what the agent rests in.
fn system_calls(pid: u32) -> String {
    let out = tempfile::NamedTempFile::new().unwrap();
    let seconds = SPAN.as_secs().to_string();
    let mut strace = Command::new("timeout");
    strace.args([
        "-s",
        "INT",
        &seconds,
        "strace",
        "-f",
        "-q",
        "-p",
        &pid.to_string(),
        "-o",
    ]);
    let ended = strace
        .arg(out.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let ended = ended.expect("coreutils' timeout");
    // 124: it was ended by the time, and not by a fault of its own.
    assert_eq!(ended.code(), Some(124), "strace: {ended}");
    let text = fs::read_to_string(out.path()).unwrap();
    let is_rest =
        |line: &&str| !line.contains("<unfinished ...>") && !line.contains("<detached ...>");
    let calls: Vec<&str> = text.lines().filter(is_rest).collect();
    calls.join("\n")
}

/// A number in a `status` file of the kernel.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no {name}"))
}
