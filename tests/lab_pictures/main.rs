//! What the documentation shows is what goroam shows: the film, the pictures and the transcripts of
//! the first day are made again in the lab, and compared but for times and counts.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use support::{Lab, goroam_bin};

#[track_caller]
fn compare(part: &str) {
    // It keeps others out, and puts the lab in order even if the task does not.
    let Some(lab) = Lab::get() else { return };
    let args = ["run", "--quiet", "--package", "xtask", "--"];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let made = Command::new(cargo)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(args)
        .args(["demo", "--check", "--locked", "--only", part, "--bin"])
        .arg(goroam_bin())
        .env("LAB", lab.dir())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

#[test]
fn the_film_shows_the_screens_of_today() {
    compare("film");
}

#[test]
fn the_pictures_show_what_the_commands_print_today() {
    compare("pictures");
}

#[test]
fn a_new_user_gets_from_nothing_to_a_project_that_builds_as_the_page_says() {
    compare("first-day");
}
