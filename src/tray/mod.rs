//! The tray: one menu and one icon as plain data, drawn by each system's own means (a notification
//! area icon on Windows, a StatusNotifierItem on Linux, a menu bar item on macOS).
//!
//! ```text
//! Status → Face (icon, tooltip, menu) → backend draws       click → Action → agent::Command
//! Status, Status → Notification → backend notifies
//! ```
//!
//! May import: model, policy (its templates), gocmd, state, agent, ipc, paths.

mod condition;
pub mod face;
#[cfg(test)]
mod fixtures;
pub mod icon;
mod looks;
mod menu;
mod notification;
mod tooltip;
mod words;

pub use looks::face;
pub use notification::notification;

#[cfg(feature = "tray")]
pub mod control;
#[cfg(feature = "tray")]
mod log;
#[cfg(feature = "tray")]
mod options;
#[cfg(feature = "tray")]
pub mod site;
#[cfg(feature = "tray")]
mod status_text;
#[cfg(feature = "tray")]
mod throttle;

// Each system's file has `run(Site) -> Result<ExitCode, String>`, which shows the tray until
// the user quits.
#[cfg(all(feature = "tray", target_os = "linux"))]
mod sni;
#[cfg(all(feature = "tray", target_os = "linux"))]
mod sni_autostart;
#[cfg(all(feature = "tray", target_os = "linux"))]
mod sni_item;
#[cfg(all(feature = "tray", target_os = "linux"))]
use sni as os;

#[cfg(all(feature = "tray", target_os = "macos"))]
mod macos;
#[cfg(all(feature = "tray", target_os = "macos"))]
mod macos_bar;
#[cfg(all(feature = "tray", target_os = "macos"))]
mod macos_target;
#[cfg(all(feature = "tray", target_os = "macos"))]
use macos as os;

#[cfg(all(
    feature = "tray",
    not(any(target_os = "linux", target_os = "macos", windows))
))]
mod none;
#[cfg(all(
    feature = "tray",
    not(any(target_os = "linux", target_os = "macos", windows))
))]
use none as os;

/// Its pure parts are tested on every system.
#[cfg(all(feature = "tray", any(windows, test)))]
mod windows;
#[cfg(all(feature = "tray", windows))]
use windows as os;

/// Shows the tray until the user quits. `args` as the program gets them: `--config FILE`.
#[cfg(feature = "tray")]
pub fn run(args: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    use crate::agent::error::{EXIT_FAILED, EXIT_REFUSED, EXIT_USAGE};

    let config = match options::parse(args) {
        options::Wanted::Tray { config } => config,
        #[cfg(windows)]
        options::Wanted::Print(text) => {
            windows::inform(&text);
            return std::process::ExitCode::SUCCESS;
        }
        #[cfg(not(windows))]
        options::Wanted::Print(text) => return say(&mut std::io::stdout(), &text, 0),
        options::Wanted::Wrong(why) => return complain(&why, EXIT_USAGE),
    };
    let site = match site::Site::find(config, crate::environment::Environment::of_process()) {
        Ok(site) => site,
        Err(error) => return complain(&error.to_string(), EXIT_REFUSED),
    };
    crate::agent::record_panics(site.paths.panic_log());
    match os::run(site) {
        Ok(code) => code,
        Err(why) => complain(&why, EXIT_FAILED),
    }
}

#[cfg(all(feature = "tray", not(windows)))]
fn complain(why: &str, exit: u8) -> std::process::ExitCode {
    say(
        &mut std::io::stderr(),
        &format!("goroam-tray: {why}\n"),
        exit,
    )
}

/// Windows shows no standard error of a tray.
#[cfg(all(feature = "tray", windows))]
fn complain(why: &str, exit: u8) -> std::process::ExitCode {
    windows::complain(why);
    std::process::ExitCode::from(exit)
}

/// A closed output is ignored.
#[cfg(all(feature = "tray", not(windows)))]
fn say(to: &mut dyn std::io::Write, text: &str, exit: u8) -> std::process::ExitCode {
    let _ = to.write_all(text.as_bytes());
    std::process::ExitCode::from(exit)
}
