//! No go command, a wrong one, several of them.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::bench::{Bench, ENV, POLICY, script};

/// A PATH with the system's programs; `hiding_go` sees to it that go is not among them.
const NO_GO: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// The policy with `go` in its [agent].
fn naming(path: &str) -> String {
    POLICY.replace("[agent]\n", &format!("[agent]\ngo = \"{path}\"\n"))
}

#[test]
fn without_a_go_command_it_says_where_it_looked_and_what_to_do() {
    let Some(bench) = Bench::new() else { return };
    for verb in ["once", "why", "use only"] {
        bench
            .hiding_go(verb)
            .env("PATH", NO_GO)
            .exits(3)
            .complains("goroam: no go command found. Looked in PATH (4 folders), /usr/local/go/bin")
            .complains("~/sdk, mise, asdf, goenv and gvm")
            .complains("go.dev/dl or set `go = \"/path/to/go\"` in [agent]");
    }
    // One line in the log, not two; and it stays, for one may be installed.
    let run = bench.hiding_go("agent").env("PATH", NO_GO);
    let mut agent = bench.agent(run, "watching the network");
    let line = agent.wait_for("no go command found");
    assert!(line.contains("in [agent]"), "{line}");
}

#[test]
fn the_first_of_path_is_taken_and_the_others_are_told_on_demand() {
    let Some(bench) = Bench::new() else { return };
    std::fs::create_dir(bench.user.path("second")).unwrap();
    let second = script(&bench, "second/go", "exit 1");
    let path = format!(
        "{}:{}:{NO_GO}",
        bench.go_folder().display(),
        bench.user.path("second").display()
    );
    let done = bench.goroam("once -v").env("PATH", &path).exits(0);
    let first = bench.go_folder().join("go").canonicalize().unwrap();
    done.complains("uses this go command")
        .complains(&format!("path={}", first.display()))
        .complains(second.to_str().unwrap());
    // A broken one before it is passed over.
    let path = format!(
        "{}:{}:{NO_GO}",
        bench.user.path("second").display(),
        bench.go_folder().display()
    );
    bench.goroam("once").env("PATH", &path).exits(0);
}

#[test]
fn a_go_command_from_before_env_w_is_named_with_its_version() {
    let Some(bench) = Bench::new() else { return };
    // A real program in a GOROOT that says it is old: no process is started to find out.
    std::fs::create_dir_all(bench.user.path("old/pkg/tool")).unwrap();
    std::fs::create_dir_all(bench.user.path("old/bin")).unwrap();
    bench.user.write("old/VERSION", "go1.12.17");
    std::fs::copy("/bin/true", bench.user.path("old/bin/go")).unwrap();
    let old = bench.user.path("old/bin");
    // A wrapper: `go env GOVERSION` is an empty line there.
    let answer = format!("echo {}; echo", bench.user.path("old").display());
    let wrapper = script(&bench, "wrapper/go", &answer);
    for folder in [old.as_path(), wrapper.parent().unwrap()] {
        let path = format!("{}:{NO_GO}", folder.display());
        bench
            .hiding_go("once")
            .env("PATH", &path)
            .exits(3)
            .complains(&format!("{}/go is go 1.12.17", folder.display()))
            .complains("no `go env -w`; goroam needs go 1.13 or later");
        // A good one behind it is better than a complaint.
        let path = format!("{path}:{}", bench.go_folder().display());
        bench.hiding_go("once").env("PATH", &path).exits(0);
    }
    bench.policy(&naming(old.join("go").to_str().unwrap()));
    bench
        .hiding_go("once")
        .exits(3)
        .complains("is go 1.12.17, which has no `go env -w`");
}

#[test]
fn a_go_command_that_the_policy_names_must_be_one() {
    let Some(bench) = Bench::new() else { return };
    bench.user.write("text", "go");
    symlink("loop", bench.user.path("loop")).unwrap();
    script(&bench, "liar", "echo hello");
    script(&bench, "angry", "echo 'no Go here' >&2; exit 3");
    for (name, why) in [
        ("nowhere/go", "does not exist"),
        ("text", "is not executable"),
        ("run", "is a folder"),
        (
            "loop",
            "cannot be looked at: Too many levels of symbolic links",
        ),
        (
            "liar",
            "is not a go command: it does not answer `go env GOROOT`",
        ),
        ("angry", "is not a go command: it prints \"no Go here\""),
    ] {
        let path = bench.user.path(name);
        bench.policy(&naming(path.to_str().unwrap()));
        bench
            .goroam("once")
            .exits(3)
            .complains(&format!("goroam: {}: {why}", path.display()))
            .complains("`go` in [agent] names it");
    }
    assert!(!bench.is_there(ENV), "nothing was written");
}

#[test]
fn a_go_command_that_hangs_is_not_waited_for() {
    let Some(bench) = Bench::new() else { return };
    let go = script(&bench, "hang/go", "sleep 1000");
    bench.policy(&naming(go.to_str().unwrap()));
    let started = Instant::now();
    bench
        .hiding_go("once")
        .exits(3)
        .complains("cannot be run: no answer within 5 s; `go` in [agent] names it");
    bench.policy(POLICY);
    let path = format!("{}:{NO_GO}", go.parent().unwrap().display());
    bench
        .hiding_go("once")
        .env("PATH", &path)
        .exits(3)
        .complains(&format!(
            "does not work: {} (cannot be run: no answer",
            go.display()
        ));
    assert!(started.elapsed() < Duration::from_secs(30));
}
