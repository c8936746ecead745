//! goroam where a user looks: one menu and one icon as plain data, drawn by each system's own
//! means (a notification area icon on Windows, a StatusNotifierItem on Linux, a menu bar item
//! on macOS).
//!
//! ```text
//! Status → Face (icon, tooltip, menu) → backend draws       click → Action → agent::Command
//! Status, Status → News → backend notifies
//! ```
//!
//! May import: model, agent, ipc, paths.

#[cfg(feature = "tray")]
pub mod control;
pub mod face;
#[cfg(feature = "tray")]
pub mod picture;

/// Shows the tray until the user quits. `args` as the program gets them: `--config FILE`.
#[cfg(feature = "tray")]
pub fn run(args: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    drop(args.into_iter());
    std::process::ExitCode::FAILURE
}
