//! Whose settings? Without a sure answer nothing is written, not even a folder.

use std::os::unix::fs::chown;

use crate::bench::{Bench, ENV, POLICY};

#[test]
fn a_home_that_is_not_set_or_relative_is_refused() {
    let Some(bench) = Bench::new() else { return };
    for verb in ["once", "status", "why", "agent", "init", "history"] {
        bench
            .goroam(verb)
            .env("HOME", "")
            .exits(4)
            .complains("HOME is not set")
            .complains("with HOME set");
        bench
            .goroam(verb)
            .env("HOME", "rel")
            .exits(4)
            .complains("HOME=rel is relative")
            .complains("set it to an absolute path");
    }
    assert!(!bench.is_there("rel"));
}

#[test]
fn folders_that_are_relative_are_named_or_passed_over_and_never_made() {
    let Some(bench) = Bench::new() else { return };
    // go has no env file then.
    bench
        .goroam("once")
        .env("XDG_CONFIG_HOME", "rel")
        .exits(4)
        .complains("XDG_CONFIG_HOME=rel is relative")
        .complains("give it an absolute path or unset it");
    // The XDG specification: a relative one is ignored.
    bench
        .goroam("once")
        .env("XDG_STATE_HOME", "rel")
        .env("XDG_RUNTIME_DIR", "rel")
        .exits(0);
    assert!(!bench.is_there("rel"));
}

#[test]
fn goenv_off_or_relative_means_hands_off() {
    let Some(bench) = Bench::new() else { return };
    for (value, why) in [
        ("off", "GOENV=off: the user has turned the go env file off"),
        ("rel/env", "GOENV=rel/env is relative"),
    ] {
        for verb in ["once", "why", "use only", "auto", "restore", "agent"] {
            bench
                .goroam(verb)
                .env("GOENV", value)
                .exits(4)
                .complains(why)
                .complains("unset");
        }
        let status = bench.goroam("status --json").env("GOENV", value).exits(0);
        let troubles = status.json()["troubles"].to_string();
        assert!(troubles.contains(why), "{troubles}");
    }
    for name in [ENV, "rel", ".local", "run/goroam"] {
        assert!(!bench.is_there(name), "{name}");
    }
}

#[test]
fn root_leaves_nothing_in_somebody_elses_home() {
    let Some(bench) = Bench::new() else { return };
    std::fs::remove_dir_all(bench.user.path(".config")).unwrap();
    chown(bench.user.path(""), Some(1000), None).unwrap();
    for verb in [
        "once", "why", "use only", "auto", "restore", "agent", "init",
    ] {
        bench
            .goroam(verb)
            .exits(4)
            .complains("belongs to uid 1000, but goroam runs as uid 0")
            .complains("Run it as that user");
    }
    let status = bench.goroam("status --json").exits(0).json();
    assert!(status["troubles"].to_string().contains("uid 1000"));
    let left: Vec<_> = std::fs::read_dir(bench.user.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["run"], "nothing new");
    // `sudo` with the user's own HOME: the policy there is the user's as well.
    let policy = bench.user.write(".config/goroam/goroam.toml", POLICY);
    chown(&policy, Some(1000), None).unwrap();
    bench
        .goroam("once")
        .exits(4)
        .complains("belongs to uid 1000, but goroam runs as uid 0");
}

#[test]
fn a_second_go_env_file_waits_until_the_first_is_put_back() {
    let Some(bench) = Bench::new() else { return };
    bench.goroam("once").exits(0);
    let other = bench.user.path("other-env");
    let other = other.to_str().unwrap();
    for verb in ["once", "restore"] {
        bench
            .goroam(verb)
            .env("GOENV", other)
            .exits(4)
            .complains("goroam looks after")
            .complains("run `goroam restore` with GOENV=");
    }
    assert!(!bench.is_there("other-env"), "nothing is written there");
    bench.goroam("restore").exits(0);
    bench.goroam("once").env("GOENV", other).exits(0);
    assert!(bench.is_there("other-env"));
}
