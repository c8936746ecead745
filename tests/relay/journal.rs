//! An agent's journal says which proxy sent wrong content.

use std::process::Stdio;

use crate::go::VERSIONS;
use crate::scene::{Relay, Scene, wait_until};

#[test]
fn wrong_content_stands_in_the_journal_of_the_agent() {
    let Some(scene) = Scene::start() else {
        return;
    };
    let Some(client) = scene.client(VERSIONS[2]) else {
        return;
    };
    let (bad, good) = (scene.bad("badzip"), scene.good("right"));
    let policy = format!(
        "version = 1\n[relay]\nenabled = true\n[target.bad]\ngoproxy = \"{bad}\"\n\
         [target.good]\ngoproxy = \"{good}\"\n\
         [[profile]]\nname = \"both\"\nenv = {{ GOPROXY = \"{bad},{good}\" }}\n"
    );
    client.user.write(".config/goroam/goroam.toml", policy);
    let own = client.user.path("go.env");
    let goenv = ("GOENV", own.to_str().unwrap());
    let mut agent = client.goroam("agent", &[goenv]);
    let agent = agent.stdin(Stdio::null()).stdout(Stdio::null());
    let child = agent.spawn().unwrap();
    // Only ended by it: the URL comes from the go env file.
    let _agent = Relay {
        child,
        url: String::new(),
    };
    let mut url = String::new();
    wait_until("GOPROXY names the relay", || {
        let written = std::fs::read_to_string(&own).unwrap_or_default();
        let lines = written.lines();
        let mut goproxy = lines.filter_map(|line| line.strip_prefix("GOPROXY="));
        goproxy
            .next()
            .and_then(|goproxy| goproxy.split('|').next())
            .is_some_and(|relay| {
                url = relay.to_owned();
                relay != bad && relay.starts_with("http://127.0.0.1:")
            })
    });
    let ran = client.go_with(&url, "mod download github.com/pkg/errors", &[]);
    assert!(ran.is_right(), "{}", ran.said());
    let host = bad.split('/').nth(2).unwrap();
    let line = format!("both stays: {host} sent wrong content for github.com/pkg/errors@v0.9.1");
    wait_until("the journal has it", || {
        let history = client.goroam("history", &[goenv]).output().unwrap();
        let text = String::from_utf8(history.stdout).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.contains(&line)
    });
}
