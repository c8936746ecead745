//! The agent in the lab: journeys, hostile networks, the lab itself.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tmux.rs"]
mod tmux;

mod agent;
mod hostile;
mod init;
mod itself;
mod known;
mod live;
mod provisional;
mod travel;
