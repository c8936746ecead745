//! Fifty real agents follow one signed policy: minisign signs it, nginx serves it.

use std::io::BufRead as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::cli::can_mount;
use super::minisign::MinisignKey;
use super::resident::{Desk, Resident, wait_until};
use super::store::Store;

const AGENTS: usize = 50;

/// A network and an `/etc/goroam` of their own.
struct Site {
    holder: Child,
    machine: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let machine = tempfile::tempdir_in("/tmp").unwrap();
        let script = format!(
            "mkdir -p /etc/goroam && mount --bind {} /etc/goroam && ip link set lo up && echo up \
             && exec sleep 900",
            machine.path().display()
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["-mn", "sh", "-c", &script]);
        let mut holder = unshare.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = std::io::BufReader::new(holder.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        Site { holder, machine }
    }

    /// The command line that enters it.
    fn enter(&self) -> Vec<String> {
        let pid = self.holder.id().to_string();
        ["nsenter", "-t", &pid, "-m", "-n"]
            .map(str::to_owned)
            .into()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

struct Fleet {
    site: Site,
    desks: Vec<Desk>,
    agents: Vec<Resident>,
}

impl Fleet {
    fn start(site: Site, go: &Path) -> Fleet {
        let desks: Vec<Desk> = (0..AGENTS)
            .map(|_| Desk::new(go.to_owned(), "version = 1\n"))
            .collect();
        let start = |desk: &Desk| desk.spawn(|run| run.through(&site.enter()));
        let agents = desks.iter().map(start).collect();
        Fleet {
            site,
            desks,
            agents,
        }
    }

    /// A person at each machine asks for a turn: the agent asks the store now.
    fn ask(&self) {
        let enter = self.site.enter();
        let mut asked: Vec<Child> = Vec::new();
        for desk in &self.desks {
            let run = desk.goroam("once").through(&enter);
            let mut once = run.command();
            asked.push(once.stdout(Stdio::null()).spawn().unwrap());
            // Two cores: not all at once.
            if asked.len() == 8 {
                asked.drain(..).for_each(ended);
            }
        }
        asked.into_iter().for_each(ended);
    }

    fn state(&self, one: usize) -> Value {
        let file = self.desks[one].state("fleet.json");
        let bytes = std::fs::read(file).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Waits until each machine has what it must have, and its last offer was refused for this
    /// reason. Verification is never weaker.
    #[track_caller]
    fn all_have(&self, version: impl Fn(&Value) -> u32, refused: Option<&str>) {
        for (i, desk) in self.desks.iter().enumerate() {
            wait_until(&format!("machine {i}: {refused:?}"), || {
                let state = self.state(i);
                let wanted = format!("https://v{}.example,off", version(&state));
                let (found, code) = (desk.line("GOPROXY"), state["refused"]["code"].as_str());
                assert_eq!(
                    desk.line("GOSUMDB").as_deref().unwrap_or("sum.golang.org"),
                    "sum.golang.org"
                );
                let is_so = found.as_ref() == Some(&wanted) && code == refused;
                is_so
                    .then_some(())
                    .ok_or_else(|| format!("{found:?}, {code:?}\n{}", self.agents[i].log()))
            });
        }
    }
}

fn ended(mut once: Child) {
    assert!(once.wait().unwrap().success());
}

/// Dates in which the tests run, whenever they do.
const DATES: &str = "issued = 2026-01-01T00:00:00Z\nexpires = 9000-01-01T00:00:00Z\n";

fn policy(version: u32, more: &str, env: &str) -> String {
    format!(
        "version = 1\n\n[policy]\nid = \"corp\"\nversion = {version}\n{DATES}{more}\n\
         [[profile]]\nname = \"all\"\nfleet = true\n\n[profile.env]\n\
         GOPROXY = \"https://v{version}.example,off\"\n{env}"
    )
}

const SUM: &str = "GOSUMDB = \"sum.golang.org\"\n";

#[test]
fn fifty_machines_follow_one_policy_and_each_is_right_at_each_step() {
    let Some(go) = super::go::go(super::go::VERSIONS[2]).filter(|_| can_mount()) else {
        return;
    };
    let keys = (MinisignKey::new(), MinisignKey::new(), MinisignKey::new());
    let (Some(first), Some(second), Some(stranger)) = keys else {
        println!("skipped: there is no minisign");
        return;
    };
    let site = Site::new();
    let Some(store) = Store::start(&site.enter()) else {
        println!("skipped: there is no nginx");
        return;
    };
    let machine = format!(
        "version = 1\n\n[policy]\nlocked = [\"GOFLAGS\"]\n\n[agent]\nrecheck = \"off\"\n\n[fleet]\nurl = {:?}\nkeys = [{:?}, {:?}]\n\
         refresh = \"1s\"\n\n[[profile]]\nname = \"machine\"\nfleet = true\n",
        store.url("policy.toml"),
        first.public,
        second.public,
    );
    std::fs::write(site.machine.path().join("goroam.toml"), machine).unwrap();
    let sign = |version, more: &str, key| store.put(&policy(version, more, SUM), key);
    sign(1, "", &first);
    // A machine that has none asks at once.
    let mut fleet = Fleet::start(site, &go);
    fleet.all_have(|_| 1, None);

    sign(2, "", &first);
    fleet.ask();
    fleet.all_have(|_| 2, None);

    sign(3, "", &stranger);
    fleet.ask();
    fleet.all_have(|_| 2, Some("bad-signature"));

    store.put(
        &policy(3, "", SUM).replace("9000-", "2026-02-01T00:00:00Z #"),
        &first,
    );
    fleet.ask();
    fleet.all_have(|_| 2, Some("expired"));

    sign(1, "", &first);
    fleet.ask();
    fleet.all_have(|_| 2, Some("rolled-back"));

    let weak = "GOSUMDB = \"off\"\n";
    let proven = policy(3, "", weak).replace(
        "name = \"all\"",
        "name = \"office\"\nwhen = { up = \"corp\" }",
    );
    let proven = format!(
        "{proven}\n[[profile]]\nname = \"all\"\nfleet = true\n\n[target.corp]\n\
         goproxy = \"https://goproxy.corp.example\"\n"
    );
    store.put(&proven, &first);
    fleet.ask();
    fleet.all_have(|_| 2, Some("weaker"));

    // The machine's file locks GOFLAGS.
    let flags = format!("{SUM}GOFLAGS = \"-trimpath\"\n");
    store.put(&policy(3, "", &flags), &first);
    fleet.ask();
    fleet.all_have(|_| 2, Some("bad-policy"));

    // An outage: nothing changes. What was refused before stays reported.
    store.down(true);
    fleet.ask();
    fleet.all_have(|_| 2, Some("bad-policy"));
    let status = fleet.desks[0].status();
    assert_eq!(status["fleet"]["version"], 2);
    wait_until("the outage is reported", || {
        let troubles = fleet.desks[0].status()["troubles"].to_string();
        let is_said = troubles.contains("answers 503");
        is_said.then_some(()).ok_or(troubles)
    });
    store.down(false);

    // The first key has leaked: the second one retires it, for half of the machines.
    let retires = format!("retire_keys = [{:?}]\n", first.id);
    let before = policy(2, "", SUM);
    let rollout = format!(
        "\n[policy.rollout]\npercent = 50\nsalt = \"a\"\nprevious = {{ version = 2, sha256 = {:?} }}\n",
        goroam::gomod::sum::sha256_hex(before.as_bytes())
    );
    sign(4, &format!("{retires}{rollout}"), &second);
    fleet.ask();
    let applied = |state: &Value| if state["previous"].is_null() { 4 } else { 2 };
    fleet.all_have(applied, None);
    let states = (0..AGENTS).map(|i| applied(&fleet.state(i)));
    let new = states.filter(|version| *version == 4).count();
    assert!((10..=40).contains(&new), "{new}");
    sign(5, "", &second);
    fleet.ask();
    fleet.all_have(|_| 5, None);
    sign(6, "", &first);
    fleet.ask();
    fleet.all_have(|_| 5, Some("retired-key"));

    // Device management replaces all keys: what is held is by none of them, and stays until the
    // policy by a new one has come.
    let file = fleet.site.machine.path().join("goroam.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(&first.public, &stranger.public);
    std::fs::write(&file, text.replace(&second.public, &stranger.public)).unwrap();
    sign(7, "", &stranger);
    fleet.ask();
    fleet.all_have(|_| 7, None);

    // The journal has it all, and no agent has ended.
    let history = std::fs::read_to_string(fleet.desks[7].state("journal.jsonl")).unwrap();
    for news in [
        "the fleet's policy is version 4 now",
        "not in [fleet] keys",
        "expired at",
        "rolled back",
        "weakens verification",
        "GOFLAGS is locked by /etc/goroam/goroam.toml:4",
        "has retired",
    ] {
        assert!(history.contains(news), "{news}: {history}");
    }
    assert!(fleet.agents.iter_mut().all(Resident::is_alive));
    // Nothing of the machine goes to the store.
    let asked = store.asked();
    assert!(asked.iter().all(|line| line.split(' ').nth(3) == Some("-")));
}
