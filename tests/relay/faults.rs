//! Every fault on the first of two hops: with a public one go ends right and soon, with another one
//! before a comma it stops with the reason.

use std::sync::Mutex;
use std::time::Duration;

use crate::go::VERSIONS;
use crate::scene::{BlackHole, Scene};
use crate::server::dead_port;

/// Faults, and what go prints where the chain stops there.
const FAULTS: [(&str, &str); 17] = [
    ("refused", "connection refused"),
    ("black hole", "in 3 s"),
    ("hang", "in 3 s"),
    ("slow:5", "in 3 s"),
    ("stall", "3 s"),
    ("reset", "reset the connection"),
    ("close", "closed the connection"),
    ("500", "answers 500"),
    ("502", "answers 502"),
    ("503", "answers 503"),
    ("trunczip", "closed the connection"),
    ("halfzip", "damaged zip"),
    ("portal302", "HTML page"),
    ("portal200", "HTML page"),
    ("badjson", "JSON"),
    ("dead302", "302 to http://127.0.0.1:1/"),
    ("expired", "ended on 2020"),
];
/// A valid zip with other content: where no hash is known, go itself finds it.
const WRONG_CONTENT: &str = "badzip";

/// The relay's time limits here; that of a stalled download is 10 s else.
const LIMITS: &str = "--connect 3s --first-byte 3s --stall 3s";
/// A second for the first requests, which another proxy is asked beside; one time limit for the next;
/// the rest is for a busy machine.
const ONE_LIMIT: Duration = Duration::from_secs(6);
/// Runs at a time: most of them wait.
const LANES: usize = 3;

/// The base URL of a proxy with this fault, and what keeps the fault.
fn hop(scene: &Scene, fault: &str) -> (String, Option<BlackHole>) {
    match fault {
        "refused" => (format!("http://127.0.0.1:{}", dead_port()), None),
        "black hole" => {
            let hole = BlackHole::new();
            (format!("http://127.0.0.1:{}", hole.port), Some(hole))
        }
        fault => (scene.bad(fault), None),
    }
}

/// Downloads all modules of the project and lists the versions of one; how long it took.
fn download(scene: &Scene, version: &str, fault: &str) -> Option<Duration> {
    let client = scene.client(version)?;
    let (bad, _hole) = hop(scene, fault);
    let good = scene.good(&format!("{}-{version}", fault.replace([' ', ':'], "-")));
    client.knows(&[&bad, &good], &[]);
    let relay = client.relay(&format!("{bad},{good}"), LIMITS);
    let ran = client.go(&relay, "mod download");
    assert!(ran.is_right(), "{fault} {version}: {}", ran.said());
    let listed = client.go(&relay, "list -m -versions github.com/google/uuid");
    assert!(
        listed.said().contains("v1.3.0 v1.3.1"),
        "{fault}: {}",
        listed.said()
    );
    Some(ran.took + listed.took)
}

/// Runs each case in one of a few lanes.
fn side_by_side<T: Send + Sync>(cases: &[T], run: impl Fn(&T) + Sync) {
    let next = Mutex::new(cases.iter());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(case) = { next.lock().unwrap().next() } {
                    run(case);
                }
            });
        }
    });
}

#[test]
fn whatever_the_first_public_proxy_does_go_ends_right_and_soon() {
    let Some(scene) = Scene::start() else { return };
    for version in VERSIONS {
        let slowest = Mutex::new(Duration::ZERO);
        // As many at a time as later.
        side_by_side(&[(); LANES], |()| {
            if let Some(took) = download(&scene, version, "ok") {
                let mut slowest = slowest.lock().unwrap();
                *slowest = took.max(*slowest);
            }
        });
        let slowest = slowest.into_inner().unwrap();
        if slowest.is_zero() {
            return; // there is no such go
        }
        let all: Vec<&str> = FAULTS
            .iter()
            .map(|(fault, _)| *fault)
            .chain([WRONG_CONTENT])
            .collect();
        let faults = match version {
            "1.27.3" => all,
            _ => vec!["hang", "trunczip", WRONG_CONTENT],
        };
        side_by_side(&faults, |fault| {
            let took = download(&scene, version, fault).unwrap();
            let limit = slowest.mul_f64(1.5) + ONE_LIMIT;
            println!("go {version}, {fault}: {took:.1?}, without a fault {slowest:.1?}");
            assert!(
                took <= limit,
                "{fault} {version}: {took:?} instead of {limit:?}"
            );
        });
    }
}

#[test]
fn a_build_whose_first_public_proxy_hangs_is_whole() {
    let Some(scene) = Scene::start() else { return };
    for version in VERSIONS {
        let Some(client) = scene.client(version) else {
            return;
        };
        let (bad, good) = (scene.bad("hang"), scene.good(&format!("build-{version}")));
        client.knows(&[&bad, &good], &[]);
        let relay = client.relay(&format!("{bad},{good}"), LIMITS);
        let built = client.go(&relay, "build -o built .");
        assert!(built.is_right(), "{version}: {}", built.said());
        assert!(client.user.path("app/built").exists());
    }
}

#[test]
fn a_private_or_unknown_proxy_before_a_comma_stops_go_with_the_reason_and_sends_nothing_on() {
    let Some(scene) = Scene::start() else { return };
    let faults = FAULTS
        .iter()
        .copied()
        .chain([(WRONG_CONTENT, "checksum mismatch")]);
    let cases: Vec<_> = faults
        .flat_map(|fault| [(fault, true), (fault, false)])
        .collect();
    side_by_side(&cases, |((fault, reason), is_private)| {
        let Some(client) = scene.client(VERSIONS[2]) else {
            return;
        };
        let (bad, _hole) = hop(&scene, fault);
        let name = format!("stop-{}-{is_private}", fault.replace([' ', ':'], "-"));
        let good = scene.good(&name);
        let private: &[&str] = if *is_private { &[&bad] } else { &[] };
        client.knows(&[&good], private);
        let relay = client.relay(&format!("{bad},{good}"), LIMITS);
        let ran = client.go(&relay, "mod download github.com/google/uuid@v1.3.0");
        assert!(
            !ran.is_right(),
            "{fault}, private {is_private}: {}",
            ran.said()
        );
        assert!(
            ran.said().contains(reason),
            "{fault}, private {is_private}: {}",
            ran.said()
        );
        let sent_on = scene.asked(&good);
        assert!(
            sent_on.is_empty(),
            "{fault}, private {is_private}: {sent_on:?}"
        );
    });
}
