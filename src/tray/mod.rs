//! The tray: one menu and one icon as plain data. Each system draws them with its own interface: a
//! notification area icon on Windows, a StatusNotifierItem on Linux, a menu bar item on macOS.
//!
//! ```text
//! Status → Face (icon, tooltip, menu) → backend draws       click → Action → agent::Command
//! Status, Status → Notification → backend notifies
//! ```
//!
//! Each system's file has `run(Site) -> Result<ExitCode, String>`, which shows the tray until the
//! user quits.
//!
//! May import: model, policy (its templates), gocmd, state, agent, ipc, paths.

pub mod control;
pub mod face;
pub mod icon;
mod menu;
mod notification;
mod start;
mod texts;
mod words;

#[cfg(target_os = "linux")]
mod autostart;
#[cfg(target_os = "linux")]
mod sni;
#[cfg(target_os = "linux")]
mod sni_item;

#[cfg(target_os = "macos")]
mod macos;

/// The tests of its pure parts run on every system.
#[cfg(any(windows, test))]
mod windows;

pub use control::Site;
pub use start::run;
