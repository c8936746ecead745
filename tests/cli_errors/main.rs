//! What goes wrong on users' machines, tried on the program from outside: the right exit code,
//! a text that names the thing and the way out, and nothing lost.
//!
//! Every command runs in a network namespace with nothing in it, so that no packet leaves.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod bench;
#[path = "../support/cli.rs"]
mod cli;
mod disk;
mod go_command;
mod home;
mod odd;
mod pipes;
mod policy;
mod references;
mod secrets;
mod socket;
mod state;
