//! `cargo xtask bench`: measures the release build in the lab, beside a yardstick and a comparable
//! tool. Progress is written to standard error, the tables (markdown) to standard output.

mod builds;
mod cli;
mod crowd;
mod idle;
mod mirror;
mod mirrors;
mod relay;
mod scene;
mod size;
mod soak;
mod stats;
mod switch;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab;
use crate::options::Options;
use crate::run::{self, Result};

const PARTS: [&str; 9] = [
    "size", "mirror", "relay", "mirrors", "soak", "cli", "idle", "switch", "silent",
];

/// What every part uses.
struct Bench {
    goroam: PathBuf,
    /// The home directory of the measured laptop: created for each run, so that nothing is
    /// remembered.
    home: PathBuf,
    policy: PathBuf,
}

/// Measures everything, or the requested part.
pub fn bench(options: &Options) -> Result {
    let only = options.get("--only");
    if let Some(part) = only.filter(|part| !PARTS.contains(part)) {
        return Err(format!("--only {part}: one of {}", PARTS.join(", ")));
    }
    let runs = options.number("--runs", 3)?;
    let seconds = options.number("--seconds", 60)?;
    let goroam = match options.get("--bin") {
        Some(path) => std::path::absolute(path).map_err(|err| format!("--bin {path}: {err}"))?,
        None => release()?,
    };

    println!("Measured on {}.\n", machine());
    let wants = |part: &str| only.is_none_or(|only| only == part);
    if wants("size") {
        size::size(&goroam)?;
    }
    if wants("mirror") {
        let megabytes = options.number("--megabytes", 2000)?;
        let runs = options.number("--runs", 5)?;
        mirror::mirror(&goroam, megabytes, runs).map_err(|why| format!("mirror: {why}"))?;
    }
    if wants("relay") {
        let runs = options.number("--runs", 5)?;
        let seconds = options.number("--seconds", 15)?;
        relay::relay(&goroam, runs, seconds).map_err(|why| format!("relay: {why}"))?;
    }
    if wants("mirrors") {
        mirrors::mirrors(&goroam, runs).map_err(|why| format!("mirrors: {why}"))?;
    }
    // It takes half an hour, and says right or wrong: only on request.
    if only == Some("soak") {
        let minutes = options.number("--minutes", 30)?;
        soak::soak(&goroam, minutes).map_err(|why| format!("soak: {why}"))?;
    }
    if matches!(only, Some("size" | "mirror" | "relay" | "mirrors" | "soak")) {
        return Ok(());
    }
    for missing in lab::prepare(true) {
        eprintln!("lab: {missing}");
    }
    let alone = lab::lock()?;
    run::output(lab::script("net").arg("up"))?;
    let policy = PathBuf::from(run::output(&mut lab::script("policy"))?.trim());
    let bench = Bench {
        goroam,
        home: lab::dir().join("laptop"),
        policy,
    };
    let measured = [
        ("cli", cli::cli as fn(&Bench, u64) -> Result, 50),
        ("idle", idle::idle, seconds),
        ("switch", switch::switch, runs),
        ("silent", switch::silent, runs),
    ]
    .into_iter()
    .filter(|(part, ..)| wants(part))
    .try_for_each(|(part, measure, n)| {
        bench.forget()?;
        measure(&bench, n).map_err(|why| format!("{part}: {why}"))
    });
    let down = lab::tear_down(&alone);
    measured.and(down)
}

fn release() -> Result<PathBuf> {
    eprintln!("building the release");
    run::output(run::cargo().args([
        "build",
        "--release",
        "--package",
        "goroam",
        "--bin",
        "goroam",
    ]))?;
    Ok(run::target_dir().join(format!("release/goroam{}", std::env::consts::EXE_SUFFIX)))
}

impl Bench {
    /// Makes the laptop one on which goroam never ran.
    fn forget(&self) -> Result {
        for known in [".local/state/goroam", ".config/go"] {
            let dir = self.home.join(known);
            if dir.exists() {
                std::fs::remove_dir_all(&dir).map_err(|err| format!("{}: {err}", dir.display()))?;
            }
        }
        Ok(())
    }

    /// Makes a command in the laptop; its pid is the program's own.
    fn in_laptop(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = lab::script("in-laptop");
        command
            .arg(program)
            .args(args)
            .env("GOROAM_CONFIG", &self.policy);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("XDG_") {
                command.env_remove(name);
            }
        }
        command
    }
}

/// Describes the machine in one line.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    format!(
        "{cores} × {model}, Linux {}, load {load} at the start",
        kernel.trim()
    )
}
