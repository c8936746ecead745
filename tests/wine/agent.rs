//! The agent under Wine: it follows, is asked over its pipe, is alone, and may be killed.

use std::path::Path;

use crate::wine::{Running, Wine, wait_for};
use crate::wine_helper::{Holder, helper};

/// `FILE_SHARE_READ`: nobody may write, rename or remove it meanwhile.
const READ_ONLY: u32 = 1;

fn policy(first: &str, second: &str) -> String {
    format!(
        "version = 1\n[agent]\nrecheck = \"off\"\n\
         [[profile]]\nname = \"first\"\nenv = {{ GOPROXY = \"{first}\" }}\n\
         [[profile]]\nname = \"second\"\nenv = {{ GOPROXY = \"{second}\" }}\n"
    )
}

const POLICY: &str = "AppData/Roaming/goroam/config/goroam.toml";
const GO_ENV: &str = "AppData/Roaming/go/env";

/// What the go env file says of GOPROXY.
fn goproxy(wine: &Wine) -> Result<String, String> {
    let text = std::fs::read_to_string(wine.go_env()).map_err(|error| error.to_string())?;
    let mut values = text
        .lines()
        .filter_map(|line| line.strip_prefix("GOPROXY="));
    values.next().map(str::to_owned).ok_or(text.clone())
}

#[track_caller]
fn wait_for_goproxy(wine: &Wine, value: &str) {
    wait_for(&format!("GOPROXY={value}"), || match goproxy(wine) {
        Ok(now) if now == value => Ok(()),
        Ok(now) | Err(now) => Err(now),
    });
}

/// An agent that answers.
fn agent(wine: &Wine) -> Running {
    let running = wine.goroam("agent").start();
    wait_for("an agent that answers", || {
        let status = wine.goroam("status --json").exits(0).json();
        match status["agent"].as_str() {
            Some("running") => Ok(()),
            _ => Err(running.said()),
        }
    });
    running
}

#[test]
fn the_agent_follows_the_policy_and_does_what_it_is_asked_over_the_pipe() {
    let Some(wine) = Wine::get() else { return };
    let wine = wine.with_go("1.27.3");
    wine.write(POLICY, policy("https://one.example", "off"));
    let _agent = agent(&wine);
    wait_for_goproxy(&wine, "https://one.example");
    wine.write(POLICY, policy("https://two.example", "off"));
    wait_for_goproxy(&wine, "https://two.example");
    wine.goroam("use second").exits(0);
    wine.run_go("env GOPROXY").exits(0).says("off");
    let status = wine.goroam("status --json").exits(0).json();
    assert_eq!(
        (status["profile"].as_str(), status["agent"].as_str()),
        (Some("second"), Some("running"))
    );
    wine.goroam("auto").exits(0);
    wine.run_go("env GOPROXY")
        .exits(0)
        .says("https://two.example");

    wine.goroam("pause").exits(0);
    wine.write(POLICY, policy("https://three.example", "off"));
    let pause = wine.goroam("status --json").exits(0).json();
    assert_eq!(
        goproxy(&wine),
        Ok("https://two.example".to_owned()),
        "{pause:#}"
    );
    wine.goroam("auto").exits(0);
    wait_for_goproxy(&wine, "https://three.example");
    wine.goroam("history --verify").exits(0);
}

#[test]
fn a_second_agent_is_refused_and_the_first_goes_on() {
    let Some(wine) = Wine::get() else { return };
    let wine = wine.with_go("1.27.3");
    wine.write(POLICY, policy("https://one.example", "off"));
    let mut first = agent(&wine);
    let second = wine.goroam("agent").exits(1);
    assert!(
        second.stderr.contains("is running already"),
        "{}",
        second.all()
    );
    assert!(!first.has_ended(), "{}", first.said());
    wine.goroam("use second").exits(0);
    wait_for_goproxy(&wine, "off");
}

#[test]
fn an_agent_that_is_asked_to_end_does_and_its_pipe_goes_with_it() {
    let Some(wine) = Wine::get() else { return };
    let wine = wine.with_go("1.27.3");
    wine.write(POLICY, policy("https://one.example", "off"));
    let agent = agent(&wine);
    wait_for_goproxy(&wine, "https://one.example");
    wine.goroam("service stop")
        .exits(0)
        .says("ended the running agent");
    let ended = agent.wait();
    assert!(ended.status.success(), "{}", ended.all());
    helper(&wine, "pipe 1").exits(2);
    // What it has set stays.
    assert_eq!(goproxy(&wine), Ok("https://one.example".to_owned()));
    wine.goroam("service stop").exits(0).says("no agent runs");
}

#[test]
fn each_instance_of_the_pipe_belongs_to_the_user_and_opens_to_nobody_else() {
    let Some(wine) = Wine::get() else { return };
    let wine = wine.with_go("1.27.3");
    wine.write(POLICY, policy("off", "off"));
    helper(&wine, "pipe 1").exits(2);
    let _agent = agent(&wine);
    let sid = helper(&wine, "sid").exits(0).stdout.trim().to_owned();
    assert!(sid.starts_with("S-1-5-21-"), "{sid}");
    let seen = helper(&wine, "pipe 4").exits(0).stdout;
    let seen: Vec<&str> = seen.lines().map(str::trim).collect();
    assert_eq!(seen.len(), 4, "{seen:?}");
    for instance in seen {
        let (owner, list) = instance.split_once("D:").expect("an access list");
        assert_eq!(owner, format!("O:{sid}"));
        // One entry, and it is the user's.
        assert_eq!(list.matches('(').count(), 1, "{instance}");
        assert!(
            list.starts_with("P(A;;") && list.ends_with(&format!(";;;{sid})")),
            "{instance}"
        );
    }
}

#[test]
fn a_killed_agent_loses_nothing_and_the_next_one_goes_on() {
    let Some(wine) = Wine::get() else { return };
    let wine = wine.with_go("1.27.3");
    wine.write(GO_ENV, "GOFLAGS=-mod=mod\n");
    wine.write(POLICY, policy("https://one.example", "off"));
    let killed = agent(&wine);
    wait_for_goproxy(&wine, "https://one.example");
    wine.run("taskkill").args("/F /IM goroam.exe").exits(0);
    killed.wait();
    helper(&wine, "pipe 1").exits(2);
    let go = wine.run_go("env GOPROXY GOFLAGS").exits(0);
    assert_eq!(
        go.stdout.lines().collect::<Vec<_>>(),
        ["https://one.example", "-mod=mod"]
    );

    wine.write(POLICY, policy("https://two.example", "off"));
    let _next = agent(&wine);
    wait_for_goproxy(&wine, "https://two.example");
    wine.goroam("history --verify").exits(0);
    wine.goroam("restore").exits(0);
    assert_eq!(
        std::fs::read_to_string(wine.go_env()).unwrap(),
        "GOFLAGS=-mod=mod\n"
    );
}

#[test]
fn a_file_that_another_program_reads_is_waited_for_and_never_half_written() {
    let Some(wine) = Wine::get() else { return };
    let wine = wine.with_go("1.27.3");
    let before = "GOFLAGS=-mod=mod\r\n";
    wine.write(GO_ENV, before);
    wine.write(POLICY, policy("https://one.example", "off"));
    let holder = Holder::of(&wine, &wine.go_env(), READ_ONLY);
    // Longer than goroam waits: it says so, and leaves all as it is.
    let refused = wine.goroam("once").exits(1);
    assert!(refused.stderr.contains(r"go\env"), "{}", refused.all());
    assert_eq!(std::fs::read_to_string(wine.go_env()).unwrap(), before);
    assert_eq!(left(&wine.go_env()), ["env"], "{}", refused.all());

    let waiting = wine.goroam("agent").start();
    wait_for("a turn that could not write", || match waiting.said() {
        said if said.contains(r"go\env") => Ok(()),
        said => Err(said),
    });
    holder.lets_go();
    wine.goroam("once").exits(0);
    let go = wine.run_go("env GOPROXY GOFLAGS").exits(0);
    assert_eq!(
        go.stdout.lines().collect::<Vec<_>>(),
        ["https://one.example", "-mod=mod"]
    );
}

/// Wine sends no notification when an address comes, so only the registry's can make the agent
/// look, and see it.
#[test]
fn a_dns_server_that_is_set_by_hand_makes_the_agent_look_again() {
    let Some(wine) = Wine::get() else { return };
    let network = format!("goroam-wine-{}", std::process::id());
    let _namespace = Namespace::new(&network);
    let wine = wine.with_go("1.27.3").in_network(&network);
    wine.write(
        POLICY,
        "version = 1\n[agent]\nrecheck = \"off\"\n\
         [[profile]]\nname = \"office\"\nwhen = { subnet = \"10.77.0.0/24\" }\n\
         env = { GOPROXY = \"https://office.example\" }\n\
         [[profile]]\nname = \"nowhere\"\nenv = { GOPROXY = \"off\" }\n",
    );
    let _agent = agent(&wine);
    wait_for_goproxy(&wine, "off");
    ip(&format!("-n {network} address add 10.77.0.5/24 dev eth0"));
    wine.run("reg")
        .arg("add")
        .arg(r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces\{1}")
        .args("/v NameServer /d 10.77.0.1 /f")
        .exits(0);
    wait_for_goproxy(&wine, "https://office.example");
}

/// A network namespace with one wire that leads nowhere.
struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Namespace {
        ip(&format!("netns add {name}"));
        let made = Namespace(name.to_owned());
        ip(&format!("-n {name} link set lo up"));
        ip(&format!("-n {name} link add eth0 type veth peer name eth1"));
        ip(&format!("-n {name} link set eth0 up"));
        ip(&format!("-n {name} link set eth1 up"));
        made
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let words = ["netns", "delete", &self.0];
        let _ = std::process::Command::new("ip").args(words).status();
    }
}

#[track_caller]
fn ip(words: &str) {
    let mut command = std::process::Command::new("ip");
    let status = command.args(words.split(' ')).status().unwrap();
    assert!(status.success(), "ip {words}");
}

fn left(file: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(file.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "telemetry").collect()
}
