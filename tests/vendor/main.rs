//! `goroam vendor` with real go commands and repositories.
#![cfg(unix)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/vendored.rs"]
mod vendored;

mod check;
mod git;
#[cfg(target_os = "linux")]
mod kill;
mod listing;
mod places;
mod states;
mod strangers;
