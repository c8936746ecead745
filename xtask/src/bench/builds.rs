//! Builds of a project of twenty modules with an empty module cache, while the first of two proxies
//! fails: through the relay, under `goroam exec`, and with the chain alone, as go walks it.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use super::scene::{Listener, Ran, Scene, User};
use super::stats;
use crate::run::Result;

/// A build that takes longer is ended.
const LIMIT: Duration = Duration::from_secs(15);
const LIMITS: &str = "--connect 3s --first-byte 3s --stall 3s";
const COMMAND: &str = "build -o built .";

/// Faults, and the sort of files that they are about; none: the connection.
const FAULTS: [(&str, &str); 23] = [
    ("refused", ""),
    ("black hole", ""),
    ("expired certificate", ""),
    ("hang", "mod"),
    ("hang", "zip"),
    ("hang", "sumdb"),
    ("slow:5", "zip"),
    ("stall", "zip"),
    ("reset", "zip"),
    ("close", "zip"),
    ("500", "zip"),
    ("502", "zip"),
    ("502", "sumdb"),
    ("503", "zip"),
    ("trunczip", "zip"),
    ("halfzip", "zip"),
    ("portal200", "zip"),
    ("portal200", "sumdb"),
    ("portal302", "mod"),
    ("wrong", "mod"),
    ("wrong", "zip"),
    ("wrong", "sumdb"),
    ("dead302", "zip"),
];

/// The time of a build as a multiple of one without a fault, or how it ended.
fn ratio(ran: &Ran, usual: f64) -> String {
    let took = ran.took.as_secs_f64();
    match ran.status {
        Some(status) if status.success() => format!("{:.1}", took / usual),
        Some(_) => format!("fails after {took:.1} s"),
        None => format!("still waits after {} s", LIMIT.as_secs()),
    }
}

/// Prints the table.
pub fn builds(goroam: &Path, runs: u64) -> Result {
    let bad = Listener::new("bad", None)?;
    let good = Listener::new("good", None)?;
    let expired = Listener::new("expired", Some("expired"))?;
    let hole = Listener::new("hole", None)?;
    let scene = Scene::start(&[&bad, &good, &expired, &hole])?;
    scene.set(&hole, "drop", None)?;
    let user = scene.user()?;
    let url = |fault: &str, kind: &str| match (fault, kind) {
        ("refused", _) => refused(),
        ("black hole", _) => Ok(hole.url()),
        ("expired certificate", _) => Ok(expired.url()),
        (mode, "") => Ok(format!("{}/_m/{mode}", bad.url())),
        (mode, kind) => Ok(format!("{}/_m/{mode}+{kind}", bad.url())),
    };
    let right = format!("{},{}", url("ok", "")?, good.url());
    // The machine may become busier meanwhile, so each fault has its own yardstick.
    let without_fault = || -> Result<(f64, f64)> {
        let (mut usual, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            usual.push(relayed(&user, goroam, &right)?.took.as_secs_f64());
            user.start_afresh()?;
            plain.push(user.go(&right, COMMAND, LIMIT)?.took.as_secs_f64());
        }
        let median = |times: &[f64]| stats::median(times).ok_or("no run");
        Ok((median(&usual)?, median(&plain)?))
    };
    // Fills go's build cache.
    let _ = without_fault()?;
    println!(
        "| 20 modules | without a fault: relay | alone | relay | exec | `A,B` | `A\\|B` |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for (fault, kind) in FAULTS {
        eprintln!("relay: builds: {fault} {kind}");
        let first = url(fault, kind)?;
        let (usual, plain) = without_fault()?;
        let chain = format!("{first},{}", good.url());
        let through = relayed(&user, goroam, &chain)?;
        user.start_afresh()?;
        let exec = user.exec(goroam, &chain, LIMITS, COMMAND, LIMIT)?;
        let mut alone = Vec::new();
        for separator in [",", "|"] {
            user.start_afresh()?;
            let chain = format!("{first}{separator}{}", good.url());
            alone.push(ratio(&user.go(&chain, COMMAND, LIMIT)?, plain));
        }
        let what = if kind.is_empty() { "all" } else { kind };
        println!(
            "| {fault}, {what} | {usual:.1} s | {plain:.1} s | {} | {} | {} |",
            ratio(&through, usual),
            ratio(&exec, usual),
            alone.join(" | ")
        );
    }
    println!();
    Ok(())
}

fn relayed(user: &User, goroam: &Path, chain: &str) -> Result<Ran> {
    let urls: Vec<String> = chain.split(',').map(str::to_owned).collect();
    user.knows(&urls)?;
    user.start_afresh()?;
    let relay = user.relay(goroam, chain, LIMITS)?;
    user.go(&relay.url, COMMAND, LIMIT)
}

/// Where nobody listens.
fn refused() -> Result<String> {
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr());
    let gone = gone.map_err(|err| format!("a free port: {err}"))?;
    Ok(format!("http://{gone}"))
}
