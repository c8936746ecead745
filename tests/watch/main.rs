//! Changes of a real network that lives in a namespace.
#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/watch_namespace.rs"]
mod watch_namespace;

mod events;
mod flood;
