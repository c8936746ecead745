//! The notification area of Windows, directly on Win32: a hidden window with its loop on the main
//! thread, the agent and the control on another. They communicate through [`orders::Orders`] one
//! way and a channel the other.
//!
//! The crate `tray-icon` is not used: it shows no notifications, and it discards clicks where
//! `Shell_NotifyIconGetRect` fails, as it does under Wine 8, where this is tested.

#[cfg(windows)]
mod agent;
#[cfg(windows)]
mod area;
#[cfg_attr(not(windows), allow(dead_code))] // only the tests of its rotation run on other systems
mod log_file;
#[cfg(windows)]
mod menu;
#[cfg(windows)]
mod orders;
#[cfg(windows)]
mod run;
#[cfg(windows)]
mod shell;
#[cfg_attr(not(windows), allow(dead_code))]
mod text;
#[cfg(windows)]
mod window;

#[cfg(windows)]
pub(super) use run::{complain, inform, run};
