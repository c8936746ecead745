//! `[mirror] keep_ready`: the agent fills the mirror on networks whose profile allows it, and on
//! no other, and stops at once when the network goes.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Agent, Lab, Laptop, wait_until};

const SOON: Duration = Duration::from_secs(30);
/// Ten seconds until it starts, and a download.
const KEPT: Duration = Duration::from_secs(60);
const PUBLIC: &str = "https://proxy.golang.org,direct";
const MAIN: &str = "package main\n\nimport (\n\t\"github.com/BurntSushi/toml\"\n\t\"github.com/google/uuid\"\n)\n\n\
    func main() { var v any; _, _ = toml.Decode(\"\", &v); println(len(uuid.Nil)) }\n";

/// The lab's policy with a mirror that is kept ready at home (profile `public`) only.
fn policy(lab: &Lab) -> String {
    let mirror =
        "version = 1\n[mirror]\nkeep_ready = true\n[target.mirror]\nmirror = \"${MIRROR}\"\n";
    let key = lab.sumdb_key("sum.golang.org");
    let offline = format!(
        "env = {{ GOPROXY = {{ fastest = [\"mirror\"], then = \"file://${{GOMODCACHE}}/cache/download,off\" }}, \
         GONOPROXY = \"none\", GOSUMDB = \"{}\" }}",
        key.trim()
    );
    let policy = lab.policy().replace("version = 1\n", mirror);
    let (before, last) = policy.split_once("name = \"offline\"\n").unwrap();
    assert!(last.trim().starts_with("env"));
    let policy = format!("{before}name = \"offline\"\n{offline}\n");
    policy.replace(
        "name = \"public\"\n",
        "name = \"public\"\nkeep_ready = true\n",
    )
}

/// A project whose modules are known (go.sum), but not in the module cache any more.
fn project(lab: &Lab, laptop: &Laptop<'_>) -> PathBuf {
    let app = laptop.home().join("src/app");
    fs::create_dir_all(&app).unwrap();
    fs::write(app.join("main.go"), MAIN).unwrap();
    lab.travel("home");
    laptop.goroam(&["once"]).ok();
    let folder = app.to_str().unwrap();
    laptop.go(&["-C", folder, "mod", "init", "app.test"]).ok();
    laptop.go(&["-C", folder, "mod", "tidy"]).ok();
    laptop.go(&["clean", "-modcache"]).ok();
    lab.travel("airplane");
    app
}

fn status(laptop: &Laptop<'_>) -> Value {
    serde_json::from_str(laptop.goroam(&["status", "--json"]).ok()).unwrap()
}

fn zips(laptop: &Laptop<'_>) -> usize {
    let found = laptop.run(
        "sh",
        &[
            "-c",
            "find \"$HOME/.local/share/goroam/mirror\" -name '*.zip' 2>/dev/null | wc -l",
        ],
    );
    found.ok().trim().parse().unwrap()
}

/// The agent's `goroam ready`, if it runs.
fn keeper(agent: &Agent) -> Option<u32> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut words = stat.rsplit_once(") ")?.1.split(' ');
        let is_dead = words.next()? == "Z";
        let parent: u32 = words.next()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let kept = String::from_utf8_lossy(&line).contains("--kept");
        (parent == agent.pid() && kept && !is_dead).then_some(pid)
    })
}

#[test]
fn the_mirror_is_filled_where_it_is_allowed_and_nowhere_else() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&policy(&lab));
    let app = project(&lab, &laptop);
    let folder = app.to_str().unwrap();
    let ready = laptop.goroam(&["ready", folder]);
    assert_eq!(ready.status.code(), Some(1), "{}", ready.stdout);
    assert!(
        ready.stdout.contains("github.com/BurntSushi/toml v"),
        "{}",
        ready.stdout
    );
    assert!(
        ready.stdout.contains("goroam mirror add --from"),
        "{}",
        ready.stdout
    );

    let agent = laptop.agent();
    lab.travel("office");
    laptop.wait_for("GOPROXY", "https://goproxy.corp.test", SOON);
    // Half as long again as it takes to start where it is allowed.
    std::thread::sleep(Duration::from_secs(15));
    assert_eq!((keeper(&agent), zips(&laptop)), (None, 0));

    lab.travel("home");
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
    let at_home = wait_until("a mirror that is ready", KEPT, || {
        let status = status(&laptop);
        let percent = status["ready"]["percent"].clone();
        if percent == 100 {
            Ok(status)
        } else {
            Err(format!("{:#}\n{}", status["ready"], agent.log()))
        }
    });
    assert_eq!(at_home["from"], "module proxy proxy.golang.org");
    assert_eq!(at_home["ready"]["missing"], 0);
    assert!(zips(&laptop) >= 2);
    let text = laptop.goroam(&["status"]).stdout;
    assert!(text.contains("offline-ready 100 % (1 project)"), "{text}");

    // The aeroplane, with nothing but the mirror.
    lab.travel("airplane");
    laptop.wait_env("the mirror", SOON, |env| {
        env["GOPROXY"].contains("/goroam/mirror,file:")
    });
    let status = status(&laptop);
    let from = status["from"].as_str().unwrap();
    assert!(
        from.starts_with("the mirror /") && from.contains(" modules"),
        "{from}"
    );
    assert_eq!(status["tier"], "mirror");
    let why = laptop.goroam(&["why"]).stdout;
    assert!(why.contains("Modules come from the mirror"), "{why}");
    laptop.go(&["clean", "-modcache"]).ok();
    laptop
        .go(&["-C", folder, "build", "-o", "/dev/null", "."])
        .ok();
    laptop.go(&["-C", folder, "test", "./..."]).ok();
}

#[test]
fn it_stops_at_once_when_the_network_goes_and_when_the_agent_ends() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&policy(&lab));
    let app = project(&lab, &laptop);
    laptop.goroam(&["ready", app.to_str().unwrap()]);
    let agent = laptop.agent();
    for last in [false, true] {
        // The file still says what was set at home before: the agent must have been here.
        laptop.wait_env("offline", KEPT, |env| env["GOPROXY"].starts_with("file:"));
        lab.travel("home");
        laptop.wait_for("GOPROXY", PUBLIC, SOON);
        // What it asks for never comes.
        lab.fault("home", "proxy.golang.org", "hang");
        let pid = wait_until("the agent's ready", KEPT, || {
            keeper(&agent).ok_or_else(|| agent.log())
        });
        let nice = laptop.run("ps", &["-o", "ni=", "-p", &pid.to_string()]);
        assert_eq!(nice.stdout.trim(), "15", "{}", nice.stderr);
        if last {
            break;
        }
        lab.travel("airplane");
        wait_until("the end of it", SOON, || {
            keeper(&agent).map_or(Ok(()), |pid| Err(format!("{pid} is still there")))
        });
        lab.fault("home", "proxy.golang.org", "ok");
    }
    let pid = keeper(&agent).unwrap();
    assert!(agent.stop().success());
    wait_until("the end of it", SOON, || {
        let there =
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"));
        if there {
            Err(format!("{pid} is still there"))
        } else {
            Ok(())
        }
    });
    assert_eq!(zips(&laptop), 0);
}
