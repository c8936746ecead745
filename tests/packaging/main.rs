//! Packages, archives and recipes.
#![cfg(target_os = "linux")]
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/modcache.rs"]
mod modcache;
#[path = "../support/mod.rs"]
mod support;

mod bits;
mod ci;
mod deb;
mod lists;
mod recipes;
mod rpm;
#[cfg(feature = "tray")]
mod tray;
