//! A password in a URL is for the proxy alone: it is in the policy, where its owner wrote it,
//! and in the go env file, where go reads it, and nowhere that anybody looks.

use crate::bench::{Bench, ENV, STATE};

const SECRET: &str = "s3cret";

const POLICY: &str = r#"version = 1
[agent]
recheck = "off"
[probe]
connect = "1s"
retries = 0
[target.corp]
goproxy = "https://joe:s3cret@corp.example/x"
[target.web]
https = "https://joe:s3cret@127.0.0.1:1/"
[target.plain]
goproxy = "https://joe:s3cret@127.0.0.1:1/"
[target.via]
sumdb = "sum.golang.org"
via = "https://joe:s3cret@via.example"
[[profile]]
name = "corp"
when = { all = [ { up = "corp" }, { up = "web" }, { up = "plain" }, { up = "via" } ] }
env = { GOPROXY = "https://joe:s3cret@corp.example/x,direct" }
[[profile]]
name = "offline"
env = { GOPROXY = "https://joe:s3cret@corp.example/x,off", GOSUMDB = "sum.golang.org https://joe:s3cret@sum.example" }
"#;

#[test]
fn a_password_in_a_url_is_never_shown() {
    let Some(bench) = Bench::new() else { return };
    bench.policy(POLICY);
    for words in [
        "check",
        "check --json",
        "probe",
        "probe --json -vv",
        "once --dry-run --json",
        "once -vv",
        "once --json",
        "status",
        "status --json",
        "why",
        "why --json",
        "use corp -vv",
        "use corp --json",
        "auto --json",
        "history",
        "history --json",
        "history --verify --json",
    ] {
        let done = bench
            .goroam(words)
            .env(
                "GOROAM_LOG",
                if words.contains("-v") { "trace" } else { "" },
            )
            .env("GOPROXY", "https://joe:s3cret@shell.example")
            .env("HTTPS_PROXY", "http://joe:s3cret@127.0.0.1:9")
            .exits(0);
        assert!(!done.all().contains(SECRET), "{words}: {}", done.all());
    }
    // The go command gets it, or it could not use the proxy.
    assert!(bench.read(ENV).contains("joe:s3cret@corp.example"));
    for entry in std::fs::read_dir(bench.user.path(STATE)).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        // What goroam wrote, to know it again: private to the user, as the folder is.
        let needed = path.ends_with("state.json");
        assert!(needed || !text.contains(SECRET), "{}", path.display());
    }
    let done = bench.goroam("restore --json").exits(0);
    assert!(!done.all().contains(SECRET), "{}", done.all());
    let kept = bench.read(&format!("{STATE}/state.json"));
    assert!(!kept.contains(SECRET), "{kept}");
}

#[test]
fn an_agent_that_tells_everything_does_not_tell_a_password() {
    let Some(bench) = Bench::new() else { return };
    bench.policy(POLICY);
    let run = bench.goroam("agent -vv").env("GOROAM_LOG", "trace");
    let log = bench.user.path("log");
    let mut child = run
        .command()
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let switched = loop {
        let told = std::fs::read_to_string(&log).unwrap();
        if told.contains("switched") || std::time::Instant::now() > deadline {
            break told;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    };
    for words in ["status --json", "why --json", "once --json"] {
        let done = bench.goroam(words).exits(0);
        assert!(!done.all().contains(SECRET), "{words}: {}", done.all());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(switched.contains("switched"), "{switched}");
    let told = std::fs::read_to_string(&log).unwrap();
    assert!(!told.contains(SECRET), "{told}");
}

#[test]
fn a_password_in_a_wrong_line_of_a_policy_is_hidden_in_the_line_that_is_shown() {
    let Some(bench) = Bench::new() else { return };
    for (right, wrong) in [
        ("version = 1", "version = 1\nx = \"https://joe:s3cret@h\""),
        ("https://joe:s3cret@via", "htps://joe:s3cret@via"),
        (
            "[target.plain]\ngoproxy = \"https",
            "[target.plain]\ngoproxy = \"http",
        ),
        ("127.0.0.1:1/\"\n[target.plain]", "h h/\"\n[target.plain]"),
        ("corp.example/x,off\"", "corp.example/x,,|off bad\""),
        ("corp.example/x,off\"", "corp.example/x,off"),
        ("{ up = \"web\" }", "{ up = \"https://joe:s3cret@h\" }"),
        ("sum.golang.org https", "sum.golng.org https"),
        ("recheck = \"off\"", "recheck = \"https://joe:s3cret@h\""),
        (
            "[target.via]",
            "[target.\"https://joe:s3cret@h\"]\n[target.via]",
        ),
    ] {
        let text = POLICY.replacen(right, wrong, 1);
        assert_ne!(text, POLICY, "{right}");
        bench.policy(&text);
        for words in ["check", "check --json", "once -vv"] {
            let done = bench.goroam(words).exits(2);
            assert!(!done.all().contains(SECRET), "{wrong}: {}", done.all());
        }
    }
}
