//! `${NAME}` in a policy's values: what it stands for must be what go will use afterwards.

use crate::bench::{Bench, ENV};

const MOVED: &str = r#"version = 1
[[profile]]
name = "moved"
when = { env = { SITE = "lab" } }
env = { @, GOPROXY = "file://${GOMODCACHE}/cache/download,off" }
[[profile]]
name = "usual"
env = { GOPROXY = "file://${GOMODCACHE}/cache/download,off" }
"#;

#[test]
fn a_reference_means_what_the_same_profile_sets() {
    for (own, folder) in [
        ("GOMODCACHE = \"${HOME}/data\"", "data"),
        ("GOPATH = \"${HOME}/own\"", "own/pkg/mod"),
        (
            "GOPATH = \"${HOME}/own\", GOMODCACHE = \"${GOPATH}/m\"",
            "own/m",
        ),
    ] {
        let Some(bench) = Bench::new() else { return };
        bench.policy(&MOVED.replace('@', own));
        let wants = |folder: &str| {
            let home = bench.user.path("");
            let want = format!(
                "GOPROXY=file://{}{folder}/cache/download,off\n",
                home.display()
            );
            let written = bench.read(ENV);
            assert!(written.contains(&want), "{own}: no {want} in {written}");
        };
        for _ in 0..2 {
            bench.goroam("once").env("SITE", "lab").exits(0);
            wants(folder);
            let again = bench.goroam("once --json").env("SITE", "lab").exits(0);
            assert_eq!(again.json()["changed"], serde_json::json!([]), "{own}");
            bench.goroam("once").exits(0);
            wants("go/pkg/mod");
        }
    }
}

#[test]
fn a_reference_means_what_the_environment_makes_of_it() {
    let Some(bench) = Bench::new() else { return };
    bench.policy(&MOVED.replace('@', "GOMODCACHE = \"/elsewhere\""));
    for site in ["lab", "home"] {
        let run = bench.goroam("once").env("SITE", site);
        run.env("GOMODCACHE", "/exported").exits(0);
        let written = bench.read(ENV);
        let want = "GOPROXY=file:///exported/cache/download,off\n";
        assert!(written.contains(want), "{site}: {written}");
    }
}

#[test]
fn references_that_go_in_circles_are_refused() {
    let Some(bench) = Bench::new() else { return };
    bench.policy(&MOVED.replace(
        '@',
        "GOPATH = \"${GOMODCACHE}\", GOMODCACHE = \"${GOPATH}\"",
    ));
    bench
        .goroam("once")
        .env("SITE", "lab")
        .exits(2)
        .complains("GOPATH refers to itself, by way of another variable")
        .complains("GOMODCACHE refers to itself");
    assert!(!bench.is_there(ENV));
}

#[test]
fn why_does_not_tell_of_another_policy() {
    let Some(bench) = Bench::new() else { return };
    bench.goroam("once").exits(0);
    bench
        .goroam("why")
        .exits(0)
        .says("only was chosen")
        .says("Turn 1");
    let other = "version = 1\n[[profile]]\nname = \"lab\"\nwhen = { online = true }\n\
                 [[profile]]\nname = \"only\"\n";
    bench.user.write("other.toml", other);
    bench
        .goroam("why --config other.toml")
        .exits(0)
        .says("lab was not");
}

/// What stands for the built-in `offline`.
const OFFLINE: &str = r#"version = 1
[agent]
recheck = "off"
fall = 1
[target.mirror]
mirror = "${MIRROR}"
[[profile]]
name = "offline"
env = { GOPROXY = { fastest = ["mirror"], then = "file://${GOMODCACHE}/cache/download,off" }, GONOPROXY = "none" }
"#;

#[test]
fn an_agent_off_line_hears_of_a_mirror_that_was_filled_or_emptied() {
    let Some(bench) = Bench::new() else { return };
    bench.policy(OFFLINE);
    let mut agent = bench.agent(bench.goroam("agent"), "switched");
    assert!(!bench.read(ENV).contains("/goroam/mirror"), "there is none");
    let file = ".local/share/goroam/mirror/a.test/b/@v/v1.0.0.zip";
    for there in [true, false] {
        match there {
            true => drop(bench.user.write(file, "PK\x03\x04")),
            false => std::fs::remove_file(bench.user.path(file)).unwrap(),
        }
        // Whatever comes of it: it is a verb that may change what the mirror holds.
        drop(
            bench
                .goroam("mirror prune --older-than 900d")
                .command()
                .output()
                .unwrap(),
        );
        // The step in force has a name, and it is the same everywhere.
        for words in ["status --json", "why --json", "once --dry-run --json"] {
            let said = bench.goroam(words).exits(0).json();
            assert_eq!(said["tier"], "mirror", "{words}: {said:#}");
        }
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while bench.read(ENV).contains("/goroam/mirror,file:///") != there {
            assert!(std::time::Instant::now() < end, "{}", bench.read(ENV));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    agent.kill();
}

#[test]
fn asking_what_would_be_done_does_not_undo_what_is_being_done() {
    let Some(bench) = Bench::new() else { return };
    // A way out that leads nowhere: what is asked takes its time.
    let network = "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up
        ip addr add 10.9.0.2/24 dev v0; ip route add default via 10.9.0.1";
    let mut agent = bench.agent(bench.after(network, "agent"), "switched");
    bench.policy(
        r#"version = 1
[agent]
recheck = "off"
[probe]
connect = "2s"
retries = 0
[target.far]
https = "https://10.9.0.7"
[[profile]]
name = "far"
when = { up = "far" }
env = { GOPROXY = "https://10.9.0.7" }
[[profile]]
name = "near"
env = { GOPROXY = "direct" }
"#,
    );
    agent.wait_for("read the policy again");
    bench.goroam("once --dry-run").exits(0);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while bench.read(ENV) != "GOPROXY=direct\n" {
        assert!(std::time::Instant::now() < end, "{}", bench.read(ENV));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
