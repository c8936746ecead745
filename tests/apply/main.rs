//! Plans carried out with real go commands on real files.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/go.rs"]
mod go;

mod find;
mod kept;
mod kill;
mod race;
mod refused;
mod turn;
