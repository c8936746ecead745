//! Networks that swallow packets, in a network namespace of the test's own: real go, `ip`.

use std::time::{Duration, Instant};

use crate::cli::User;
use crate::go;

/// A link behind which nobody is, though its neighbours seem to be there.
const NETWORK: &str = "set -e; ip link set lo up; ip link add d0 type veth peer name d1; ip link set d1 up; \
    ip addr add 10.9.0.1/24 dev d0; ip link set d0 up; \
    ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev d0; \
    ip neigh add 10.9.0.53 lladdr 02:00:00:00:00:53 dev d0; \
    mount --make-rprivate /; mount --bind resolv.conf /etc/resolv.conf; ";

/// Enough on a busy machine, and half of what go waits for a connection.
const SOON: Duration = Duration::from_secs(15);

/// `goroam exec` there, with this GOPROXY: its summary and how long it took.
fn exec(version: &str, proxy: &str) -> Option<(serde_json::Value, Duration)> {
    if !go::is_root() {
        println!("skipped: needs root and network namespaces");
        return None;
    }
    let go = go::go(version)?;
    let user = User::new();
    user.write("resolv.conf", "nameserver 10.9.0.53\n");
    // What could hold: else go would be waited for.
    for end in ["info", "mod", "zip"] {
        user.write(&format!("mirror/golang.org/x/sync/@v/v0.1.0.{end}"), "");
    }
    let mirror = user.path("mirror").display().to_string();
    let goroam = env!("CARGO_BIN_EXE_goroam");
    let script = format!(
        "{NETWORK} exec {goroam} exec --summary json --tiers proxy,mirror --mirror {mirror} --connect 1s -- \
         go mod download golang.org/x/sync@v0.1.0"
    );
    let folder = go.parent().unwrap().display().to_string();
    let begun = Instant::now();
    let done = user
        .run("unshare")
        .args("--net --mount sh -c")
        .arg(script)
        .env("PATH", &format!("{folder}:/usr/sbin:/usr/bin:/sbin:/bin"))
        .env("GOPROXY", proxy)
        .env("GOTOOLCHAIN", "local")
        .env("GOTELEMETRY", "off")
        .command()
        .output()
        .unwrap();
    let took = begun.elapsed();
    let said = String::from_utf8(done.stderr).unwrap();
    let Ok(summary) = serde_json::from_str(said.lines().last().unwrap()) else {
        panic!("{said}");
    };
    Some((summary, took))
}

#[test]
fn packets_that_are_dropped_cost_the_limit_of_a_connection_and_not_thirty_seconds() {
    for version in go::VERSIONS {
        let Some((summary, took)) = exec(version, "https://10.9.0.2") else {
            return;
        };
        let attempt = &summary["attempts"][0];
        assert_eq!(attempt["class"], "timeout", "{version}: {summary}");
        let line = attempt["line"].as_str().unwrap();
        assert!(
            line.starts_with("no connection to 10.9.0.2:443 in 1 s"),
            "{line}"
        );
        assert!(took < SOON, "{version}: {took:?}");
    }
}

#[test]
fn a_silent_name_server_costs_it_too() {
    for version in [go::VERSIONS[0], go::VERSIONS[2]] {
        let Some((summary, took)) = exec(version, "https://proxy.test") else {
            return;
        };
        assert_eq!(
            summary["attempts"][0]["class"], "dns",
            "{version}: {summary}"
        );
        assert!(took < SOON, "{version}: {took:?}");
    }
}
