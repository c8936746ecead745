//! `goroam vendor rollback` is killed at random moments: after the next command the tree is the
//! old one or the new one, whole, and nothing of the user's is gone. As many kills as fit into
//! 20 seconds; `GOROAM_KILLS=1000` makes it a thousand.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::vendored::{Shop, Vendored};

/// Where the kills fell.
#[derive(Debug, Default)]
struct Tally {
    kills: u32,
    before: u32,
    undone: u32,
    carried_through: u32,
    finished: u32,
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_or_the_new_tree() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    project.go(&["get", "example.test/Kit@v1.1.0"]);
    project.go(&["mod", "vendor"]);
    project.goroam(&["snapshot", "--commit", "--tag", "two"], 0);
    // The user's own, which no rollback may touch: work elsewhere, and a staged file.
    project.write("main_test.go", "package main\n");
    project.write("staged.txt", "staged\n");
    project.git(&["add", "staged.txt"]);
    let index = project.git(&["ls-files", "-s"]);
    let two = project.state();
    project.goroam(&["rollback", "one"], 0);
    let one = project.state();
    assert_ne!(one, two);

    let wanted = std::env::var("GOROAM_KILLS")
        .ok()
        .and_then(|n| n.parse::<u32>().ok());
    let end = Instant::now() + Duration::from_secs(20);
    let mut took = usual_time(&project);
    let mut tally = Tally::default();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut now_one = project.state() == one;
    // However slow the machine is, some have to come in time.
    let enough = |kills: u32| match wanted {
        Some(wanted) => kills >= wanted,
        None => Instant::now() > end && kills >= 5,
    };
    while !enough(tally.kills) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let share = f64::from(u32::try_from(random >> 32).unwrap()) / f64::from(u32::MAX);
        // The swap itself is short and near the end: most kills are aimed there.
        let at = match random % 4 {
            0 => share,
            _ => 0.75 + share * 0.3,
        };
        let target = if now_one { "two" } else { "one" };
        let begun = Instant::now();
        let mut child = project.goroam_command(&["rollback", target]);
        let mut child = child
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moment = took.mul_f64(at);
        while begun.elapsed() < moment && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(100));
        }
        let status = match child.try_wait().unwrap() {
            Some(status) => status,
            None => {
                child.kill().unwrap();
                tally.kills += 1;
                child.wait().unwrap()
            }
        };
        if status.success() {
            // The machine's load changes; the aim follows.
            took = (took * 7 + begun.elapsed()) / 8;
        }
        judge(
            &project,
            status.success(),
            &one,
            &two,
            &index,
            now_one,
            &mut tally,
        );
        now_one = project.state() == one;
    }
    println!("{tally:?}; one rollback takes {took:?}");
    project.builds();
    let found = project.findings();
    assert!(found.is_empty(), "{found:?}");
}

type State = Vec<(String, Vec<u8>, bool)>;

fn judge(
    project: &Vendored<'_>,
    finished: bool,
    one: &State,
    two: &State,
    index: &str,
    was_one: bool,
    tally: &mut Tally,
) {
    let said = project.goroam(&["list"], 0);
    let state = project.state();
    let (old, new) = if was_one { (one, two) } else { (two, one) };
    if finished {
        assert_eq!(&state, new);
        tally.finished += 1;
    } else if said.contains("was completed") {
        assert_eq!(&state, new, "{said}");
        tally.carried_through += 1;
    } else if said.contains("had changed nothing") {
        assert_eq!(&state, old, "{said}");
        tally.undone += 1;
    } else {
        // Before anything was written down, or after everything was done.
        assert!(&state == old || &state == new, "{said}");
        tally.before += 1;
    }
    let marked = |line: &str| said.lines().any(|l| l.starts_with('●') && l.contains(line));
    assert!(
        marked(if &state == one { " one " } else { " two " }),
        "{said}"
    );
    let left: Vec<_> = std::fs::read_dir(&project.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("rollback"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let own: Vec<_> = std::fs::read_dir(project.path(".git/goroam"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "lock")
        .collect();
    assert!(own.is_empty(), "{own:?}");
    assert_eq!(project.read("main_test.go"), "package main\n");
    assert_eq!(project.read("staged.txt"), "staged\n");
    assert_eq!(project.git(&["ls-files", "-s"]), index);
}

/// How long a rollback takes here and now.
fn usual_time(project: &Vendored<'_>) -> Duration {
    let begun = Instant::now();
    project.goroam(&["rollback", "two"], 0);
    project.goroam(&["rollback", "one"], 0);
    begun.elapsed() / 2
}
