//! The mirror's copy of a checksum database.
#![cfg(unix)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/go.rs"]
mod go;
#[path = "../support/probe_server.rs"]
mod server;

mod lookups;
mod merge;
mod mirror_db;
mod mirror_go;
mod real;
mod sources;
mod sumdb_tree;
mod tlog;
