//! What `goroam doctor` finds in real files, caches and projects.
#![cfg(unix)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/cli.rs"]
mod cli;
#[path = "../support/modcache.rs"]
mod modcache;

mod cache;
mod cache_tree;
mod files;
#[cfg(target_os = "linux")]
mod odd_files;
mod project;
#[cfg(target_os = "linux")]
mod values;
