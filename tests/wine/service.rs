//! `goroam service` on Windows: the Run key, the tray that it starts, and nothing left behind.

use crate::screen::Screen;
use crate::wine::{Wine, wait_for};
use crate::wine_helper::count;

const POLICY: &str = "AppData/Roaming/goroam/config/goroam.toml";
const RUN: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run";
const APPROVED: &str =
    r"HKCU\Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run";

/// A Windows with a screen, for the tray needs one.
fn desk() -> Option<(Screen, Wine)> {
    let screen = Screen::get()?;
    let mut wine = Wine::get()?.with_go("1.27.3");
    wine.set("DISPLAY", &screen.display);
    wine.write(
        POLICY,
        "version = 1\n[[profile]]\nname = \"only\"\nenv = { GOPROXY = \"off\" }\n",
    );
    Some((screen, wine))
}

/// The service's state; it is no failure that it does not run.
fn state(wine: &Wine) -> serde_json::Value {
    wine.goroam("service status --json").done().json()
}

fn wait_for_agent(wine: &Wine) {
    wait_for("an agent that answers", || {
        let status = wine.goroam("status --json").exits(0).json();
        match status["agent"].as_str() {
            Some("running") => Ok(()),
            _ => Err(status.to_string()),
        }
    });
}

#[test]
fn installed_it_runs_now_and_at_login_and_uninstalled_nothing_is_left() {
    let Some((_screen, wine)) = desk() else {
        return;
    };
    let before = (wine.registry(RUN), wine.registry(APPROVED));
    assert_eq!(state(&wine)["installed"], serde_json::Value::Null);

    wine.goroam("service install").exits(0);
    let value = wine.registry(RUN);
    let line = r#""C:\Program Files\goroam\goroam-tray.exe""#;
    assert!(
        value
            .lines()
            .any(|l| l.contains("goroam ") && l.trim().ends_with(line)),
        "{value}"
    );
    wait_for_agent(&wine);
    assert_eq!(count(&wine, "goroam-tray.exe"), 1);
    // It answers before its first turn is over.
    wait_for("what the policy says in the go env file", || {
        let go = wine.run_go("env GOPROXY").exits(0);
        let now = go.stdout.trim().to_owned();
        if now == "off" {
            return Ok(());
        }
        let status = wine.goroam("status --json").done().stdout;
        let log = std::fs::read_to_string(wine.local().join("goroam/data/goroam.log"));
        Err(format!("{now}\n{status}\n{}", log.unwrap_or_default()))
    });
    let installed = state(&wine);
    assert_eq!(installed["enabled"], true, "{installed:#}");
    assert_eq!(
        installed["troubles"],
        serde_json::json!([]),
        "{installed:#}"
    );

    // Once more: the agent that runs gives way to a new one.
    wine.goroam("service install").exits(0);
    wait_for_agent(&wine);
    wine.goroam("service stop").exits(0);
    wine.goroam("pause").exits(5);
    wine.goroam("service start").exits(0);
    wait_for_agent(&wine);
    wine.goroam("service restart").exits(0);
    wait_for_agent(&wine);

    wine.goroam("service uninstall --restore --purge").exits(0);
    wine.goroam("pause").exits(5);
    let after = (wine.registry(RUN), wine.registry(APPROVED));
    assert!(
        !after.0.contains("goroam") && !after.1.contains("goroam"),
        "{after:?}"
    );
    assert!(
        before.0.is_empty() || before.0 == after.0,
        "{before:?} {after:?}"
    );
    assert!(!wine.go_env().exists(), "what it has set is put back");
    wait_for("the end of the tray", || {
        match count(&wine, "goroam-tray.exe") {
            0 => Ok(()),
            trays => Err(trays.to_string()),
        }
    });
    let data = wine.local().join("goroam/data");
    for name in [
        "journal.jsonl",
        "state.json",
        "goroam.log",
        "run/agent.lock",
    ] {
        assert!(!data.join(name).exists(), "{name}");
    }
    assert!(wine.local().exists(), "Windows cannot do without it");
    assert!(wine.policy().exists(), "the policy is the user's own");
}

#[test]
fn what_is_switched_off_in_task_manager_is_told_and_an_install_switches_it_on() {
    let Some((_screen, wine)) = desk() else {
        return;
    };
    wine.goroam("service install").exits(0);
    let off = wine
        .run("reg")
        .args("add")
        .arg(APPROVED)
        .args("/v goroam /t REG_BINARY");
    off.args("/d 030000000000000000000000 /f").exits(0);
    let told = state(&wine);
    assert_eq!(told["enabled"], false, "{told:#}");
    assert!(
        told["troubles"][0]
            .as_str()
            .unwrap()
            .contains("Task Manager"),
        "{told:#}"
    );
    wine.goroam("service install").exits(0);
    assert_eq!(state(&wine)["enabled"], true);
    wine.goroam("service uninstall").exits(0);
}

#[test]
fn without_the_tray_beside_it_nothing_is_written_and_the_way_out_is_named() {
    let Some(wine) = Wine::get() else { return };
    let wine = wine.with_go("1.27.3");
    std::fs::remove_file(wine.drive().join("Program Files/goroam/goroam-tray.exe")).unwrap();
    let refused = wine.goroam("service install").done();
    assert!(!refused.status.success(), "{}", refused.all());
    let folder = r"goroam-tray.exe is not in C:\Program Files\goroam";
    refused.complains(folder);
    assert!(!wine.registry(RUN).contains("goroam"));
    wine.goroam("service status").exits(5);
}
