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
mod icon;
mod lists;
mod published;
mod recipes;
mod rpm;
mod signed;
mod site;
mod targets;
#[cfg(feature = "tray")]
mod tray;
mod workflows;
