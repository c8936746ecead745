//! `goroam relay` with real go commands, proxies that misbehave, and clients that do.
#![cfg(unix)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/browser.rs"]
mod browser;
#[path = "../support/cli.rs"]
mod cli;
#[path = "../support/go.rs"]
mod go;
#[path = "../support/probe_server.rs"]
mod server;

mod far;
mod faults;
mod hostile;
mod journal;
mod keep;
mod literal;
#[cfg(target_os = "linux")]
mod load;
mod page;
mod privacy;
#[cfg(target_os = "linux")]
mod resume;
mod scene;
mod stuck;
