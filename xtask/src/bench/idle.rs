//! Measures what the agent costs while nothing happens.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Bench;
use crate::lab;
use crate::packages;
use crate::run::{self, Result};

/// After a move the kernel sends link and IPv6 events for about two more seconds.
const LATE_EVENTS: Duration = Duration::from_secs(5);

/// The agent in the laptop, in the home network; it ends when this is dropped.
pub struct Resident {
    child: Child,
}

impl Resident {
    /// Starts it and waits until it has chosen the public profile.
    pub fn at_home(bench: &Bench) -> Result<Resident> {
        run::output(lab::script("net").args(["move", "home"]))?;
        let log = lab::dir().join("log/bench-agent.log");
        let file = fs::File::create(&log).map_err(|err| format!("{}: {err}", log.display()))?;
        let twin = file.try_clone().map_err(|err| err.to_string())?;
        let child = bench
            .in_laptop(&bench.goroam, &["agent"])
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(twin)
            .spawn()
            .map_err(|err| format!("goroam agent: {err}"))?;
        let mut agent = Resident { child };
        let env = bench.home.join(".config/go/env");
        let end = Instant::now() + Duration::from_secs(20);
        while !fs::read_to_string(&env)
            .unwrap_or_default()
            .contains("GOPROXY=https://proxy.golang.org")
        {
            if let Ok(Some(status)) = agent.child.try_wait() {
                return Err(format!(
                    "goroam agent ended: {status}; see {}",
                    log.display()
                ));
            }
            if Instant::now() > end {
                return Err(format!(
                    "goroam agent did not choose the public profile in 20 s; see {}",
                    log.display()
                ));
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(agent)
    }

    fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = run::output(lab::script("net").args(["move", "airplane"]));
    }
}

/// Prints wake-ups, system calls, threads and memory over `seconds` without an event.
pub fn idle(bench: &Bench, seconds: u64) -> Result {
    let agent = Resident::at_home(bench)?;
    eprintln!("idle: {seconds} s counted, then {seconds} s under strace");
    std::thread::sleep(LATE_EVENTS);
    let span = Duration::from_secs(seconds);
    let before = switches(&agent.proc())?;
    std::thread::sleep(span);
    let after = switches(&agent.proc())?;
    let status = fs::read_to_string(agent.proc().join("status")).map_err(|err| err.to_string())?;
    let calls = match system_calls(agent.child.id(), span) {
        Ok(calls) => calls.to_string(),
        Err(why) => format!("not counted: {why}"),
    };
    println!("| goroam agent, idle for {seconds} s | |\n| --- | ---: |");
    println!(
        "| wake-ups (voluntary context switches) | {} |",
        after.0.saturating_sub(before.0)
    );
    println!(
        "| involuntary context switches | {} |",
        after.1.saturating_sub(before.1)
    );
    println!("| system calls in a further {seconds} s | {calls} |");
    println!(
        "| threads | {} |",
        field(&status, "Threads:").unwrap_or("?")
    );
    println!("| VmRSS | {} kB |", field(&status, "VmRSS:").unwrap_or("?"));
    println!(
        "| of that its own (RssAnon) | {} kB |\n",
        field(&status, "RssAnon:").unwrap_or("?")
    );
    Ok(())
}

/// Returns the voluntary and involuntary context switches of all threads.
pub fn switches(proc: &Path) -> Result<(u64, u64)> {
    let tasks =
        fs::read_dir(proc.join("task")).map_err(|err| format!("{}: {err}", proc.display()))?;
    let mut sum = (0, 0);
    for task in tasks.flatten() {
        // A thread may end between the listing and this call.
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let number = |name| {
            field(&status, name)
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0)
        };
        sum.0 += number("voluntary_ctxt_switches:");
        sum.1 += number("nonvoluntary_ctxt_switches:");
    }
    Ok(sum)
}

fn system_calls(pid: u32, span: Duration) -> Result<u64> {
    if run::find("strace").is_none() {
        packages::install_named("strace")?;
    }
    let out = lab::dir().join("log/bench-strace.txt");
    let seconds = span.as_secs().to_string();
    // `timeout` ends strace with INT, so that it detaches and writes its table.
    let ended = Command::new("timeout")
        .args([
            "-s",
            "INT",
            &seconds,
            "strace",
            "-f",
            "-c",
            "-q",
            "-p",
            &pid.to_string(),
            "-o",
        ])
        .arg(&out)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|err| format!("strace: {err}"))?;
    let table = fs::read_to_string(&out).map_err(|err| format!("strace: {err}"))?;
    match total(&table) {
        Some(calls) => Ok(calls),
        // No system call was made, so there is no table.
        None if matches!(ended.code(), Some(124) | None) => Ok(0),
        None => Err(format!("strace: {ended}")),
    }
}

/// Returns the number of calls from strace's last line: `100.00    0.000123           4        28
/// total`.
fn total(table: &str) -> Option<u64> {
    let line = table
        .lines()
        .rev()
        .find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

/// A value of `/proc/PID/status`.
pub fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))?
        .split_whitespace()
        .next()
}

#[cfg(test)]
mod tests {
    use super::{field, total};

    #[test]
    fn straces_table_and_the_kernels_status_are_read() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n 60.00    0.000006           6         1           epoll_wait\n------\n100.00    0.000010           3         3         1 total\n";
        assert_eq!(total(table), Some(3));
        assert_eq!(total(""), None);
        let status = "Threads:\t1\nVmRSS:\t    5028 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(field(status, "VmRSS:"), Some("5028"));
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some("7"));
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:"), Some("2"));
    }
}
