//! The tray's program: its control of the agent, and its icon over D-Bus.
#![cfg(all(feature = "tray", unix))]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

#[cfg(target_os = "linux")]
#[path = "../support/cli.rs"]
mod cli;
#[cfg(target_os = "linux")]
#[path = "../support/go.rs"]
mod go;

mod control;
#[cfg(target_os = "linux")]
mod desktop;
#[cfg(target_os = "linux")]
mod sni;
