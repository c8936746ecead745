//! The Debian package in a Debian where nobody has done anything yet: what docs/install.md says,
//! word for word, then a week of a user's life with it, then nothing of it left.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout)]

mod package;
mod support;

use std::time::Duration;

use package::machine::{Machine, is_offline};
use package::{idle, manual};
use support::dist::dist;
use support::{Lab, skip, wait_until};

/// The container has two processors to share with everything else.
const SOON: Duration = Duration::from_secs(30);

const CORP: &str = "https://goproxy.corp.test";
const VPN: &str = "https://goproxy.corp.test,https://proxy.golang.org";
const PUBLIC: &str = "https://proxy.golang.org,direct";
const OFFLINE: &str = "offline";

/// Where the laptop goes, and what go's settings are there.
const TOUR: [(&str, &str); 10] = [
    ("office", CORP),
    ("home", PUBLIC),
    ("vpn-on", VPN),
    ("vpn-off", PUBLIC),
    ("hotspot", OFFLINE),
    ("airplane", OFFLINE),
    ("office", CORP),
    ("hotspot", OFFLINE),
    ("home", PUBLIC),
    ("office", CORP),
];

#[test]
fn a_fresh_debian_gets_it_by_the_manual_lives_with_it_and_is_rid_of_it_again() {
    let packages = match dist() {
        Ok(packages) => packages,
        Err(why) => skip!("{why}"),
    };
    let Some(lab) = Lab::get() else { return };
    lab.travel("home");
    let machine = Machine::boot(&lab, &packages);
    machine.login();
    // Somebody who has used go before.
    machine
        .session("go env -w GOFLAGS=-mod=mod GOPROXY=https://old.example.test")
        .unwrap();
    let (settings, files) = (machine.go_env_text(), machine.files());

    manual::follow(&machine, "Install on Debian");
    assert_eq!(
        machine.files_of_home(),
        machine.files_in(&files),
        "an installation writes no home"
    );
    manual::follow(&machine, "Start at login on Debian");
    // The lab's checksum database has a key of its own, so its policy must have the last word.
    machine.write_policy(&lab.policy());
    machine.wait_for("GOPROXY", PUBLIC, SOON);

    login(&lab, &machine);
    tour(&lab, &machine);
    crashes(&lab, &machine);
    lab.travel("home");
    machine.wait_for("GOPROXY", PUBLIC, SOON);
    idle::measure(&machine);
    upgrade(&machine);
    removal_ends_agents(&machine);

    manual::follow(&machine, "Remove from Debian");
    assert_eq!(
        machine.go_env_text(),
        settings,
        "the go env file, byte for byte"
    );
    let after = machine.files();
    // These two are the XDG standard's, for whoever keeps a state; they stay, empty.
    let shared = ["/home/dev/.local", "/home/dev/.local/state"];
    let left: Vec<&String> = after
        .difference(&files)
        .filter(|path| !shared.contains(&path.as_str()))
        .collect();
    assert!(left.is_empty(), "left behind: {left:#?}");
    let gone: Vec<&String> = files.difference(&after).collect();
    assert!(gone.is_empty(), "taken along: {gone:#?}");
}

/// The laptop was closed in one network and is opened in another.
fn login(lab: &Lab, machine: &Machine) {
    let mut took = Vec::new();
    // A neighbour on the same processors may delay one login, hardly three.
    for _ in 0..3 {
        lab.travel("office");
        machine.wait_for("GOPROXY", CORP, SOON);
        machine.logout();
        lab.travel("home");
        assert_eq!(
            machine.go_env("GOPROXY").as_deref(),
            Some(CORP),
            "nobody is there to change it"
        );
        let start = machine.login();
        machine.wait_for("GOPROXY", PUBLIC, SOON);
        took.push(machine.written_at().duration_since(start).unwrap());
        if took.last() < Some(&Duration::from_secs(1)) {
            break;
        }
    }
    let best = *took.iter().min().unwrap();
    println!(
        "measured: go env is right {} ms after the login (tries: {took:?})",
        best.as_millis()
    );
    assert!(best < Duration::from_secs(1), "{took:?}");
}

fn tour(lab: &Lab, machine: &Machine) {
    let mut times = Vec::new();
    for (to, proxy) in TOUR {
        lab.travel(to);
        if proxy == OFFLINE {
            machine.wait_env(&format!("offline after {to}"), SOON, is_offline);
        } else {
            machine.wait_for("GOPROXY", proxy, SOON);
        }
        let took = machine.written_at().duration_since(lab.moved_at());
        times.push(format!("{to} {} ms", took.unwrap_or_default().as_millis()));
    }
    println!("measured: ten changes of the network: {}", times.join(", "));
}

/// Killed ten times, each time while the network changes.
fn crashes(lab: &Lab, machine: &Machine) {
    let turns = machine.turns();
    for (to, proxy) in [("home", PUBLIC), ("office", CORP)]
        .into_iter()
        .cycle()
        .take(10)
    {
        let before = machine.main_pid();
        machine.dev("systemctl --user kill --signal=KILL goroam");
        lab.travel(to);
        machine.wait_for("GOPROXY", proxy, SOON);
        wait_until("another agent", SOON, || match machine.main_pid() {
            0 => Err("none".to_owned()),
            pid if pid == before => Err(format!("the same: {pid}")),
            _ => Ok(()),
        });
    }
    let told = machine.dev("goroam history --verify");
    println!(
        "measured: killed ten times; the journal says: {}",
        told.trim()
    );
    assert!(
        machine.turns() >= turns + 10,
        "{} turns before, {} now",
        turns,
        machine.turns()
    );
    assert_eq!(machine.go_env("GOFLAGS").as_deref(), Some("-mod=mod"));
}

/// A newer package over a running agent.
fn upgrade(machine: &Machine) {
    let before = machine.host_pid();
    machine.put_newer_package();
    manual::follow(machine, "Upgrade on Debian");
    wait_until("an agent from the new program", SOON, || {
        let pid = machine.host_pid().ok_or("none")?;
        let exe = std::fs::read_link(format!("/proc/{pid}/exe")).map_err(|err| err.to_string())?;
        let is_new = exe.ends_with("usr/bin/goroam");
        is_new
            .then_some(())
            .ok_or_else(|| format!("{before:?} is {}", exe.display()))
    });
    machine.wait_for("GOPROXY", PUBLIC, SOON);
}

/// Somebody removes the package without a thought of who uses it.
fn removal_ends_agents(machine: &Machine) {
    let agent = machine.host_pid().expect("an agent that runs");
    machine.session("sudo apt remove goroam").unwrap();
    let proc = std::path::PathBuf::from(format!("/proc/{agent}"));
    wait_until("the end of the agent", SOON, || {
        (!proc.exists())
            .then_some(())
            .ok_or_else(|| "it runs".to_owned())
    });
    manual::follow(machine, "Install on Debian");
    manual::follow(machine, "Start at login on Debian, again");
}
