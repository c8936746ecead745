//! `goroam exec` with real go commands, servers that misbehave, and signals.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[cfg(unix)]
#[path = "../support/cli.rs"]
mod cli;
#[path = "../support/go.rs"]
mod go;
#[path = "../support/probe_server.rs"]
mod server;
#[cfg(target_os = "linux")]
#[path = "../support/tmux.rs"]
mod tmux;

#[cfg(target_os = "linux")]
mod blackhole;
#[cfg(unix)]
mod exec_project;
mod freeze;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod passes;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod relayed;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(target_os = "linux")]
mod stall;
#[cfg(unix)]
mod steps;
