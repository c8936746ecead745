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
