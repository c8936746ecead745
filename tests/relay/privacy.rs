//! A private path reaches private proxies only, whatever fails.

use crate::go::VERSIONS;
use crate::scene::{SUMDB, Scene, get};

const PRIVATE: [(&str, &str); 3] = [
    ("GOPRIVATE", "git.corp.test"),
    // So that go asks the relay for private modules as well.
    ("GONOPROXY", "none"),
    ("GONOSUMDB", "git.corp.test"),
];

#[test]
fn no_private_path_reaches_a_public_proxy_or_the_checksum_database_whatever_fails() {
    let Some(scene) = Scene::start() else { return };
    for (number, (public_fault, corp_fault, separator)) in [
        ("ok", "ok", ','),
        ("ok", "503", '|'),
        ("ok", "hang", '|'),
        ("ok", "reset", '|'),
        ("ok", "404", '|'),
        ("ok", "404", ','),
        ("ok", "badzip", '|'),
        ("ok", "stall", '|'),
        ("503", "ok", '|'),
        ("hang", "halfzip", '|'),
    ]
    .into_iter()
    .enumerate()
    {
        let public = scene.good(&format!("public-{number}"));
        let public = public.replace("/ok:", &format!("/{public_fault}:"));
        let corp = scene.bad(&format!("{corp_fault}:{number}"));
        for chain in [
            format!("{corp}{separator}{public}"),
            format!("{public}{separator}{corp}"),
            format!("{public}{separator}{public}"),
        ] {
            let Some(client) = scene.client(VERSIONS[number % VERSIONS.len()]) else {
                return;
            };
            client.knows(&[&public], &[&corp]);
            let relay = client.relay_with(&chain, "--first-byte 300ms --stall 300ms", &PRIVATE);
            let go = |words: &str| client.go_with(&relay.url, words, &PRIVATE);
            if chain.starts_with(&corp) {
                // Nobody knows a hash of it, so that other content is not noticed.
                let works = matches!(corp_fault, "ok" | "badzip");
                let got = go("mod download git.corp.test/team/hello@v1.1.0");
                assert_eq!(got.is_right(), works, "{chain}: {}", got.said());
            }
            if number == 0 {
                // go asks for every prefix of the path, and for lists.
                go("list -m git.corp.test/Team/Tools/inner@latest");
            }
            for path in [
                "/git.corp.test/team/hello/@v/list",
                "/git.corp.test/@v/list",
                "/git.corp.test/team/hello/@v/v1.1.0.zip",
                "/git.corp.test/%21team/%21tools/@latest",
                // A go with other variables asks the database about it.
                &format!("/sumdb/{SUMDB}/lookup/git.corp.test/team/hello@v1.0.0"),
            ] {
                get(&relay, path);
            }
            let public_ones = scene.asked(&public);
            let leaked = public_ones.iter().find(|path| path.contains("corp"));
            assert_eq!(leaked, None, "{chain}");
        }
    }
    let asked = scene.all_asked();
    assert!(!asked.contains("lookup/git.corp.test"), "{asked}");
    assert!(
        asked.contains("git.corp.test/team/hello/@v/v1.1.0.zip"),
        "the private proxy was asked"
    );
}

#[test]
fn a_private_proxy_that_redirects_to_a_public_one_is_not_followed_for_a_private_path() {
    let Some(scene) = Scene::start() else { return };
    let Some(client) = scene.client(VERSIONS[2]) else {
        return;
    };
    let public = scene.good("redirected");
    let port = public.split([':', '/']).nth(4).unwrap();
    let corp = scene.bad(&format!("goto:{port}"));
    client.knows(&[&public], &[&corp]);
    for separator in [',', '|'] {
        let relay = client.relay_with(&format!("{corp}{separator}{public}"), "", &PRIVATE);
        for file in ["list", "v1.1.0.info", "v1.1.0.mod", "v1.1.0.zip"] {
            let answer = get(&relay, &format!("/git.corp.test/team/hello/@v/{file}"));
            assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
            assert!(answer.contains("redirects a private path"), "{answer}");
        }
        // As go does.
        let answer = get(&relay, "/github.com/google/uuid/@v/v1.3.0.info");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let asked = scene.targets("good");
    let is_private = |target: &&String| target.contains("corp");
    assert_eq!(asked.iter().find(is_private), None);
    assert!(asked.iter().any(|target| target.contains("google/uuid")));
}
