//! `goroam use` with a mirror: it replaces GOPROXY alone, over the profile in force.

use serde_json::json;

use crate::go;
use crate::resident::{Desk, wait_until};

const POLICY: &str = r#"version = 1
[agent]
recheck = "off"
[target.corp]
goproxy = "https://goproxy.corp.test"
private = true
module = "git.corp.test/team/hello@v1.0.0"
[[profile]]
name = "office"
when = { env = { OFFICE = "1" } }
env = { GOPROXY = "https://goproxy.corp.test", GOPRIVATE = "git.corp.test", GONOPROXY = "none" }
[[profile]]
name = "outside"
env = { GOPROXY = "https://proxy.test,direct", GOPRIVATE = "git.corp.test", GOSUMDB = "sum.golang.org" }
"#;

fn desk() -> Option<Desk> {
    Some(Desk::new(go::go(go::VERSIONS[2])?, POLICY))
}

/// The variables that a mirror leaves alone.
fn others(desk: &Desk) -> [Option<String>; 4] {
    ["GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB"].map(|name| desk.line(name))
}

#[test]
fn a_mirror_by_name_replaces_goproxy_alone_outlives_the_agent_and_ends_with_auto() {
    let Some(desk) = desk() else { return };
    let mut agent = desk.agent();
    let before = others(&desk);
    let told = desk.goroam("use cn").exits(0).stdout();
    assert!(
        told.starts_with("outside → cn  (GOPROXY chosen by hand, all else as in outside)"),
        "{told}"
    );
    let in_force = || {
        let goproxy = desk.line("GOPROXY");
        assert_eq!(goproxy.as_deref(), Some("https://goproxy.cn,direct"));
        assert_eq!(others(&desk), before);
        let status = desk.status();
        assert_eq!(status["troubles"], json!([]), "{status}");
        assert_eq!(status["profile"], "cn", "{status}");
        assert_eq!(status["pinned"]["over"], "outside", "{status}");
        assert_eq!(status["profiles"], json!(["office", "outside"]));
    };
    in_force();
    agent.signal("-TERM");
    agent.ended();
    let mut agent = desk.agent();
    in_force();
    let shown = desk.goroam("status").exits(0).stdout();
    assert!(shown.contains("by hand over outside"), "{shown}");
    let why = desk.goroam("why").exits(0).stdout();
    assert!(
        why.starts_with("cn was chosen by hand for GOPROXY, all else is as in outside"),
        "{why}"
    );
    // A policy that changes is followed below the mirror.
    let policy = POLICY.replace("sum.golang.org", "sum.golang.google.cn");
    desk.user.write(".config/goroam/goroam.toml", &policy);
    desk.wait_for("GOSUMDB", Some("sum.golang.google.cn"));
    assert_eq!(desk.status()["profile"], "cn");
    desk.user.write(".config/goroam/goroam.toml", POLICY);
    desk.wait_for("GOSUMDB", Some("sum.golang.org"));
    desk.goroam("auto").exits(0);
    let goproxy = desk.line("GOPROXY");
    assert_eq!(goproxy.as_deref(), Some("https://proxy.test,direct"));
    assert_eq!(desk.status()["pinned"], json!(null));
    assert!(agent.is_alive(), "{}", agent.log());
}

#[test]
fn a_mirror_for_a_time_ends_by_itself() {
    let Some(desk) = desk() else { return };
    let _agent = desk.agent();
    let status = desk.goroam("use direct --for 1s --json").exits(0).json();
    assert_eq!(status["pinned"]["goproxy"], "direct", "{status}");
    assert!(status["pinned"]["until"].is_string(), "{status}");
    desk.wait_for("GOPROXY", Some("https://proxy.test,direct"));
    wait_until("the journal names it", || {
        let turns = desk.history();
        let last = turns.last().unwrap();
        let is_over = last["cause"] == "pin ended" && last["from"] == "direct";
        is_over.then_some(()).ok_or(last.to_string())
    });
}

#[test]
fn what_was_set_by_hand_stays_under_a_mirror_except_goproxy() {
    let Some(desk) = desk() else { return };
    desk.goroam("once").exits(0);
    desk.go("env -w GOPRIVATE=git.corp.test,git.mine.test GOPROXY=https://own.test");
    for words in ["use off", "use off --for 2h", "once", "use cn", "use cn"] {
        desk.goroam(words).exits(0);
        let private = desk.line("GOPRIVATE");
        assert_eq!(private.as_deref(), Some("git.corp.test,git.mine.test"));
        let goproxy = desk.line("GOPROXY");
        assert_ne!(goproxy.as_deref(), Some("https://own.test"), "{words}");
    }
    // What stays is what counts.
    desk.go("env -w GONOPROXY=none");
    desk.goroam("use io").exits(4).complains("GONOPROXY=none");
    desk.goroam("auto").exits(0);
    assert_eq!(desk.line("GOPRIVATE").as_deref(), Some("git.corp.test"));
}

#[test]
fn a_mirror_that_private_names_would_reach_is_refused_and_nothing_changes() {
    let Some(desk) = desk() else { return };
    let office = desk.spawn(|run| run.env("OFFICE", "1"));
    desk.wait_for("GONOPROXY", Some("none"));
    wait_until("the agent answers", || {
        let status = desk.status();
        (status["profile"] == "office")
            .then_some(())
            .ok_or(office.log())
    });
    let before = std::fs::read(desk.env_file()).unwrap();
    let turn = desk.status()["turn"].clone();
    desk.goroam("use cn").exits(4).complains(
        "cn is not used: https://goproxy.cn would be asked for private modules: GOPRIVATE names \
         git.corp.test, and GONOPROXY=none sends them to the proxy",
    );
    for (bad, exit, why) in [
        ("http://mirror.test", 4, "plain http hop http://mirror.test"),
        ("https://", 2, "no host in proxy URL"),
        ("https://a.test,https://b.test", 2, "one URL, not a list"),
        ("ftp://a.test", 2, "ftp"),
        ("goproxy.cn", 2, "a URL begins with its scheme"),
        ("alyun", 2, "did you mean \"aliyun\"?"),
        ("ofice", 2, "did you mean \"office\"?"),
        (
            "quite-another",
            2,
            "outside, cn, io, aliyun, google, direct, off",
        ),
    ] {
        desk.goroam(&format!("use {bad}"))
            .exits(exit)
            .complains(why);
    }
    assert_eq!(std::fs::read(desk.env_file()).unwrap(), before);
    let status = desk.status();
    assert_eq!((&status["pinned"], &status["turn"]), (&json!(null), &turn));
    // The company's own proxy is no stranger, and `off` asks nobody.
    desk.goroam("use https://goproxy.corp.test").exits(0);
    desk.goroam("use off").exits(0);
    // Where GOPRIVATE keeps them, nothing is in the way.
    desk.goroam("use outside").exits(0);
    desk.goroam("use cn").exits(0);
    let goproxy = desk.line("GOPROXY");
    assert_eq!(goproxy.as_deref(), Some("https://goproxy.cn,direct"));
    // It no longer holds once the policy lets those names out.
    let policy = POLICY.replace("GOSUMDB = ", "GONOPROXY = \"none\", GOSUMDB = ");
    desk.user.write(".config/goroam/goroam.toml", &policy);
    desk.wait_for("GOPROXY", Some("https://goproxy.corp.test"));
    let status = desk.status();
    assert!(
        status["troubles"].to_string().contains("cn is not used"),
        "{status}"
    );
}

#[test]
fn a_password_in_a_mirrors_url_reaches_go_and_nothing_else() {
    let Some(desk) = desk() else { return };
    let agent = desk.agent();
    let mut told = Vec::new();
    for words in [
        "use https://joe:secret@mirror.test --for 2h",
        "use https://joe:secret@mirror.test -vv",
        "status",
        "status --json",
        "why",
        "why --json",
        "history",
        "history --json",
        "use",
        "use --json",
        "use http://joe:secret@mirror.test",
        "use joe:secret@mirror.test",
    ] {
        let output = desk.goroam(words).command().output().unwrap();
        told.push((words, [output.stdout, output.stderr].concat()));
    }
    let goproxy = desk.line("GOPROXY");
    assert_eq!(
        goproxy.as_deref(),
        Some("https://joe:secret@mirror.test,direct")
    );
    told.push(("log", agent.log().into()));
    told.push((
        "journal",
        std::fs::read(desk.state("journal.jsonl")).unwrap(),
    ));
    for (words, text) in told {
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains("secret"), "{words}: {text}");
    }
}

#[test]
fn without_an_agent_and_a_turn_before_the_network_chooses_what_lies_below() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let desk = Desk::new(go, POLICY);
    desk.goroam("use io --for 2h").exits(0);
    let goproxy = desk.line("GOPROXY");
    assert_eq!(goproxy.as_deref(), Some("https://goproxy.io,direct"));
    assert_eq!(desk.line("GOPRIVATE").as_deref(), Some("git.corp.test"));
    let status = desk.status();
    assert_eq!(status["pinned"]["over"], "outside", "{status}");
    let list = desk.goroam("use --json").exits(0).json();
    assert_eq!(list["pinned"]["name"], "io");
    let holds = list["profiles"].as_array().unwrap().iter();
    let holds = holds.map(|one| {
        (
            one["name"].as_str().unwrap(),
            one["holds"].as_bool().unwrap(),
        )
    });
    assert_eq!(
        Vec::from_iter(holds),
        [("office", false), ("outside", true)]
    );
    assert_eq!(
        list["profiles"][1]["env"]["GOPROXY"],
        "https://proxy.test,direct"
    );
    desk.goroam("auto").exits(0);
    let goproxy = desk.line("GOPROXY");
    assert_eq!(goproxy.as_deref(), Some("https://proxy.test,direct"));
}
