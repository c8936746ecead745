//! The tray on a Linux desktop: a real D-Bus, a real agent, and what a user sees and clicks.

mod desk;
mod wait;

use std::io::Read;
use std::time::Duration;

use desk::{Desk, POLICY};
use goroam::tray::face::Icon;
use wait::{find, in_time, until, until_icon, until_tooltip};

use crate::cli::{self, User};
use crate::desktop::{DEADLINE, Host, Notifications, next};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_the_profile_and_chooses_another_one_by_clicks() {
    let Some(desk) = Desk::new() else { return };
    let mut host = Host::start(&desk.bus).await;
    let _tray = desk.tray();
    let item = host.item().await;
    assert!(
        item.service.starts_with("org.kde.StatusNotifierItem-"),
        "{}",
        item.service
    );
    assert_eq!(item.property::<String>("Id").await, "goroam");
    until_tooltip(&item, "goroam: no agent is running").await;
    until_icon(&item, Icon::Stopped).await;

    let mut agent = desk.agent();
    desk.until_status("the first turn", |status| status["profile"] == "public")
        .await;
    // Whoever looks need not wait for the next try.
    until("the agent in the tooltip", async || {
        let (title, _) = item.tooltip().await;
        if title.starts_with("public · since ") {
            Ok(())
        } else {
            Err(title)
        }
    })
    .await;
    until_icon(&item, Icon::Good).await;
    let menu = item.menu().await;
    assert_eq!(find(&menu, &["Automatic"]).ticked, Some(true));
    assert_eq!(find(&menu, &["Pause"]).ticked, Some(false));
    let head = &menu[0];
    assert!(
        head.label.starts_with("public · since ") && !head.enabled,
        "{head:?}"
    );
    assert!(!find(&menu, &["Use a profile", "✓ public"]).lines.is_empty());

    // An underscore would be an access key.
    let home = ["Use a profile", "home__R&D"];
    item.click(&[home[0], home[1], "For 30 minutes"]).await;
    desk.until_status("pinned", |status| status["pinned"]["name"] == "home_R&D")
        .await;
    let status = desk.status();
    let until_when: jiff::Timestamp = status["pinned"]["until"].as_str().unwrap().parse().unwrap();
    let left = until_when.as_second() - jiff::Timestamp::now().as_second();
    assert!((29 * 60..=30 * 60).contains(&left), "{left} s");
    desk.until_status("in force", |status| status["profile"] == "home_R&D")
        .await;
    until_tooltip(&item, "home_R&D · since ").await;
    let menu = item.menu().await;
    assert_eq!(find(&menu, &["Automatic"]).ticked, Some(false));
    let pinned = &find(&menu, &["Use a profile"]).lines[0];
    assert!(
        pinned.label.starts_with("✓ home__R&D • by hand until "),
        "{pinned:?}"
    );

    item.click(&["Pause"]).await;
    desk.until_status("paused", |status| status["paused"] == true)
        .await;
    until_icon(&item, Icon::Paused).await;
    item.click(&["Pause"]).await;
    desk.until_status("going on", |status| status["paused"] == false)
        .await;
    assert_eq!(desk.status()["pinned"]["name"], "home_R&D");
    item.click(&["Automatic"]).await;
    desk.until_status("automatic", |status| status["pinned"].is_null())
        .await;
    until_icon(&item, Icon::Good).await;

    // The agent dies, and another one comes.
    agent.0.kill().unwrap();
    agent.0.wait().unwrap();
    until_icon(&item, Icon::Stopped).await;
    assert!(
        !item
            .menu()
            .await
            .iter()
            .any(|line| line.label == "Automatic")
    );
    let _agent = desk.agent();
    until_icon(&item, Icon::Good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_comes_late_goes_away_and_comes_back_shows_the_icon_each_time() {
    let Some(desk) = Desk::new() else { return };
    let mut tray = desk.tray();
    // It says so once and waits.
    let (stderr, said) = in_time(tray.0.stderr.take().unwrap(), |stderr| {
        let mut said = vec![0; 500];
        let read = stderr.read(&mut said).unwrap();
        String::from_utf8_lossy(&said[..read]).into_owned()
    })
    .await;
    assert!(
        said.contains("no program in this session shows tray icons"),
        "{said}"
    );
    for _ in 0..2 {
        let mut host = Host::start(&desk.bus).await;
        let item = host.item().await;
        until_icon(&item, Icon::Stopped).await;
        assert!(tray.0.try_wait().unwrap().is_none());
    }
    let _host = Host::start(&desk.bus).await;
    // The last words of all: the session ends, and the tray with it.
    let Desk { mut bus, .. } = desk;
    bus.end();
    let (_, rest) = in_time(stderr, |stderr| {
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        rest
    })
    .await;
    assert_eq!(rest, "goroam-tray: the session has ended\n");
    assert!(tray.0.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_are_told_unless_the_user_does_not_want_it() {
    let Some(desk) = Desk::new() else { return };
    let mut host = Host::start(&desk.bus).await;
    let mut notifications = Notifications::start(&desk.bus).await;
    let _agent = desk.agent();
    desk.until_status("the first turn", |status| status["profile"] == "public")
        .await;
    let _tray = desk.tray();
    let item = host.item().await;
    until_tooltip(&item, "public").await;

    desk.user
        .goroam("use home_R&D")
        .env("PATH", &desk.path)
        .exits(0);
    let told = next(&mut notifications.told, "the switch").await;
    assert_eq!(told.title, "public → home_R&D");
    assert_eq!((told.replaces, told.urgency), (0, 1));
    assert!(!told.text.is_empty());

    let path = ".config/goroam/goroam.toml";
    desk.user
        .write(path, format!("{POLICY}[agent]\nnotify = false\n"));
    desk.until_status("the new policy", |status| status["notify"] == false)
        .await;
    desk.user.goroam("auto").env("PATH", &desk.path).exits(0);
    until_tooltip(&item, "public").await;
    let silence = Duration::from_millis(3000);
    let told = tokio::time::timeout(silence, notifications.told.recv()).await;
    assert!(told.is_err(), "{told:?}");

    // What a click could not do is told all the same: it was asked for.
    std::fs::remove_file(desk.user.path("bin/xdg-open")).unwrap();
    std::fs::write(desk.user.path("bin/xdg-open"), "#!/bin/sh\nexit 3\n").unwrap();
    cli::mode(&desk.user.path("bin/xdg-open"), 0o755);
    item.click(&["Open policy"]).await;
    let told = next(&mut notifications.told, "that it cannot be opened").await;
    assert!(told.title.contains("cannot be opened"), "{told:?}");
    assert_eq!(
        told.replaces, 0,
        "trouble does not take the place of a switch"
    );
    // And what comes after takes its place.
    item.click(&["Open policy"]).await;
    let again = next(&mut notifications.told, "that it cannot be opened").await;
    assert_eq!(again.replaces, told.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_opened_the_tray_starts_at_login_and_quit_ends_it() {
    let Some(desk) = Desk::new() else { return };
    let mut host = Host::start(&desk.bus).await;
    let mut tray = desk.tray();
    let item = host.item().await;
    until_icon(&item, Icon::Stopped).await;
    let opened = async |holds: &str| {
        until(holds, async || {
            match std::fs::read_to_string(desk.user.path("opened")) {
                Ok(text) if text.contains(holds) => Ok(()),
                Ok(text) => Err(text),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
    };
    item.click(&["Open policy"]).await;
    opened("home_R&D").await;
    item.click(&["Open log"]).await;
    opened("no turn was taken yet").await;
    std::fs::remove_file(desk.user.policy()).unwrap();
    item.click(&["Open policy"]).await;
    opened("version = 1").await;
    assert!(desk.user.policy().is_file(), "the template");

    let entry = desk.user.path(".config/autostart/goroam-tray.desktop");
    item.click(&["Start at login"]).await;
    let text = until("the entry", async || {
        std::fs::read_to_string(&entry).map_err(|error| error.to_string())
    })
    .await;
    let program = env!("CARGO_BIN_EXE_goroam-tray");
    assert!(text.contains(&format!("Exec=\"{program}\"\n")), "{text}");
    until("the tick", async || {
        let menu = item.menu().await;
        let ticked = find(&menu, &["Start at login"]).ticked;
        if ticked == Some(true) {
            Ok(())
        } else {
            Err(format!("{ticked:?}"))
        }
    })
    .await;
    item.click(&["Start at login"]).await;
    until("no entry", async || {
        if entry.exists() {
            Err(String::new())
        } else {
            Ok(())
        }
    })
    .await;

    let second = desk.start(env!("CARGO_BIN_EXE_goroam-tray"), "");
    let mut said = String::new();
    let mut second = second;
    second
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(
        said,
        "goroam-tray: goroam-tray is running in this session already\n"
    );
    assert_eq!(second.0.wait().unwrap().code(), Some(1));

    item.click(&["Quit"]).await;
    let ended = tokio::task::spawn_blocking(move || tray.0.wait().unwrap());
    assert!(
        tokio::time::timeout(DEADLINE, ended)
            .await
            .unwrap()
            .unwrap()
            .success()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_happens_nothing_runs_and_a_dead_agent_is_waited_for_in_peace() {
    let Some(desk) = Desk::new() else { return };
    let mut host = Host::start(&desk.bus).await;
    let agent = desk.agent();
    desk.until_status("the first turn", |status| status["profile"] == "public")
        .await;
    let tray = desk.tray();
    let item = host.item().await;
    until_icon(&item, Icon::Good).await;
    let mut counts = Vec::new();
    // A machine's own network may change, which is news for the agent and for the tray.
    while counts.last() != Some(&0) && counts.len() < 5 {
        let before = tray.naps();
        tokio::time::sleep(Duration::from_secs(4)).await;
        counts.push(tray.naps() - before);
    }
    assert_eq!(counts.last(), Some(&0), "naps in 4 s each: {counts:?}");

    drop(agent);
    until_icon(&item, Icon::Stopped).await;
    let before = tray.naps();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let count = tray.naps() - before;
    // Half a dozen tries, each a few steps; a loop that spins has thousands.
    assert!(count < 100, "{count} naps in 4 s without an agent");
}

#[test]
fn without_a_session_it_says_what_to_do_and_arguments_are_few() {
    let user = User::new();
    let tray = |words: &str| user.run(env!("CARGO_BIN_EXE_goroam-tray")).args(words);
    let address = format!("unix:path={}", user.path("nobody").display());
    tray("")
        .env("DBUS_SESSION_BUS_ADDRESS", &address)
        .exits(1)
        .complains("there is no session bus")
        .complains("set DBUS_SESSION_BUS_ADDRESS");
    let version = concat!("goroam-tray ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(tray("--version").exits(0).stdout(), version);
    tray("--help").exits(0).says("Usage: goroam-tray");
    tray("--no-such")
        .exits(2)
        .complains("unexpected argument '--no-such'");
    tray("")
        .without("HOME")
        .exits(4)
        .complains("HOME is not set");
}
