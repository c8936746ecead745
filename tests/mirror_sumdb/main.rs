//! The mirror's copy of a checksum database.
#![cfg(unix)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/go.rs"]
mod go;
#[path = "../support/mirror_db.rs"]
mod mirror_db;
#[path = "../support/mirror_go.rs"]
mod mirror_go;
#[path = "../support/probe_server.rs"]
mod server;
#[path = "../support/sumdb_tree.rs"]
mod sumdb_tree;

mod lookups;
mod merge;
mod real;
mod sources;
mod tlog;
