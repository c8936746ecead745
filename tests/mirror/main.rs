//! `goroam mirror` with real go commands: adding, keeping, carrying, verifying.
#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/go.rs"]
mod go;
#[path = "../support/mirror_owner.rs"]
mod mirror_owner;
#[path = "../support/mirror_scene.rs"]
mod mirror_scene;
#[path = "../support/project.rs"]
mod project;
#[path = "../support/tar_parts.rs"]
mod tar_parts;

mod add;
mod add_projects;
mod archive;
mod hostile;
mod keep;
mod kill;
mod toolchain;
mod verify;
