//! goroam-tray.exe under Wine, on a screen: what is seen, and what a click does.
#![cfg(target_os = "linux")]
#![cfg(feature = "tray")]
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/screen.rs"]
mod screen;
#[path = "support/wine.rs"]
mod wine;

use desk::Desk;
use goroam::tray::face::Icon;
use wine::{Running, wait_for};

const RUN_KEY: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run";

/// The menu's groups from the top, and how many entries each has.
const HEAD: (usize, usize) = (0, 3);
const PROFILES: (usize, usize) = (1, 4);
const FILES: (usize, usize) = (2, 2);
const END: (usize, usize) = (3, 2);

#[test]
fn a_day_with_the_icon_pin_release_pause_and_quit() {
    let Some(desk) = Desk::get() else { return };
    let mut tray: Running = desk.tray().start();
    desk.sees(Icon::Good);
    desk.screen.keep("good");
    desk.says("the first profile that holds", |status| {
        status["profile"] == "office" && status["agent"] == "running"
    });

    let menu = desk.menu(Icon::Good, 3);
    let profiles = menu.behind(PROFILES, 0);
    let durations = profiles.behind((0, 2), 1);
    desk.screen.keep("menu");
    let (x, y) = durations.place((0, 4), 0);
    desk.screen.click(x, y, 1);
    desk.says("pinned for half an hour", |status| {
        status["profile"] == "r&d"
            && status["pinned"]["name"] == "r&d"
            && status["pinned"]["until"].is_string()
    });
    desk.wine.run_go("env GOPROXY").exits(0).says("off");

    // Off is off line. The left button opens the menu too.
    desk.menu(Icon::Offline, 1).click(PROFILES, 1);
    desk.says("chosen by the network again", |status| {
        status["profile"] == "office" && status["pinned"].is_null()
    });

    desk.menu(Icon::Good, 3).click(PROFILES, 3);
    desk.sees(Icon::Paused);
    assert_eq!(desk.status()["paused"], true);

    desk.menu(Icon::Paused, 3).click(END, 1);
    wait_for("the end of the tray", || match tray.has_ended() {
        true => Ok(()),
        false => Err(desk.log()),
    });
    assert!(tray.wait().status.success());
    assert_eq!(desk.status()["agent"], "stopped");
    wait_for("a screen without the icon", || match desk.icons() {
        icons if icons.is_empty() => Ok(()),
        icons => Err(format!("{icons:?}")),
    });
    let log = desk.log();
    assert!(log.contains("goroam-tray"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn who_probes_by_hand_is_told_beside_the_icon() {
    let Some(desk) = Desk::get() else { return };
    let _tray = desk.tray().start();
    let menu = desk.menu(Icon::Good, 3);
    let before = desk.screen.windows();
    menu.click(PROFILES, 2);
    wait_for("a notification", || {
        let now = desk.screen.windows();
        let new = now.iter().find(|window| {
            let is_new = !before.iter().any(|old| old.id == window.id);
            is_new && window.width > 80 && window.height > 30
        });
        new.map(|_| ()).ok_or(format!("{now:?}"))
    });
    desk.screen.keep("news");
}

#[test]
fn the_status_the_policy_and_the_log_open_in_an_editor() {
    let Some(desk) = Desk::get() else { return };
    let _tray = desk.tray().start();
    // No program is registered for .toml files.
    let files = [
        (HEAD, 2, "status.txt"),
        (FILES, 0, "goroam.toml"),
        (FILES, 1, "log.txt"),
    ];
    for (group, nth, file) in files {
        desk.menu(Icon::Good, 3).click(group, nth);
        let title = format!("{file} - .*");
        wait_for(file, || {
            let windows = desk.screen.titled(&title);
            (windows.len() == 1).then_some(()).ok_or(desk.log())
        });
        for window in desk.screen.titled(&title) {
            desk.screen.keep(file);
            // Out of the way of the icon.
            desk.screen.xdo(&format!("windowmove {window} 500 300"));
        }
    }
}

#[test]
fn the_program_says_what_it_is() {
    let Some(desk) = Desk::get() else { return };
    let program = desk
        .wine
        .drive()
        .join("Program Files/goroam/goroam-tray.exe");
    let mut windres = std::process::Command::new("x86_64-w64-mingw32-windres");
    let read = windres.args(["-J", "coff", "-O", "rc"]).arg(program);
    let read = read.output().unwrap();
    let said = String::from_utf8_lossy(&read.stdout);
    let version = env!("CARGO_PKG_VERSION");
    for wanted in [
        "VALUE \"FileDescription\", \"goroam\"",
        &format!("VALUE \"ProductVersion\", \"{version}\""),
        "PerMonitorV2",
        "RT_GROUP_ICON",
    ] {
        assert!(said.contains(wanted), "no {wanted}: {read:?}");
    }
}

#[test]
fn start_at_login_is_ticked_and_unticked_in_the_registry() {
    let Some(desk) = Desk::get() else { return };
    let _tray = desk.tray().start();
    let line = r#""C:\Program Files\goroam\goroam-tray.exe""#;
    assert!(!desk.wine.registry(RUN_KEY).contains("goroam"));
    desk.menu(Icon::Good, 3).click(END, 0);
    wait_for("the value in the Run key", || {
        let said = desk.wine.registry(RUN_KEY);
        said.contains(line).then_some(()).ok_or(said)
    });
    let menu = desk.menu(Icon::Good, 3);
    desk.screen.keep("login");
    menu.click(END, 0);
    wait_for("no value in the Run key", || {
        let said = desk.wine.registry(RUN_KEY);
        (!said.contains("goroam")).then_some(()).ok_or(said)
    });
    // Only the start was changed: it still runs.
    desk.says("that it still runs", |status| status["agent"] == "running");
}

#[test]
fn a_second_start_shows_the_menu_of_the_first_and_no_second_icon() {
    let Some(desk) = Desk::get() else { return };
    let _tray = desk.tray().start();
    desk.sees(Icon::Good);
    desk.screen.xdo("mousemove 400 300");
    let menu = desk.opened(400, 120, || {
        desk.tray().exits(0);
    });
    assert_eq!(menu.groups.len(), 4, "{:?}", menu.groups);
    desk.screen.click(900, 600, 1);
    wait_for("the menu closed", || {
        let windows = desk.screen.windows();
        let open = windows.iter().any(|window| window.id == menu.window.id);
        (!open).then_some(()).ok_or(format!("{windows:?}"))
    });
    desk.sees(Icon::Good);
}

#[test]
fn it_follows_an_agent_that_runs_takes_over_when_that_ends_and_ends_when_it_is_asked_to() {
    let Some(desk) = Desk::get() else { return };
    let mut agent = desk.wine.goroam("agent").start();
    desk.says("the agent", |status| status["agent"] == "running");
    let mut tray = desk.tray().start();
    desk.menu(Icon::Good, 3).click(PROFILES, 3);
    desk.sees(Icon::Paused);
    assert!(!agent.has_ended());
    assert!(desk.log().contains("another agent"), "{}", desk.log());

    desk.wine.goroam("service stop").exits(0);
    wait_for("the end of the agent", || {
        agent.has_ended().then_some(()).ok_or(agent.said())
    });
    // It remembers what was asked of the other.
    desk.says("the tray's agent, still paused", |status| {
        status["agent"] == "running" && status["paused"] == true
    });
    desk.menu(Icon::Paused, 3).click(PROFILES, 1);
    desk.sees(Icon::Good);
    assert!(!tray.has_ended());

    desk.wine.goroam("service stop").exits(0);
    wait_for("the end of the tray", || {
        tray.has_ended().then_some(()).ok_or(desk.log())
    });
    assert!(tray.wait().status.success());
    assert_eq!(desk.status()["agent"], "stopped");
}

#[test]
fn a_restart_leaves_one_icon() {
    let Some(desk) = Desk::get() else { return };
    let mut tray = desk.tray().start();
    desk.sees(Icon::Good);
    for _ in 0..3 {
        desk.wine.goroam("service restart").exits(0);
        desk.says("an agent", |status| status["agent"] == "running");
        desk.sees(Icon::Good);
    }
    assert!(tray.has_ended());
    desk.menu(Icon::Good, 3).click(PROFILES, 3);
    desk.sees(Icon::Paused);
    // Put there again, so that Wine draws it on nothing.
    desk.wine.goroam("service restart").exits(0);
    desk.says("an agent that is still paused", |status| {
        status["agent"] == "running" && status["paused"] == true
    });
    desk.sees(Icon::Paused);
    desk.screen.keep("paused");
}

#[test]
fn a_policy_that_cannot_be_used_is_said_before_there_is_an_icon() {
    let Some(desk) = Desk::get() else { return };
    desk.wine.write(
        "AppData/Roaming/goroam/config/goroam.toml",
        "version = 1\n[[profile]]\nnane = \"office\"\n",
    );
    let mut tray = desk.tray().start();
    wait_for("the message", || {
        match desk.screen.titled("goroam").as_slice() {
            [_] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    desk.screen.keep("refused");
    assert!(!tray.has_ended(), "{}", tray.wait().all());
    assert_eq!(desk.icons(), []);
    desk.screen.xdo("key Return");
    let done = tray.wait();
    assert_eq!(done.status.code(), Some(2), "{}", done.all());
    assert!(
        desk.log().contains("goroam.toml:3: unknown key `nane`"),
        "{}",
        desk.log()
    );
}

#[test]
fn who_is_asked_to_close_quits() {
    let Some(desk) = Desk::get() else { return };
    let mut tray = desk.tray().start();
    desk.sees(Icon::Good);
    let taskkill = desk.wine.run("taskkill").args("/IM goroam-tray.exe");
    taskkill.exits(0);
    wait_for("the end of the tray", || {
        tray.has_ended().then_some(()).ok_or(desk.log())
    });
    assert!(tray.wait().status.success());
    assert!(desk.log().contains("shutting down on request"));
    assert_eq!(desk.status()["agent"], "stopped");
}

#[test]
fn when_the_session_ends_the_agent_ends_first() {
    let Some(desk) = Desk::get() else { return };
    let mut tray = desk.tray().start();
    desk.menu(Icon::Good, 3).click(PROFILES, 3);
    desk.sees(Icon::Paused);
    desk.wine.run("wineboot").arg("--end-session").done();
    wait_for("the end of the tray", || {
        tray.has_ended().then_some(()).ok_or(desk.log())
    });
    let log = desk.log();
    let at = |words: &str| log.find(words).unwrap_or_else(|| panic!("{words}: {log}"));
    assert!(
        at("the session ends") < at("shutting down on request"),
        "{log}"
    );
    assert!(!log.contains("not everything was done"), "{log}");
}
