//! `goroam exec`, `ready` and `doctor` in the lab.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

mod doctor;
mod doctor_cache;
mod exec;
mod ready;
