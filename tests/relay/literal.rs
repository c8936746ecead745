//! Word for word what was asked for: several hosts, a limit for each, retries for each, short
//! circuit, 502 at the end.

use crate::go::VERSIONS;
use crate::scene::{BlackHole, Scene, wait_until};

const MODULE: &str = "github.com/google/uuid";

#[test]
fn failing_proxies_are_asked_three_times_silent_ones_once_and_the_third_serves() {
    let Some(scene) = Scene::start() else { return };
    let info = format!("/{MODULE}/@v/v1.3.0.info");
    for (first, second, times) in [
        ("503", "500", 3),
        ("reset", "close", 3),
        ("hang:1", "hang:2", 1),
    ] {
        let Some(client) = scene.client(VERSIONS[2]) else {
            return;
        };
        let good = scene.good(&format!("third-{}", first.replace(':', "-")));
        let (first, second) = (scene.bad(first), scene.bad(second));
        client.knows(&[&first, &second, &good], &[]);
        let relay = client.relay(&format!("{first},{second},{good}"), "--first-byte 900ms");
        let got = crate::scene::get(&relay, &info);
        assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
        for (bad, times) in [(&first, times), (&second, times), (&good, 1)] {
            // The fault server logs a request when it has answered it.
            wait_until("the log", || scene.asked(bad).len() >= times);
            assert_eq!(scene.asked(bad), vec![info.as_str(); times], "{bad}");
        }
        // The breakers have opened: the next request goes to the third alone.
        let ran = client.go(&relay, &format!("mod download {MODULE}@v1.3.0"));
        assert!(ran.is_right(), "{}", ran.said());
        assert_eq!(scene.asked(&first).len(), times);
    }
}

#[test]
fn when_all_fail_go_prints_why_each_did_in_few_lines() {
    let Some(scene) = Scene::start() else { return };
    let hole = BlackHole::new();
    let bad = [
        format!("http://127.0.0.1:{}", hole.port),
        format!("http://127.0.0.1:{}", crate::server::dead_port()),
        scene.bad("503"),
        scene.bad("portal200"),
        scene.bad("reset"),
        scene.bad("close"),
    ];
    for version in VERSIONS {
        let Some(client) = scene.client(version) else {
            return;
        };
        client.knows(
            &[bad[0].as_str(), &bad[1], &bad[2], &bad[3], &bad[4], &bad[5]],
            &[],
        );
        let relay = client.relay(&bad.join("|"), "--connect 500ms");
        let ran = client.go(&relay, &format!("mod download {MODULE}@v1.3.0"));
        assert!(!ran.is_right());
        let said = ran.said();
        assert!(said.contains("502 Bad Gateway"), "{said}");
        for part in [
            "connection refused by",
            "answers 503",
            "500 ms",
            "HTML page",
            "reset",
            "closed",
        ] {
            assert!(said.contains(part), "no {part:?}: {said}");
        }
        let lines = said.lines().filter(|line| line.starts_with('\t'));
        assert!(lines.clone().count() <= 9, "{said}");
        assert!(
            lines.clone().all(|line| line.chars().count() <= 80),
            "{said}"
        );
    }
}
