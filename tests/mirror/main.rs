//! `goroam mirror` with real go commands: adding, keeping, carrying, verifying.
#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/go.rs"]
mod go;

mod add;
mod add_projects;
mod archive;
mod hostile;
mod keep;
mod kill;
mod mirror_owner;
mod mirror_scene;
mod project;
mod tar_parts;
mod toolchain;
mod verify;
