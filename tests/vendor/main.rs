//! `goroam vendor` with real go commands and repositories.
#![cfg(unix)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/vendored.rs"]
mod vendored;

mod check;
mod git;
#[cfg(target_os = "linux")]
mod kill;
mod listing;
mod places;
mod states;
mod strangers;

use vendored::{Shop, Vendored};

/// A project that has a snapshot, `one`.
fn with_one<'s>(shop: &'s Shop) -> Vendored<'s> {
    let project = shop.usual("app", "1.21");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    project
}
