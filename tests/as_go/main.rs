//! What goroam reads and asks as go does, compared with real go commands.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

#[cfg(target_os = "linux")]
#[path = "../support/cli.rs"]
mod cli;
#[path = "../support/go.rs"]
mod go;
#[path = "../support/probe_server.rs"]
mod server;
#[cfg(target_os = "linux")]
#[path = "../support/watch_namespace.rs"]
mod watch_namespace;

#[cfg(target_os = "linux")]
mod chain;
#[cfg(target_os = "linux")]
mod chain_grammar;
#[cfg(unix)]
mod goauth;
mod http;
mod info;
#[cfg(target_os = "linux")]
mod resolv;
mod urls;
