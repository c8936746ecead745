//! `[relay] keep`: what passes is in the mirror afterwards, and only what is proven.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::go::VERSIONS;
use crate::scene::{Client, Relay, Scene, get, wait_until};
use crate::server::dead_port;

/// One module, which needs no other.
const ONE: &str = "mod download github.com/google/uuid@v1.3.0";

/// Time limits that a busy machine keeps.
const PATIENT: &str = "--first-byte 30s";

/// The policy: all proxies are public, and the mirror keeps what passes.
fn keeps(client: &Client, mirror: &Path, more: &str, public: &[&str]) {
    let mut policy = format!(
        "version = 1\n[mirror]\npath = \"{}\"\n[relay]\nkeep = true\n{more}\n",
        mirror.display()
    );
    for (number, url) in public.iter().enumerate() {
        policy.push_str(&format!("[target.t{number}]\ngoproxy = \"{url}\"\n"));
    }
    policy.push_str("[[profile]]\nname = \"any\"\nenv = { GOPROXY = \"off\" }\n");
    client.user.write(".config/goroam/goroam.toml", policy);
}

/// The files of a tree of modules with this end, below its root.
fn files(root: &Path, end: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == end) {
                found.insert(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found
}

fn metric(relay: &Relay, name: &str) -> u64 {
    let metrics = get(relay, "/metrics");
    let line = metrics.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.rsplit_once(' ')).unwrap().1;
    value.parse().unwrap()
}

#[test]
fn an_aeroplane_builds_from_what_has_passed() {
    let Some(scene) = Scene::start() else { return };
    let Some(client) = scene.client(VERSIONS[2]) else {
        return;
    };
    let (bad, good) = (scene.bad("badzip"), scene.good("kept"));
    let mirror = client.user.path("kept");
    keeps(&client, &mirror, "", &[&bad, &good]);
    let relay = client.relay(&format!("{bad},{good}"), PATIENT);
    let ran = client.go(&relay, "build ./...");
    assert!(ran.is_right(), "{}", ran.said());
    let cache = client.user.path("go/pkg/mod/cache/download");
    let zips = files(&cache, "zip");
    assert!(zips.len() > 5, "{zips:?}");
    wait_until("all of it is kept", || {
        let kept = metric(&relay, "goroam_relay_kept_total ");
        kept == zips.len() as u64 && files(&mirror, "mod").is_superset(&files(&cache, "mod"))
    });
    assert_eq!(files(&mirror, "zip"), zips);
    assert_eq!(metric(&relay, "goroam_relay_keep_stopped "), 0);
    assert_eq!(metric(&relay, "goroam_relay_stale_total "), 0);
    let asked = scene.asked(&good);
    let asked: Vec<_> = asked.iter().filter(|path| path.ends_with(".zip")).collect();
    assert_eq!(asked.len(), zips.len(), "{asked:?}");
    drop(relay);

    let goroam = Path::new(env!("CARGO_BIN_EXE_goroam"));
    let verified = client.prepared(goroam).args(["mirror", "verify"]).output();
    let verified = verified.unwrap();
    assert!(verified.status.success(), "{verified:?}");
    // Without go.sum, go asks the mirror for the proofs.
    std::fs::remove_file(client.user.path("app/go.sum")).unwrap();
    let empty = client.user.path("empty");
    let env = [("GOMODCACHE", empty.to_str().unwrap())];
    let proxy = format!("file://{}", mirror.display());
    let ran = client.go_with(&proxy, "build ./...", &env);
    assert!(ran.is_right(), "{}", ran.said());

    // With all proxies down the relay knows only these versions, and says so.
    let down = format!("http://127.0.0.1:{}", dead_port());
    keeps(&client, &mirror, "", &[&down]);
    let relay = client.relay(&down, PATIENT);
    let empty = client.user.path("empty-again");
    let env = [("GOMODCACHE", empty.to_str().unwrap())];
    let ran = client.go_with(&relay.url, "list -m -versions golang.org/x/sync", &env);
    assert!(
        ran.said().contains("golang.org/x/sync v0.1.0"),
        "{}",
        ran.said()
    );
    let before = metric(&relay, "goroam_relay_stale_total ");
    assert!(before > 0);
    let ran = client.go_with(&relay.url, "get golang.org/x/sync@latest", &env);
    assert!(ran.is_right(), "{}", ran.said());
    assert!(metric(&relay, "goroam_relay_stale_total ") > before);
    assert!(get(&relay, "/").contains("may be old"));
    let goroam = Path::new(env!("CARGO_BIN_EXE_goroam"));
    let mut exec = client.prepared(goroam);
    exec.args([
        "exec",
        "--summary",
        "json",
        "--",
        "go",
        "list",
        "-m",
        "-versions",
    ]);
    let exec = exec.arg("golang.org/x/sync").env("GOPROXY", &down);
    let said = String::from_utf8(exec.output().unwrap().stderr).unwrap();
    let summary = said.lines().last().unwrap();
    let summary: serde_json::Value = serde_json::from_str(summary).unwrap();
    let attempts = summary["attempts"].as_array().unwrap();
    let mirror = attempts.iter().find(|one| one["tier"] == "mirror").unwrap();
    assert!(mirror["stale"].as_u64() > Some(0), "{summary}");
}

#[test]
fn what_no_hash_proves_is_not_kept() {
    let Some(scene) = Scene::start() else { return };
    let Some(client) = scene.client(VERSIONS[2]) else {
        return;
    };
    let (bad, good) = (scene.bad("badzip"), scene.good("unproven"));
    let mirror = client.user.path("kept");
    keeps(&client, &mirror, "", &[&bad, &good]);
    let relay = client.relay(&bad, PATIENT);
    assert!(!client.go(&relay, ONE).is_right());
    drop(relay);
    // No database covers it, and no go.sum of a project is known.
    let private = [("GONOSUMDB", "github.com")];
    let relay = client.relay_with(&good, PATIENT, &private);
    let ran = client.go_with(&relay.url, ONE, &private);
    assert!(ran.is_right(), "{}", ran.said());
    // One that is proven comes after it.
    let ran = client.go(&relay, "mod download golang.org/x/sync@v0.1.0");
    assert!(ran.is_right(), "{}", ran.said());
    wait_until("the proven one is kept", || {
        metric(&relay, "goroam_relay_kept_total ") == 1
    });
    let zips = files(&mirror, "zip");
    let expected = Path::new("golang.org/x/sync/@v/v0.1.0.zip").to_owned();
    assert_eq!(zips, [expected].into());
}

#[test]
fn go_is_served_although_the_mirror_is_full_or_cannot_be_written() {
    let Some(scene) = Scene::start() else { return };
    let Some(client) = scene.client(VERSIONS[2]) else {
        return;
    };
    let good = scene.good("full");
    client.user.write("file", "");
    for (mirror, more) in [("kept", "max_size = \"100B\""), ("file/kept", "")] {
        let mirror = client.user.path(mirror);
        keeps(&client, &mirror, more, &[&good]);
        let relay = client.relay(&good, PATIENT);
        let cache = client.user.path(&format!("cache-{}", more.len()));
        let env = [("GOMODCACHE", cache.to_str().unwrap())];
        let ran = client.go_with(&relay.url, ONE, &env);
        assert!(ran.is_right(), "{}", ran.said());
        wait_until("it says so", || {
            metric(&relay, "goroam_relay_keep_stopped ") == 1
        });
        assert_eq!(files(&mirror, "zip"), BTreeSet::new());
        assert!(get(&relay, "/").contains("Nothing more is kept"));
    }
}

#[test]
fn the_agent_keeps_what_passes() {
    let Some(scene) = Scene::start() else { return };
    let Some(client) = scene.client(VERSIONS[2]) else {
        return;
    };
    let good = scene.good("agent");
    let mirror = client.user.path("kept");
    keeps(&client, &mirror, "enabled = true", &[&good]);
    let path = ".config/goroam/goroam.toml";
    let policy = std::fs::read_to_string(client.user.path(path)).unwrap();
    let profile = format!("GOPROXY = \"{good}\"");
    client
        .user
        .write(path, policy.replace("GOPROXY = \"off\"", &profile));
    let go_env = client.user.path("go.env");
    let mut agent = client.prepared(Path::new(env!("CARGO_BIN_EXE_goroam")));
    agent.arg("agent").env("GOENV", &go_env);
    let mut relay = Relay {
        child: agent.spawn().unwrap(),
        url: String::new(),
    };
    let mut goproxy = String::new();
    wait_until("GOPROXY names the relay", || {
        let text = std::fs::read_to_string(&go_env).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix("GOPROXY="));
        goproxy = value.unwrap_or_default().to_owned();
        goproxy.starts_with("http://127.0.0.1:") && goproxy.contains('|')
    });
    relay.url = goproxy.split('|').next().unwrap().to_owned();
    let ran = client.go(&relay, ONE);
    assert!(ran.is_right(), "{}", ran.said());
    wait_until("it is kept", || {
        metric(&relay, "goroam_relay_kept_total ") == 1
    });
    assert_eq!(files(&mirror, "zip").len(), 1);
}

#[test]
fn exec_keeps_what_the_go_sum_of_the_project_proves() {
    let Some(scene) = Scene::start() else { return };
    let Some(client) = scene.client(VERSIONS[2]) else {
        return;
    };
    let good = scene.good("exec");
    let mirror = client.user.path("kept");
    keeps(&client, &mirror, "", &[&good]);
    let ran = client.go_with(&good, "build ./...", &[]);
    assert!(ran.is_right(), "{}", ran.said());
    // No database covers anything, and all has to come again.
    let empty = client.user.path("empty");
    let goroam = |words: &str| {
        let mut command = client.prepared(Path::new(env!("CARGO_BIN_EXE_goroam")));
        let command = command.args(words.split_whitespace());
        let command = command.env("GOPROXY", &good).env("GONOSUMDB", "*");
        let ran = command.env("GOMODCACHE", &empty).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    };
    goroam("exec -- go build ./...");
    let zips = files(&empty.join("cache/download"), "zip");
    assert!(zips.len() > 5, "{zips:?}");
    assert_eq!(files(&mirror, "zip"), zips);
    goroam("mirror verify");
}
