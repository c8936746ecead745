//! A running agent: what it writes, keeps and refuses.
#![cfg(unix)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/cli.rs"]
mod cli;
#[path = "../support/go.rs"]
mod go;
#[cfg(target_os = "linux")]
#[path = "../support/minisign.rs"]
mod minisign;
#[cfg(target_os = "linux")]
#[path = "../support/probe_server.rs"]
mod server;
#[cfg(target_os = "linux")]
#[path = "../support/store.rs"]
mod store;

mod by_hand;
mod drift;
#[cfg(target_os = "linux")]
mod evidence;
#[cfg(target_os = "linux")]
mod exports;
#[cfg(target_os = "linux")]
mod fastest;
#[cfg(target_os = "linux")]
mod fleet;
#[cfg(target_os = "linux")]
mod health;
#[cfg(target_os = "linux")]
mod layers;
mod places;
mod relay;
mod resident;
mod safety;
