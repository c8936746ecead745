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

#[path = "cli_errors/bench.rs"]
mod bench;
#[path = "support/cli.rs"]
mod cli;
#[path = "cli_errors/disk.rs"]
mod disk;
#[path = "cli_errors/go_command.rs"]
mod go_command;
#[path = "cli_errors/home.rs"]
mod home;
#[path = "cli_errors/odd.rs"]
mod odd;
#[path = "cli_errors/pipes.rs"]
mod pipes;
#[path = "cli_errors/policy.rs"]
mod policy;
#[path = "cli_errors/references.rs"]
mod references;
#[path = "cli_errors/secrets.rs"]
mod secrets;
#[path = "cli_errors/socket.rs"]
mod socket;
#[path = "cli_errors/state.rs"]
mod state;
