//! Probes against servers that behave, misbehave or stay silent.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/probe_server.rs"]
mod server;

#[cfg(target_os = "linux")]
mod blackhole;
mod credentials;
mod goproxy;
#[cfg(unix)]
mod h2;
#[cfg(unix)]
mod lab;
mod limits;
#[cfg(unix)]
mod local;
mod page;
#[cfg(unix)]
mod sumdb;
mod through_proxy;
mod tls;
#[cfg(unix)]
mod zip;
