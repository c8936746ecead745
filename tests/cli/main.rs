//! The program from outside: one file for each verb or subject.
#![cfg(unix)]
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/cli.rs"]
mod cli;
#[cfg(target_os = "linux")]
#[path = "../support/go.rs"]
mod go;
#[cfg(target_os = "linux")]
#[path = "../support/minisign.rs"]
mod minisign;
#[path = "../support/signer.rs"]
mod signer;
#[cfg(target_os = "linux")]
#[path = "../support/store.rs"]
mod store;
#[path = "../support/tmux.rs"]
mod tmux;

mod agent;
mod check;
mod company;
#[cfg(target_os = "linux")]
mod completions;
#[cfg(target_os = "linux")]
mod doctor;
#[cfg(target_os = "linux")]
mod doctor_fix;
#[cfg(target_os = "linux")]
mod doctor_gopls;
#[cfg(target_os = "linux")]
mod doctor_shells;
#[cfg(target_os = "linux")]
mod env;
#[cfg(target_os = "linux")]
mod explain;
#[cfg(target_os = "linux")]
mod fleet;
mod help;
#[cfg(target_os = "linux")]
mod hook;
mod init;
mod init_dialogue;
#[cfg(target_os = "linux")]
mod layers;
#[cfg(target_os = "linux")]
mod live_screen;
mod log;
mod policy;
#[cfg(target_os = "linux")]
mod portal;
mod probe;
#[cfg(target_os = "linux")]
mod progress;
#[cfg(target_os = "linux")]
mod project;
#[cfg(target_os = "linux")]
mod service;
#[cfg(target_os = "linux")]
mod supervised;
