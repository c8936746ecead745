//! `goroam service` on a machine with a real systemd: a day in the user's manager.

use std::time::Instant;

use crate::support::{Container, Lab, PROGRAM, SOON, wait_until};

const PUBLIC: &str = "https://proxy.golang.org,direct";
const OFFICE: &str = "https://goproxy.corp.test";

/// `systemd-analyze --user security` counts a user's service as root's and so cannot go much
/// below this; a directive that is lost shows.
const MOST_EXPOSED: f64 = 6.8;

fn goproxy(place: &str) -> &'static str {
    if place == "office" { OFFICE } else { PUBLIC }
}

#[test]
fn the_service_follows_ten_networks_survives_ten_kills_and_leaves_nothing_behind() {
    let Some(lab) = Lab::get() else { return };
    let machine = Container::boot(&lab);
    // What the user had before goroam.
    machine.write("GOFLAGS=-mod=mod\n", "/home/dev/.config/go/env");
    let before = machine.tree();
    lab.travel("home");

    machine.user("goroam service start").fails(1);
    let said = machine.user("goroam service install");
    print!("{}", said.ok());
    assert!(
        said.stdout
            .contains("wrote ~/.config/systemd/user/goroam.service\n")
    );
    assert_eq!(
        machine.show("ActiveState"),
        "active",
        "ready when install returns"
    );
    machine.wait_for("GOPROXY", PUBLIC);

    let again = machine.user("goroam service install");
    assert!(again.ok().contains("nothing to do"), "{again:?}");
    machine
        .user("systemd-analyze --user verify --man=no goroam.service")
        .ok();

    for turn in 0..10 {
        let place = if turn % 2 == 0 { "office" } else { "home" };
        lab.travel(place);
        machine.wait_for("GOPROXY", goproxy(place));
    }
    let status = wait_until("what systemd was told", SOON, || {
        let status = machine.show("StatusText");
        if status.starts_with("public · since ") {
            Ok(status)
        } else {
            Err(status)
        }
    });
    println!("systemctl status says: {status}");

    let began = Instant::now();
    for turn in 0..10 {
        let pid = machine.pid();
        machine
            .user("systemctl --user kill -s KILL goroam.service")
            .ok();
        let place = if turn % 2 == 0 { "office" } else { "home" };
        lab.travel(place);
        machine.wait_for("GOPROXY", goproxy(place));
        assert_ne!(machine.pid(), pid);
    }
    println!(
        "ten kills and ten networks in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    machine.user("goroam history --verify").ok();
    let memory = format!("grep VmRSS /proc/{}/status", machine.pid());
    println!("debug build: {}", machine.root(&memory).ok().trim());

    machine.write_policy(&lab.policy().replace(PUBLIC, "https://proxy.golang.org"));
    machine.user("systemctl --user reload goroam.service").ok();
    machine.wait_for("GOPROXY", "https://proxy.golang.org");
    assert_eq!(machine.show("ActiveState"), "active");
    machine.write_policy(&lab.policy());
    machine.wait_for("GOPROXY", PUBLIC);

    let pid = machine.pid();
    machine.user("goroam service restart").ok();
    assert_ne!(machine.pid(), pid);
    let json = machine.user("goroam service status --json");
    let json: serde_json::Value = serde_json::from_str(json.ok()).unwrap();
    assert_eq!(json["program"], PROGRAM);
    assert_eq!(json["enabled"], true);
    assert_eq!(json["lingers"], true);
    assert_eq!(json["answers"], true);
    assert_eq!(json["troubles"], serde_json::json!([]));
    print!("{}", machine.user("goroam service status").ok());
    let log = machine.user("goroam service logs -n 5");
    assert_eq!(log.ok().lines().count(), 5);

    let report = machine.user("systemd-analyze --user security --no-pager goroam.service");
    println!("{}", report.ok());
    let score = report.stdout.rsplit("goroam.service: ").next().unwrap();
    let score: f64 = score.split(' ').next().unwrap().parse().unwrap();
    assert!(score <= MOST_EXPOSED, "{score}");

    let said = machine.user("goroam service uninstall --restore --purge");
    print!("{}", said.ok());
    let mut after = machine.tree();
    after.retain(|path, now| before.get(path) != Some(now));
    assert!(
        after.is_empty(),
        "left behind or changed: {:?}",
        after.keys()
    );
    assert_eq!(machine.tree().len(), before.len(), "taken away: {before:?}");
    let left = machine.root("ls /run/user/1000/goroam /run/user/1000/systemd/user");
    assert_eq!(left.stdout, "");
    assert_eq!(machine.show("LoadState"), "not-found");
    let said = machine.user("goroam service status");
    said.fails(5);
    assert!(said.stdout.contains("not installed"), "{said:?}");
}

#[test]
fn a_units_owner_and_its_surroundings_are_respected() {
    let Some(lab) = Lab::get() else { return };
    let machine = Container::boot(&lab);
    lab.travel("home");
    // A unit of the user's own stays, and is used.
    machine.user("mkdir -p .config/systemd/user").ok();
    let own = format!(
        "[Service]\nType=notify\nExecStart={PROGRAM} agent\n[Install]\nWantedBy=default.target\n"
    );
    let unit = "/home/dev/.config/systemd/user/goroam.service";
    machine.write(&own, unit);
    let said = machine.user("goroam service install");
    assert!(said.words().contains("stays as it is"), "{said:?}");
    assert_eq!(machine.root(&format!("cat {unit}")).ok(), own);
    assert_eq!(machine.show("ActiveState"), "active");
    let said = machine.user("goroam service uninstall");
    assert!(said.words().contains("so it stays"), "{said:?}");
    assert!(said.words().contains("before: goroam restore"), "{said:?}");
    assert_eq!(machine.root(&format!("cat {unit}")).ok(), own);
    assert!(
        !machine.go_env().is_empty(),
        "what was set stays unless asked otherwise"
    );
    machine
        .user("rm .config/systemd/user/goroam.service; goroam restore")
        .ok();

    // A package's unit that starts this program is enough.
    machine.root("mkdir -p /etc/systemd/user").ok();
    machine.write(&own, "/etc/systemd/user/goroam.service");
    machine.user("systemctl --user daemon-reload").ok();
    let said = machine.user("goroam service install");
    assert!(!said.ok().contains("user/goroam.service\n"), "{said:?}");
    // By another of its names on Debian: /etc/xdg/systemd/user.
    let unit = machine.show("FragmentPath");
    assert!(unit.starts_with("/etc/"), "{unit}");
    assert_eq!(machine.show("UnitFileState"), "enabled");
    // What this shell has and the manager has not, but no passwords.
    let shell =
        "GOENV=/home/dev/work.env HTTPS_PROXY=http://joe:hush@proxy:1 goroam service install";
    let said = machine.user(shell);
    assert!(
        said.words()
            .contains("HTTPS_PROXY of this shell holds a password"),
        "{said:?}"
    );
    let drop_in =
        machine.root("cat /home/dev/.config/systemd/user/goroam.service.d/10-environment.conf");
    assert!(
        drop_in
            .ok()
            .contains("Environment=GOENV=/home/dev/work.env\n"),
        "{drop_in:?}"
    );
    assert!(!drop_in.stdout.contains("hush"));
    assert!(
        machine
            .show("Environment")
            .contains("GOENV=/home/dev/work.env")
    );
    machine
        .user("env -u SSL_CERT_FILE goroam service install")
        .ok();
    assert!(!machine.show("Environment").contains("GOENV"));

    // A drop-in of the user's own by that name stays.
    let drop_in = "/home/dev/.config/systemd/user/goroam.service.d/10-environment.conf";
    machine
        .user("mkdir -p .config/systemd/user/goroam.service.d")
        .ok();
    let own_drop_in = "[Service]\nEnvironment=MINE=1\n";
    machine.write(own_drop_in, drop_in);
    let said = machine.user("GOENV=/home/dev/work.env goroam service install");
    assert!(said.words().contains("does not get GOENV"), "{said:?}");
    assert_eq!(machine.root(&format!("cat {drop_in}")).ok(), own_drop_in);
    machine.root(&format!("rm {drop_in}")).ok();

    // A link to a unit that is kept elsewhere stays too, though systemd's `disable` takes it.
    machine.user("mkdir dotfiles").ok();
    machine.write(&own, "/home/dev/dotfiles/goroam.service");
    machine
        .user("ln -s ~/dotfiles/goroam.service .config/systemd/user/ && goroam service install")
        .ok();
    let said = machine.user("goroam service uninstall");
    assert!(said.words().contains("so it stays"), "{said:?}");
    assert_eq!(machine.show("ActiveState"), "inactive");
    let login = "! ls .config/systemd/user/default.target.wants/goroam.service";
    machine.user(login).ok();
    machine
        .user("test -L .config/systemd/user/goroam.service")
        .ok();
    machine
        .user("rm .config/systemd/user/goroam.service && systemctl --user daemon-reload")
        .ok();
    machine.user("goroam service install").ok();

    // Somebody else's agent makes way.
    machine.user("goroam service stop").ok();
    machine
        .user("setsid goroam agent >/dev/null 2>&1 </dev/null & true")
        .ok();
    wait_until("an agent by hand", SOON, || {
        let said = machine.user("goroam status --json");
        if said.stdout.contains("\"running\"") {
            Ok(())
        } else {
            Err(said.stdout)
        }
    });
    let refused = machine.user("goroam service uninstall --restore --purge");
    assert!(refused.fails(1).contains("still runs"), "{refused:?}");
    machine
        .user("test -e $XDG_RUNTIME_DIR/goroam/agent.lock")
        .ok();
    let said = machine.user("goroam service install");
    assert!(said.ok().contains("ended the running agent"), "{said:?}");
    assert_eq!(machine.show("ActiveState"), "active");

    // In a `su` without a session the manager is found all the same.
    let said = machine.root(
        "runuser -u dev -- env -i HOME=/home/dev PATH=/usr/bin:/bin \
                             /home/dev/.local/bin/goroam service status --json",
    );
    assert!(said.ok().contains("\"answers\": true"), "{said:?}");
    // A program that others could replace is refused.
    machine
        .user("mkdir -p open && cp .local/bin/goroam open/ && chmod 777 open")
        .ok();
    let refused = machine.user("~/open/goroam service install");
    assert!(
        refused
            .fails(4)
            .contains("/home/dev/open may be written to by others")
    );
    // For root without a manager of its own there is none.
    let none = machine
        .root("env -u XDG_RUNTIME_DIR HOME=/root /home/dev/.local/bin/goroam service install");
    assert!(none.fails(1).contains("enable-linger"), "{none:?}");
    machine
        .user("goroam service uninstall --restore --purge")
        .ok();
    machine.root("rm -f /etc/systemd/user/goroam.service").ok();
}

#[test]
fn a_policy_that_is_broken_at_login_is_waited_for() {
    let Some(lab) = Lab::get() else { return };
    let machine = Container::boot(&lab);
    lab.travel("home");
    machine.write_policy("version = 1\n[target.x\n");
    machine.user("goroam service install").ok();
    assert_eq!(machine.show("ActiveState"), "active");
    let told = machine.show("StatusText");
    assert!(told.contains("goroam check"), "{told}");
    let pid = machine.pid();
    machine.user("systemctl --user reload goroam.service").ok();
    machine.write_policy(&lab.policy());
    machine.wait_for("GOPROXY", PUBLIC);
    assert_eq!(machine.pid(), pid, "it had only waited");
    machine.write_policy("version = 1\n[target.x\n");
    machine.user("goroam service restart").ok();
    machine.user("goroam service stop").ok();
    assert_eq!(machine.show("Result"), "success", "it ends while it waits");
    machine
        .user("goroam service uninstall --restore --purge")
        .ok();
}
