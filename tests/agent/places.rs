//! An agent whose files are moved, removed or reached by other names while it runs.

use std::time::{Duration, Instant};

use crate::cli;
use crate::go;
use crate::resident::{Desk, wait_until};

const OWN: &str = r#"version = 1
[agent]
recheck = "off"
on_drift = "restore"
[[profile]]
name = "own"
env = { GOPROXY = "https://corp.test", GOPRIVATE = "corp.test" }
"#;

fn desk() -> Option<Desk> {
    Some(Desk::new(go::go(go::VERSIONS[2])?, OWN))
}

/// Waits until the status has this among its troubles.
#[track_caller]
fn wait_for_trouble(desk: &Desk, part: &str) -> serde_json::Value {
    wait_until(part, || {
        let status = desk.status();
        let is_told = status["troubles"].to_string().contains(part);
        is_told.then_some(status.clone()).ok_or(status.to_string())
    })
}

// --- the folder of settings ----------------------------------------------------------------

#[test]
fn settings_that_are_moved_aside_and_back_are_found_as_they_were() {
    let Some(desk) = desk() else { return };
    let mut agent = desk.agent();
    let (config, aside) = (desk.user.path(".config"), desk.user.path("aside"));
    let before = std::fs::read(desk.env_file()).unwrap();
    let turn = desk.status()["turn"].clone();
    for what in ["", "/goroam", "/go"] {
        let from = format!("{}{what}", config.display());
        let start = Instant::now();
        std::fs::rename(&from, &aside).unwrap();
        if what != "/goroam" {
            wait_until("it is seen", || {
                let status = desk.status();
                let is_seen = status["drift"] != serde_json::json!([]);
                is_seen.then_some(()).ok_or(status.to_string())
            });
        }
        agent.signal("-HUP");
        // Whoever makes something of it does so within this time.
        while start.elapsed() < Duration::from_secs(2) {
            assert!(!std::path::Path::new(&from).exists(), "{}", agent.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        std::fs::rename(&aside, &from).unwrap();
        wait_until("all is as it was", || {
            let status = desk.status();
            let is_whole = status["drift"] == serde_json::json!([])
                && status["troubles"] == serde_json::json!([]);
            is_whole.then_some(()).ok_or(status.to_string())
        });
    }
    assert_eq!(desk.status()["turn"], turn, "{}", agent.log());
    assert_eq!(std::fs::read(desk.env_file()).unwrap(), before);
    // It is watched as before.
    let policy = OWN.replace("https://corp.test", "https://two.test");
    desk.user.write(".config/goroam/goroam.toml", policy);
    desk.wait_for("GOPROXY", Some("https://two.test"));
    assert!(agent.is_alive());
}

#[test]
fn a_policy_that_is_gone_stays_in_force_until_somebody_takes_the_built_in_one() {
    let Some(desk) = desk() else { return };
    let mut agent = desk.agent();
    let is_kept = || {
        assert_eq!(desk.line("GOPROXY").as_deref(), Some("https://corp.test"));
        assert_eq!(desk.line("GOPRIVATE").as_deref(), Some("corp.test"));
    };
    std::fs::remove_file(desk.user.policy()).unwrap();
    let status = wait_for_trouble(&desk, "goroam.toml: is gone");
    assert_eq!(status["profile"], "own");
    assert!(agent.log().contains("stays in force"), "{}", agent.log());
    desk.goroam("use own").exits(0);
    is_kept();
    agent.signal("-TERM");
    agent.ended();
    let mut agent = desk.agent();
    wait_for_trouble(&desk, "goroam.toml: is gone");
    is_kept();
    // Whoever wants the built-in one says so, and that holds over a restart, too.
    desk.goroam("once").exits(0);
    assert_eq!(desk.line("GOPRIVATE"), None);
    assert_eq!(desk.status()["policy"], "the built-in policy");
    agent.signal("-TERM");
    agent.ended();
    let _agent = desk.agent();
    assert_eq!(desk.status()["policy"], "the built-in policy");
}

#[test]
fn a_folder_that_is_opened_to_all_keeps_the_last_good_policy_in_force() {
    let Some(desk) = desk() else { return };
    let mut agent = desk.agent();
    let theirs = OWN.replace("https://corp.test", "https://evil.test");
    cli::mode(&desk.user.path(".config/goroam"), 0o777);
    desk.user.write(".config/goroam/goroam.toml", theirs);
    wait_for_trouble(&desk, "another user could replace it");
    agent.signal("-TERM");
    agent.ended();
    let _agent = desk.agent();
    let status = wait_for_trouble(&desk, "another user could replace it");
    assert_eq!(status["applied"]["GOPROXY"], "https://corp.test");
    desk.goroam("once").exits(0);
    assert_eq!(desk.line("GOPROXY").as_deref(), Some("https://corp.test"));
}

// --- other names ---------------------------------------------------------------------------

#[test]
fn a_second_agent_is_refused_under_another_name_of_the_same_file() {
    let Some(desk) = desk() else { return };
    let mut agent = desk.agent();
    let other = desk.user.path("other");
    std::fs::create_dir(&other).unwrap();
    let name = other.join("name");
    // The agent hears of the second name, and it alone may have the file from then on.
    std::fs::hard_link(desk.env_file(), &name).unwrap();
    let apart = |run: cli::Run| {
        run.env("GOENV", name.to_str().unwrap())
            .env("XDG_RUNTIME_DIR", other.to_str().unwrap())
            .env("XDG_STATE_HOME", other.join("state").to_str().unwrap())
    };
    wait_until("the file is locked", || {
        let file = std::fs::File::open(&name).unwrap();
        match file.try_lock_shared() {
            Err(std::fs::TryLockError::WouldBlock) => Ok(()),
            free => Err(format!("{free:?}")),
        }
    });
    let mut second = desk.spawn(apart);
    assert_eq!(second.ended(), Some(1), "{}", second.log());
    assert!(second.log().contains("is running already"));
    apart(desk.goroam("once"))
        .exits(5)
        .complains("an agent is running");
    assert!(agent.is_alive());
}

#[test]
fn an_agent_of_another_go_env_file_needs_folders_of_its_own_and_is_asked_there() {
    let Some(desk) = desk() else { return };
    let _agent = desk.agent();
    let (other, file) = (desk.user.path("other"), desk.user.path("my.env"));
    std::fs::create_dir(&other).unwrap();
    let of_file = |run: cli::Run| run.env("GOENV", file.to_str().unwrap());
    let apart = |run: cli::Run| {
        of_file(run)
            .env("XDG_RUNTIME_DIR", other.to_str().unwrap())
            .env("XDG_STATE_HOME", other.join("state").to_str().unwrap())
    };
    let mut second = desk.spawn(of_file);
    assert_eq!(second.ended(), Some(1));
    let log = second.log();
    assert!(log.contains("its own XDG_STATE_HOME"), "{log}");
    // Nor is the agent of one file asked for a turn of the other.
    of_file(desk.goroam("use own")).exits(4);
    assert!(!file.exists());
    let _second = desk.spawn(apart);
    wait_until("both are there", || {
        let status = apart(desk.goroam("status --json")).exits(0).json();
        let is_up = status["agent"] == "running" && status["profile"] == "own";
        is_up.then_some(()).ok_or(status.to_string())
    });
    assert!(file.exists());
    apart(desk.goroam("restore")).exits(0);
    assert_eq!(desk.line("GOPRIVATE").as_deref(), Some("corp.test"));
}

// --- the runtime folder --------------------------------------------------------------------

#[test]
fn an_agent_whose_runtime_folder_was_wiped_is_reached_again() {
    let Some(desk) = desk() else { return };
    let mut agent = desk.agent();
    for what in ["run/goroam/agent.sock", "run/goroam", "run"] {
        let path = desk.user.path(what);
        // The agent may put something back before all of it is gone.
        match path.is_dir() {
            true => drop(std::fs::remove_dir_all(&path)),
            false => std::fs::remove_file(&path).unwrap(),
        }
        let status = wait_until("it is reached again", || {
            let status = desk.status();
            let is_reached = status["agent"] == "running";
            is_reached.then_some(status.clone()).ok_or(agent.log())
        });
        assert_eq!(status["profile"], "own", "{what}");
        desk.goroam("use own").exits(0);
        desk.goroam("auto").exits(0);
    }
    assert!(agent.is_alive());
    agent.signal("-TERM");
    agent.ended();
    assert!(!desk.user.path("run/goroam/agent.sock").exists());
}

// --- what fails and gets well again without an event -----------------------------------------

/// A folder that even root cannot write to, until this is dropped.
struct Fixed(std::path::PathBuf);

impl Fixed {
    fn new(folder: std::path::PathBuf) -> Fixed {
        let fixed = Fixed(folder);
        assert!(fixed.chattr("+i"), "chattr does not work here");
        fixed
    }

    fn chattr(&self, flag: &str) -> bool {
        let mut command = std::process::Command::new("chattr");
        command.arg(flag).arg(&self.0).status().unwrap().success()
    }
}

impl Drop for Fixed {
    fn drop(&mut self) {
        self.chattr("-i");
    }
}

#[test]
fn a_turn_that_failed_is_tried_again_and_told_once() {
    let Some(desk) = desk() else { return };
    let folder = desk.user.path(".config/go");
    std::fs::create_dir_all(&folder).unwrap();
    let fixed = Fixed::new(folder);
    let agent = desk.spawn(|run| run);
    // The first try, and one more.
    let failed = || agent.log().matches("is read-only").count();
    wait_until("two tries", || {
        (failed() >= 2).then_some(()).ok_or_else(|| agent.log())
    });
    let status = desk.status();
    let history = desk.history();
    drop(fixed);
    assert!(status["troubles"].to_string().contains("is read-only"));
    assert_eq!(history.len(), 1, "{history:#?}");
    desk.wait_for("GOPROXY", Some("https://corp.test"));
    wait_until("nothing is wrong any more", || {
        let status = desk.status();
        let is_well = status["troubles"] == serde_json::json!([]);
        is_well.then_some(()).ok_or(status.to_string())
    });
}
