//! Odd machines: a home that is not UTF-8, few open files, signals, no service manager.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::bench::{Bench, ENV, STATE};

#[test]
fn a_home_that_is_not_utf_8_is_kept_right_and_put_back() {
    let Some(bench) = Bench::new() else { return };
    let home = bench.user.path("").join(OsStr::from_bytes(b"j\xf6rg"));
    let env = home.join(ENV);
    std::fs::create_dir_all(env.parent().unwrap()).unwrap();
    std::fs::write(&env, "GOFLAGS=-v\n").unwrap();
    let config = bench.user.path(".config/goroam/goroam.toml");
    let goroam = |words: &str| {
        let mut command = bench.goroam(words).command();
        command.env("HOME", &home).env("GOROAM_CONFIG", &config);
        let out = command.output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{words}: {said}");
        String::from_utf8(out.stdout).unwrap()
    };
    goroam("once");
    assert_eq!(std::fs::read(&env).unwrap(), b"GOFLAGS=-v\nGOPROXY=off\n");
    for words in ["status --json", "why --json", "history --json"] {
        let _: serde_json::Value = serde_json::from_str(&goroam(words)).unwrap();
    }
    assert!(goroam("history --verify").contains("intact"));
    let kept = std::fs::read_to_string(home.join(STATE).join("baseline.json")).unwrap();
    assert!(kept.contains(r"j\\xf6rg"), "{kept}");
    goroam("once");
    goroam("restore");
    assert_eq!(std::fs::read(&env).unwrap(), b"GOFLAGS=-v\n");
}

#[test]
fn too_few_open_files_are_an_error_in_words() {
    let Some(bench) = Bench::new() else { return };
    for limit in [6, 7, 9, 12, 16] {
        for verb in [
            "once", "status", "probe", "why", "doctor", "restore", "ready", "agent",
        ] {
            bench
                .after(&format!("ulimit -n {limit}"), verb)
                .exits(1)
                .complains("Too many open files")
                .complains("ulimit -n");
        }
        // These do not need more.
        bench.after(&format!("ulimit -n {limit}"), "check").exits(0);
    }
    assert!(!bench.is_there(ENV));
    bench.after("ulimit -n 64", "once").exits(0);
}

#[test]
fn no_turns_are_none_and_the_journal_is_not_called_empty() {
    let Some(bench) = Bench::new() else { return };
    bench.goroam("once").exits(0);
    let none = bench.goroam("history -n 0").exits(0);
    assert_eq!(none.stdout(), "");
    let none = bench.goroam("history -n 0 --json").exits(0);
    assert_eq!(none.json(), serde_json::json!([]));
    for number in ["-1", "99999999999999999999", "x"] {
        bench.goroam(&format!("history --last={number}")).exits(2);
    }
    bench.goroam("history -n 18446744073709551615").exits(0);
}

#[test]
fn signals_that_end_a_process_make_the_agent_read_its_policy_again() {
    let Some(bench) = Bench::new() else { return };
    let mut agent = bench.agent(bench.goroam("agent"), "switched");
    let pid: i32 = bench.read("run/goroam/agent.lock").trim().parse().unwrap();
    for (signal, value) in [(libc::SIGUSR1, "direct"), (libc::SIGUSR2, "off")] {
        let policy = crate::bench::POLICY.replace("\"off\" }", &format!("\"{value}\" }}"));
        bench.policy(&policy);
        // SAFETY: kill takes integers only; the agent is a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        agent.wait_for("read the policy again");
    }
    let status = bench.goroam("status --json").exits(0).json();
    assert_eq!(status["agent"], "running");
}

#[test]
fn uninstall_restores_also_where_there_is_no_service_manager() {
    let Some(bench) = Bench::new() else { return };
    bench.user.write(ENV, "GOFLAGS=-v\n");
    bench.goroam("once").exits(0);
    assert_eq!(bench.read(ENV), "GOFLAGS=-v\nGOPROXY=off\n");
    bench
        .goroam("service uninstall --restore")
        .exits(1)
        .says("put the go env file back")
        .complains("systemd");
    assert_eq!(bench.read(ENV), "GOFLAGS=-v\n");
}

#[test]
fn an_agent_whose_ca_file_all_may_write_does_not_believe_it() {
    let Some(bench) = Bench::new() else { return };
    let ca = bench.user.write("ca.pem", "no matter what\n");
    crate::cli::mode(&ca, 0o666);
    bench.policy(&format!(
        "version = 1\n[target.corp]\ngoproxy = \"https://127.0.0.1:9\"\nca = {:?}\n\
         [[profile]]\nname = \"corp\"\nwhen = {{ up = \"corp\" }}\n[[profile]]\nname = \"else\"\n",
        ca.display().to_string()
    ));
    let checked = bench.goroam("check").exits(0).all();
    let checked = checked.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(checked.contains("others may write to it"), "{checked}");
    let told = bench.goroam("probe").command().output().unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("proves nothing: others may write to it (mode 0666)"),
        "{told}"
    );
}

#[test]
fn a_ca_file_that_others_could_replace_is_not_believed() {
    let Some(bench) = Bench::new() else { return };
    let ca = bench.user.write("open/ca.pem", "no matter what\n");
    crate::cli::mode(&ca, 0o600);
    crate::cli::mode(ca.parent().unwrap(), 0o777);
    bench.policy(&format!(
        "version = 1\n[target.corp]\ngoproxy = \"https://127.0.0.1:9\"\nca = {:?}\n\
         [[profile]]\nname = \"corp\"\nwhen = {{ up = \"corp\" }}\n[[profile]]\nname = \"else\"\n",
        ca.display().to_string()
    ));
    for verb in ["check", "probe"] {
        let told = bench.goroam(verb).command().output().unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            told.contains("proves nothing: another user could replace it"),
            "{told}"
        );
    }
}
