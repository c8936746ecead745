//! What the service manager looks after: an agent that hangs, one that rests, one that is
//! replaced by a newer one.

use std::time::{Duration, Instant};

use crate::support::{Container, Lab, PROGRAM, SOON, goroam_bin, wait_until};

const PUBLIC: &str = "https://proxy.golang.org,direct";
const OFFICE: &str = "https://goproxy.corp.test";

/// Installed, with a short watchdog.
fn watched<'lab>(lab: &'lab Lab) -> Container<'lab> {
    let machine = Container::boot(lab);
    lab.travel("home");
    machine
        .user("mkdir -p .config/systemd/user/goroam.service.d")
        .ok();
    let short = "[Service]\nWatchdogSec=2s\nTimeoutStartSec=3s\n";
    machine.write(
        short,
        "/home/dev/.config/systemd/user/goroam.service.d/50-test.conf",
    );
    machine.user("goroam service install").ok();
    machine.wait_for("GOPROXY", PUBLIC);
    machine
}

/// Voluntary and involuntary switches to and from each thread, and the time on a processor.
fn activity(machine: &Container<'_>, pid: u32) -> String {
    let line = format!("cat /proc/{pid}/task/*/schedstat; grep -h ctxt /proc/{pid}/task/*/status");
    machine.root(&line).ok().to_owned()
}

fn wait_at_rest(machine: &Container<'_>) {
    wait_until("the watchdog to be off", SOON, || {
        let limit = machine.show("WatchdogUSec");
        if limit == "0" { Ok(()) } else { Err(limit) }
    });
}

#[test]
fn an_agent_that_hangs_at_work_is_started_again_and_one_that_rests_is_left_alone() {
    let Some(lab) = Lab::get() else { return };
    let machine = watched(&lab);
    wait_at_rest(&machine);

    // A round that lasts: nobody answers.
    let first = machine.pid();
    lab.dns("home", "silent");
    machine
        .user("setsid goroam once >/dev/null 2>&1 </dev/null & true")
        .ok();
    wait_until("the watchdog to run", SOON, || {
        match machine.show("WatchdogUSec") {
            limit if limit == "2s" => Ok(()),
            limit => Err(limit),
        }
    });
    machine
        .user("systemctl --user kill --kill-who=main -s STOP goroam.service")
        .ok();
    let stopped = Instant::now();
    let second = wait_until("another process", SOON, || match machine.pid() {
        0 => Err("none".to_owned()),
        pid if pid == first => Err("the same".to_owned()),
        pid => Ok(pid),
    });
    println!(
        "hung at work, started again after {:.1} s",
        stopped.elapsed().as_secs_f64()
    );
    let log = machine
        .user("journalctl --user -u goroam.service -b --no-pager -o cat")
        .stdout;
    assert!(log.contains("Watchdog timeout"), "{log}");
    lab.dns("home", "ok");
    lab.travel("office");
    machine.wait_for("GOPROXY", OFFICE);

    // At rest: ten times the watchdog's limit without a wake-up.
    wait_until("no late event of the move", Duration::from_secs(30), || {
        let before = activity(&machine, second);
        std::thread::park_timeout(Duration::from_secs(3));
        let after = activity(&machine, second);
        if before == after { Ok(()) } else { Err(after) }
    });
    let before = activity(&machine, second);
    let quiet = Instant::now();
    while quiet.elapsed() < Duration::from_secs(20) {
        std::thread::park_timeout(Duration::from_secs(20).saturating_sub(quiet.elapsed()));
    }
    assert_eq!(activity(&machine, second), before, "it woke up");
    assert_eq!(machine.pid(), second, "it was ended for nothing");
    assert_eq!(machine.show("WatchdogUSec"), "0");
    println!("20 s at rest under WatchdogSec=2s: no thread was woken");
    lab.travel("home");
    machine.wait_for("GOPROXY", PUBLIC);
    let said = machine.user("goroam service uninstall --restore --purge");
    assert!(
        said.words().contains("changes of your own stay: ~/.config"),
        "{said:?}"
    );
}

#[test]
fn a_new_program_takes_over_and_a_broken_one_does_not() {
    let Some(lab) = Lab::get() else { return };
    let machine = watched(&lab);
    let pid = machine.pid();
    let running = || {
        let link = format!("stat -L -c %i /proc/{}/exe", machine.pid());
        machine.root(&link).stdout
    };
    let old = running();
    let troubles = || {
        machine
            .user("goroam status --json 2>&1 || /tmp/goroam status --json")
            .stdout
    };

    // Broken: the old one goes on, and says so. Its command line is the new file too.
    machine.root(&format!("cp {PROGRAM} /tmp/goroam")).ok();
    machine.write("#!/bin/sh\nexit 3\n", PROGRAM);
    wait_until("the trouble to be told", SOON, || {
        let said = troubles();
        if said.contains("does not run (exit status: 3); the old one keeps running") {
            Ok(())
        } else {
            Err(said)
        }
    });
    lab.travel("office");
    machine.wait_for("GOPROXY", OFFICE);
    assert_eq!((machine.pid(), running()), (pid, old.clone()));

    // Whole: it takes over in the same process, and nothing is missed.
    machine.push(&goroam_bin(), PROGRAM);
    lab.travel("home");
    wait_until("the new program", SOON, || {
        let now = running();
        if now != old && !now.is_empty() {
            Ok(())
        } else {
            Err(machine.log())
        }
    });
    assert_eq!(machine.pid(), pid, "the same process");
    machine.wait_for("GOPROXY", PUBLIC);
    lab.travel("office");
    machine.wait_for("GOPROXY", OFFICE);
    assert_eq!(machine.show("NRestarts"), "0");
    machine.user("goroam history --verify").ok();

    // It shows its version and then hangs: ended, and tried again until there is a better one.
    machine.write(
        "#!/bin/sh\n[ \"$1\" = --version ] && { echo goroam 9; exit; }\nexec sleep 1000\n",
        PROGRAM,
    );
    wait_until("the manager to lose patience", SOON, || {
        match machine.show("NRestarts") {
            count if count != "0" => Ok(()),
            _ => Err(machine.log()),
        }
    });
    machine.push(&goroam_bin(), PROGRAM);
    lab.travel("home");
    machine.wait_for("GOPROXY", PUBLIC);
    machine.user("goroam history --verify").ok();
    machine
        .user("goroam service uninstall --restore --purge")
        .ok();
}
