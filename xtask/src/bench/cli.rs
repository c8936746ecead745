//! Measures how long a user waits for an answer.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::idle::Resident;
use super::{Bench, stats};
use crate::run::Result;

/// Prints the wall times of `goroam status` (answered by the agent) and `goroam check`, and what a
/// prompt takes.
pub fn cli(bench: &Bench, times: u64) -> Result {
    let _agent = Resident::at_home(bench)?;
    let policy = bench.policy.display().to_string();
    println!("| wall time of {times} runs | median | nine of ten within |\n| --- | ---: | ---: |");
    for (shown, args) in [
        ("goroam status", vec!["status"]),
        ("goroam check", vec!["check", &policy]),
    ] {
        let mut took = Vec::new();
        for _ in 0..times {
            let start = Instant::now();
            // Runs in the machine's own network: the agent's socket is a file, and entering the
            // laptop's namespace would cost more than the command.
            let status = Command::new(&bench.goroam)
                .args(&args)
                .env_clear()
                .env("HOME", &bench.home)
                .env("PATH", "/usr/bin:/bin")
                .env("GOROAM_CONFIG", &bench.policy)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .map_err(|err| format!("{shown}: {err}"))?;
            took.push(start.elapsed().as_secs_f64() * 1000.0);
            if !status.success() {
                return Err(format!("{shown}: {status}"));
            }
        }
        let (Some(median), Some(p90)) = (stats::median(&took), stats::p90(&took)) else {
            continue;
        };
        println!("| `{shown}` | {median:.1} ms | {p90:.1} ms |");
    }
    println!();
    prompts(bench)
}

/// How many prompts one measurement has.
const PROMPTS: u32 = 1000;

/// Prints the time that `goroam hook` adds to a prompt.
fn prompts(bench: &Bench) -> Result {
    let goroam = bench.goroam.display();
    println!("| one prompt with the hook, mean of {PROMPTS} | |\n| --- | ---: |");
    let text = std::fs::read_to_string(&bench.policy);
    let text = text.map_err(|err| format!("{}: {err}", bench.policy.display()))?;
    let with_projects = bench.home.join("projects.toml");
    let project = "[[project]]\ndir = \"/nowhere\"\nenv = { GOFLAGS = \"-mod=mod\" }\n";
    std::fs::write(&with_projects, format!("{text}\n{project}"))
        .map_err(|err| format!("{}: {err}", with_projects.display()))?;
    let policies = [(&bench.policy, ""), (&with_projects, ", `[[project]]`")];
    let shells = ["bash", "zsh", "fish"].into_iter();
    for (shell, (policy, with)) in shells.flat_map(|shell| policies.map(|one| (shell, one))) {
        let (load, each) = match shell {
            "fish" => (
                format!("{goroam} hook fish | source"),
                format!("for i in (seq {PROMPTS}); __goroam_prompt; end"),
            ),
            _ => (
                format!("eval \"$({goroam} hook {shell})\""),
                format!("for i in $(seq {PROMPTS}); do __goroam_prompt; done"),
            ),
        };
        let output = Command::new(shell)
            .args(["-c", &format!("{load}; date +%s%N; {each}; date +%s%N")])
            .env_clear()
            .env("HOME", &bench.home)
            .env("PATH", "/usr/bin:/bin")
            .env("GOROAM_CONFIG", policy)
            .stdin(Stdio::null())
            .output()
            .map_err(|err| format!("{shell}: {err}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let times: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        let [from, to] = times.as_slice() else {
            return Err(format!(
                "{shell}: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        };
        let each = (to - from) / f64::from(PROMPTS) / 1e6;
        println!("| {shell}{with} | {each:.3} ms |");
    }
    println!();
    Ok(())
}
