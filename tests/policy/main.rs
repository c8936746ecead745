//! Policies: reading, judging, deciding.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/go.rs"]
mod go;
// Its keys come from the `minisign` tool, which does not run under Wine.
#[cfg(unix)]
#[path = "../support/minisign.rs"]
mod minisign;

mod bounds;
mod built_in;
mod by_hand;
mod decide;
#[cfg(unix)]
mod docs;
mod faults;
#[cfg(unix)]
mod fleet;
mod fleet_herd;
mod layers;
mod lint;
mod lints;
#[cfg(unix)]
mod listening;
mod loosening;
#[cfg(unix)]
mod mirror;
mod policies;
mod project;
mod provisional;
mod scenarios;
mod schema;
