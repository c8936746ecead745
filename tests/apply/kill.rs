//! kill -9 at any moment: the file is the old one or the new one, and nothing is left behind.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use goroam::environment::Environment;
use goroam::gocmd::{EnvFile, prepare};

use crate::go::{self, Home, plan};

const VICTIM: &str = "GOROAM_TEST_VICTIM_HOME";
const FOREIGN: &str = "# kept\r\nGOFLAGS=-v\n";
const OLD: &str = "GOPROXY=old\n";

/// Not a test of its own: what the test below starts and kills. It applies for ever.
#[tokio::test]
async fn victim() {
    let Ok(home) = std::env::var(VICTIM) else {
        return;
    };
    let env: Environment = [("HOME", home.as_str()), ("PATH", "/usr/bin:/bin")]
        .into_iter()
        .collect();
    let file = EnvFile::locate(&env).unwrap();
    let go = go::newest(&env).await.unwrap();
    for number in 0_u64.. {
        let plan = plan(&[&format!("GOPROXY=v{number}"), "GOSUMDB=off"]);
        let prepared = prepare(&go, &file, &env, &plan).await.unwrap();
        prepared.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_the_old_file_or_the_new_one() {
    let home = Home::holding(format!("{FOREIGN}{OLD}"));
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let (mut old, mut new) = (0, 0);
    for round in 0.. {
        if round >= 80 && old > 0 && new > 0 {
            break;
        }
        assert!(round < 1000, "killed before: {old}, after: {new}");
        home.write(format!("{FOREIGN}{OLD}"));
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::victim"])
            .env(VICTIM, home.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From the first sign of life on, every half millisecond up to 40 of them once, and
        // later ones where the machine is so slow that this is too soon. The sign is a copy or
        // a change, so that the process's start does not count.
        let deadline = Instant::now() + Duration::from_secs(20);
        while home.names() == ["env"] && home.text() == format!("{FOREIGN}{OLD}") {
            assert!(Instant::now() < deadline, "the victim does not begin");
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(500 * round));
        victim.kill().unwrap();
        assert_eq!(
            victim.wait().unwrap().signal(),
            Some(9),
            "it ended by itself"
        );

        let text = home.text();
        let rest = text
            .strip_prefix(FOREIGN)
            .unwrap_or_else(|| panic!("torn: {text:?}"));
        if rest == OLD {
            old += 1;
        } else {
            let value = rest.strip_prefix("GOPROXY=v").unwrap();
            let number = value.strip_suffix("\nGOSUMDB=off\n").unwrap();
            assert!(number.parse::<u64>().is_ok(), "torn: {text:?}");
            new += 1;
        }
    }
    println!("killed before the switch: {old}, after: {new}");

    // A go that outlived its goroam may still write to its copy; the next apply sweeps it too.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        home.write(OLD);
        home.apply(&go, &plan(&["GOPROXY=off"])).await.unwrap();
        if home.names() == ["env"] {
            break;
        }
        assert!(Instant::now() < deadline, "left behind: {:?}", home.names());
    }
}
