//! goroam.exe and a real go.exe, under Wine: whole turns, and the way back.

use crate::probe_server::{Server, dead_port, good_proxy};
use crate::wine::{GO_VERSIONS, Wine};

/// What somebody has there already, as an editor of theirs has left it.
const BEFORE: &str = "GOFLAGS=-mod=mod\r\nGOPROXY=https://before.example\r\n";

/// Two tiers: a proxy on the network, a mirror in a folder.
fn tiers(proxy: &str) -> String {
    format!(
        r#"version = 1
[agent]
recheck = "off"
[target.proxy]
goproxy = "{proxy}"
[target.mirror]
mirror = "C:\\mirror"

[[profile]]
name = "network"
when = {{ up = "proxy" }}
env = {{ GOPROXY = "{proxy},off", GOSUMDB = "sum.golang.org" }}

[[profile]]
name = "mirror"
when = {{ up = "mirror" }}
env = {{ GOPROXY = "file:///C:/mirror,off", GONOPROXY = "none" }}

[[profile]]
name = "nothing"
env = {{ GOPROXY = "off" }}
"#
    )
}

#[test]
fn the_policy_that_init_writes_passes_the_check() {
    let Some(wine) = Wine::get() else { return };
    let wine = wine.with_go("1.27.3");
    wine.goroam("init")
        .exits(0)
        .says(r"C:\users\dev\AppData\Roaming\goroam\config\goroam.toml");
    wine.goroam("check").exits(0);
    assert!(wine.policy().exists());
    wine.goroam("init").exits(1).complains("exists already");
    wine.goroam("doctor").exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_sets_what_go_then_says_and_restore_gives_the_file_back_byte_for_byte() {
    for version in GO_VERSIONS {
        let Some(wine) = Wine::get() else { return };
        let wine = wine.with_go(version);
        let server = Server::http(good_proxy).await;
        let url = server.url("http");
        wine.write("AppData/Roaming/go/env", BEFORE);
        wine.write("AppData/Roaming/goroam/config/goroam.toml", tiers(&url));
        let turn = wine.goroam("once --json").exits(0).json();
        assert_eq!(turn["profile"], "network", "{turn:#}");
        assert!(!server.seen().is_empty(), "nobody has asked the proxy");

        let go = wine.run_go("env GOPROXY GOSUMDB GOFLAGS").exits(0);
        let said: Vec<&str> = go.stdout.lines().collect();
        assert_eq!(
            said,
            [format!("{url},off").as_str(), "sum.golang.org", "-mod=mod"]
        );
        wine.goroam("history --verify").exits(0);

        wine.goroam("restore").exits(0);
        assert_eq!(
            std::fs::read_to_string(wine.go_env()).unwrap(),
            BEFORE,
            "go {version}"
        );
        let left = names(wine.go_env().parent().unwrap());
        assert_eq!(left, ["env"], "go {version}");
    }
}

#[test]
fn without_a_network_go_downloads_from_a_mirror_in_a_folder() {
    let Some(wine) = Wine::get() else { return };
    let mut wine = wine.with_go("1.27.3");
    wine.set("GOFLAGS", "-modcacherw");
    let proxy = format!("http://127.0.0.1:{}", dead_port());
    wine.write("AppData/Roaming/goroam/config/goroam.toml", tiers(&proxy));
    wine.goroam("once").exits(0).says("nothing");
    wine.run_go("env GOPROXY").exits(0).says("off");

    wine.make_module("mirror");
    wine.goroam("once").exits(0).says("mirror");
    wine.run_go("env GOPROXY")
        .exits(0)
        .says("file:///C:/mirror,off");
    wine.run_go("mod download -json example.com/hello@v1.0.0")
        .env("GONOSUMDB", "example.com")
        .exits(0)
        .says(r#""Version": "v1.0.0""#);
    assert!(
        wine.home()
            .join("go/pkg/mod/example.com/hello@v1.0.0/hello.go")
            .exists()
    );
    // No go env file was there before, so none is there afterwards.
    wine.goroam("restore").exits(0);
    assert!(!wine.go_env().exists());
}

#[test]
fn a_user_with_another_alphabet_and_a_deep_policy_has_a_turn_too() {
    let Some(wine) = Wine::of_user("Ünï cødé 用户") else {
        return;
    };
    let wine = wine.with_go("1.27.3");
    // Longer than MAX_PATH in all.
    let deep = ["ein-sehr-langer-ordnername-für-richtlinien"; 7].join("/");
    let policy = wine.write(
        &format!("{deep}/richtlinie.toml"),
        "version = 1\n[[profile]]\nname = \"größe\"\nenv = { GOPROXY = \"off\" }\n",
    );
    let policy = wine.windows(&policy);
    assert!(policy.len() > 260, "{policy}");
    let turn = wine
        .goroam("once --json")
        .env("GOROAM_CONFIG", &policy)
        .exits(0)
        .json();
    assert_eq!(turn["profile"], "größe");
    assert_eq!(turn["policy"], policy);
    wine.run_go("env GOPROXY").exits(0).says("off");
    wine.run_go("env GOENV")
        .exits(0)
        .says(r"C:\users\Ünï cødé 用户\AppData\Roaming\go\env");
    wine.goroam("restore")
        .env("GOROAM_CONFIG", &policy)
        .exits(0);
    assert!(!wine.go_env().exists());
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // Go's own counters.
        .filter(|name| name != "telemetry")
        .collect();
    names.sort();
    names
}
