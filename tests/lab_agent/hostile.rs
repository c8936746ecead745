//! Whoever runs the network chooses what it does, and when. Whatever that is, the agent with the
//! built-in profiles keeps checksums on, sends no private name to a public proxy, and names no
//! mirror that holds nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use goroam::policy::templates::Template;
use serde_json::Value;

use crate::support::{Lab, Laptop, wait_until};

const SOON: Duration = Duration::from_secs(20);
const PRIVATE: &str = "git.corp.test/team/hello";
/// What the user has in the go env file: hosts that are nobody else's business.
const OWN: &str = "GOPRIVATE=git.corp.test\nGOFLAGS=-mod=mod\n";
/// Impatient, so that the test is: it looks again all the time and believes what it sees.
const QUICK: &str = "version = 1
[agent]
recheck = \"300ms\"
settle = \"50ms\"
fall = 1
[probe]
connect = \"400ms\"
first_byte = \"400ms\"
total = \"700ms\"
retries = 0
";

/// The built-in policy, with the lab's key and a module that the lab's proxies have. The database's
/// other host is one of those proxies.
fn policy(lab: &Lab) -> String {
    let other = "\"@KEY sum.golang.org@ https://goproxy.io/sumdb/sum.golang.org\"";
    let zip = "tree/corp/github.com/google/uuid/@v/v1.3.0.zip";
    let zip = goroam::gomod::zip::h1_of(&lab.dir().join(zip)).unwrap();
    let asked = "module = \"github.com/google/uuid@v1.3.0\"\nsum = \"@SUM github.com/google/uuid@v1.3.0@\"\n";
    let mut text = String::new();
    for line in Template::Default.text().lines() {
        let line = match line {
            "version = 1" => QUICK,
            line => line,
        };
        let line = line.replace("\"sum.golang.google.cn\"", other);
        text.push_str(&line.replace("\"sum.golang.org\"", "\"@KEY sum.golang.org@\""));
        text.push('\n');
        if line.starts_with("goproxy = ") {
            text.push_str(&format!("{asked}zip_sum = \"{zip}\"\n"));
        }
    }
    lab.policy_of(&text)
}

/// Every text that the go env file ever held, as far as a reader can see it.
struct Reader {
    seen: Arc<Mutex<BTreeSet<String>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn of(laptop: &Laptop<'_>) -> Reader {
        let seen: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let ends = Arc::new(AtomicBool::new(false));
        let (path, texts, end) = (laptop.go_env_file(), Arc::clone(&seen), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let text = std::fs::read_to_string(&path);
                texts.lock().unwrap().extend(text.ok());
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Reader {
            seen,
            ends,
            thread: Some(thread),
        }
    }

    fn all(mut self) -> BTreeSet<String> {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn status(laptop: &Laptop<'_>) -> Value {
    serde_json::from_str(laptop.goroam(&["status", "--json"]).ok()).unwrap()
}

/// Waits until two more turns have begun and ended: the second saw nothing but what is now.
fn wait_turns(laptop: &Laptop<'_>) -> Value {
    let turn = |status: &Value| status["turn"].as_u64().unwrap_or(0);
    let before = turn(&status(laptop));
    wait_until("two more turns", SOON, || {
        let now = status(laptop);
        match turn(&now) >= before + 2 {
            true => Ok(now),
            false => Err(format!("{now:#}")),
        }
    })
}

/// What the servers at home were asked since the lab is up.
fn logs(lab: &Lab) -> [String; 2] {
    let faults = lab.dir().join("log/fault-home.jsonl");
    [
        lab.requests("home"),
        std::fs::read_to_string(faults).unwrap_or_default(),
    ]
}

/// What may never stand in the file, whatever the network does.
fn judge(text: &str, key: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let value = |name: &str| {
        let mut lines = lines.iter().filter_map(|line| line.split_once('='));
        lines.rfind(|(own, _)| *own == name)
    };
    for own in OWN.lines() {
        assert!(lines.contains(&own), "{own} is gone: {text}");
    }
    for never in ["GOINSECURE", "GONOSUMDB", "GONOSUMCHECK"] {
        assert_eq!(value(never), None, "{text}");
    }
    let Some((_, proxy)) = value("GOPROXY") else {
        assert_eq!(text, OWN, "before the first turn");
        return;
    };
    // The same key with either host.
    let sumdb = value("GOSUMDB").map(|(_, sumdb)| sumdb.split(' ').next());
    assert_eq!(sumdb, Some(Some(key)), "{text}");
    let no_proxy = value("GONOPROXY").map(|(_, value)| value);
    match proxy {
        "https://proxy.golang.org,direct"
        | "https://goproxy.cn,direct"
        | "https://goproxy.io,direct"
        | "https://mirrors.aliyun.com/goproxy,direct" => assert_eq!(no_proxy, None, "{text}"),
        offline => {
            assert!(offline.starts_with("file:///"), "{text}");
            assert!(
                offline.ends_with("/go/pkg/mod/cache/download,off"),
                "{text}"
            );
            assert_eq!(offline.matches("file://").count(), 1, "{text}");
            assert_eq!(no_proxy, Some("none"), "{text}");
        }
    }
}

#[test]
fn no_sequence_of_events_weakens_verification_or_tells_private_names() {
    let Some(lab) = Lab::get() else { return };
    let key = lab.sumdb_key("sum.golang.org");
    let before = logs(&lab);
    let laptop = lab.laptop().with_policy(&policy(&lab));
    let folder = laptop.go_env_file().parent().unwrap().to_owned();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(laptop.go_env_file(), OWN).unwrap();
    // What a broken download or a stranger left where the mirror is looked for.
    let broken = laptop
        .home()
        .join(".local/share/goroam/mirror/evil.test/x/@v");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("v1.0.0.zip"), "").unwrap();
    std::os::unix::fs::symlink("/nowhere", broken.join("v1.0.0.mod")).unwrap();

    let reader = Reader::of(&laptop);
    let mut agent = laptop.agent();
    let mut profiles = BTreeSet::new();
    let mut look = |attack: &str| {
        let now = wait_turns(&laptop);
        let profile = now["profile"].as_str().unwrap().to_owned();
        println!("{attack}: {profile}");
        // go itself, by whatever is in force now.
        let wanted = format!("{PRIVATE}@v1.0.0");
        laptop.run("timeout", &["5", "go", "list", "-m", &wanted]);
        profiles.insert(profile.clone());
        profile
    };

    lab.travel("home");
    let public = |laptop: &Laptop<'_>| {
        laptop.wait_for("GOPROXY", "https://proxy.golang.org,direct", SOON);
    };
    public(&laptop);
    assert_eq!(look("nothing"), "public");
    for server in ["proxy.golang.org", "sum.golang.org", "all"] {
        for mode in [
            "refuse",
            "hang",
            "reset",
            "portal200",
            "portal302",
            "404",
            "503:1",
        ] {
            lab.fault("home", server, mode);
            assert_ne!(look(&format!("{server} {mode}")), "public");
        }
        for cert in ["selfsigned", "wronghost", "expired"] {
            lab.fault_with("home", server, "ok", cert);
            assert_ne!(look(&format!("{server} {cert}")), "public");
        }
        lab.fault_with("home", server, "pass", "public");
        public(&laptop);
    }
    for mode in ["nxdomain", "refused", "silent"] {
        lab.dns("home", mode);
        assert_eq!(look(&format!("dns {mode}")), "offline");
        lab.dns("home", "ok");
        public(&laptop);
    }
    for mode in ["portal302", "portal200", "selfsigned", "reset", "hang"] {
        lab.net(&["hotspot-mode", mode]);
        lab.travel("hotspot");
        assert_eq!(look(&format!("hotspot {mode}")), "offline");
        lab.travel("home");
        public(&laptop);
    }
    // The agent dies in the middle of it all.
    lab.fault("home", "all", "portal302");
    agent.signal("KILL");
    wait_until("its end", SOON, || agent.ended().ok_or(String::new()));
    let agent = laptop.agent();
    assert_eq!(look("killed"), "offline");
    assert!(agent.stop().success());

    assert_eq!(
        profiles.iter().map(String::as_str).collect::<Vec<_>>(),
        ["offline", "public", "restricted"]
    );
    let texts = reader.all();
    assert!(texts.len() >= 4, "{texts:#?}");
    for text in &texts {
        judge(text, &key);
    }
    let asked: Vec<String> = logs(&lab)
        .into_iter()
        .zip(&before)
        .map(|(log, before)| log[before.len()..].to_owned())
        .collect();
    let asked = asked.concat();
    assert!(
        asked.contains("github.com/google/uuid"),
        "a log that says nothing"
    );
    for line in asked.lines() {
        assert!(
            !line.contains("/team/hello"),
            "a private name got out: {line}"
        );
    }
}

/// What an attacker can make: an address range, a name server, a gateway, and every server's answer
/// but its certificate. The last condition is what the lab's authority alone can sign.
const LOOSE: &str = "
[target.corp]
goproxy = \"https://goproxy.corp.test\"
private = true
ca = \"@LAB@/ca/corp.pem\"
module = \"git.corp.test/team/hello@v1.0.0\"
sum = \"@SUM git.corp.test/team/hello@v1.0.0@\"

[[profile]]
name = \"office\"
when = { all = [ { subnet = \"10.20.0.0/24\" }, { up = \"corp\" } ] }
env = { GOPROXY = \"https://goproxy.corp.test\", GOSUMDB = \"off\" }

[[profile]]
name = \"elsewhere\"
env = { GOPROXY = \"https://proxy.golang.org,direct\" }
";

#[test]
fn a_forged_office_never_gets_a_profile_that_weakens_verification() {
    let Some(lab) = Lab::get() else { return };
    let policy = lab.policy_of(&format!("{QUICK}{LOOSE}"));
    let laptop = lab.laptop().with_policy(&policy);
    let agent = laptop.agent();
    lab.travel("office");
    // The real one: so that there is something to remember, and the test would see it.
    laptop.wait_for("GOSUMDB", "off", SOON);

    for (mode, cert) in [
        ("ok", "selfsigned"),
        ("ok", "wronghost"),
        ("ok", "expired"),
        ("ok", "public"),
        ("portal200", "selfsigned"),
        ("portal302", "selfsigned"),
        ("refuse", "corp"),
        ("reset", "corp"),
        ("hang", "corp"),
    ] {
        lab.travel("airplane");
        laptop.wait_for("GOPROXY", "https://proxy.golang.org,direct", SOON);
        lab.fault_with("office", "goproxy.corp.test", mode, cert);
        let reader = Reader::of(&laptop);
        lab.travel("office");
        wait_until("an agent that sees the forged office", SOON, || {
            let now = status(&laptop);
            let network = now["network"].to_string();
            network
                .contains("10.20.0.")
                .then_some(())
                .ok_or(format!("{now:#}"))
        });
        let now = wait_turns(&laptop);
        assert_eq!(now["profile"], "elsewhere", "{mode} {cert}: {now:#}");
        for text in reader.all() {
            assert!(!text.contains("GOSUMDB=off"), "{mode} {cert}: {text}");
        }
    }
    // The office itself again.
    lab.fault_with("office", "goproxy.corp.test", "pass", "corp");
    laptop.wait_for("GOSUMDB", "off", SOON);
    assert!(agent.stop().success());
}

#[test]
fn a_network_that_never_comes_to_rest_does_not_keep_a_profile_that_weakens_verification() {
    let Some(lab) = Lab::get() else { return };
    let patient = QUICK.replace("700ms", "3s").replace("400ms", "3s");
    let policy = lab.policy_of(&format!("{patient}{LOOSE}"));
    let laptop = lab.laptop().with_policy(&policy);
    let agent = laptop.agent();
    lab.travel("office");
    laptop.wait_for("GOSUMDB", "off", SOON);
    lab.fault_with("office", "goproxy.corp.test", "hang", "corp");
    // Each new address is a new network, so that the round under way is about an old one. The
    // attacker's servers say nothing: a round takes three seconds, a network lasts for one.
    let start = std::time::Instant::now();
    let mut ended = None;
    for number in 1..=20 {
        let address = format!("10.20.0.{}/24", 100 + number);
        let ip = |what: &str| {
            let args = ["-n", "goroam-laptop", "addr", what, &address, "dev", "eth0"];
            let done = std::process::Command::new("ip").args(args).output();
            assert!(done.unwrap().status.success(), "{what} {address}");
        };
        ip("add");
        std::thread::sleep(Duration::from_secs(1));
        let text = std::fs::read_to_string(laptop.go_env_file()).unwrap();
        ip("del");
        if !text.contains("GOSUMDB=off") {
            ended = Some(start.elapsed());
            break;
        }
    }
    lab.fault_with("office", "goproxy.corp.test", "pass", "corp");
    assert!(ended.is_some(), "it is in force for 20 s");
    println!("given up after {ended:?}");
    assert!(agent.stop().success());
}
