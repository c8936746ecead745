//! Policies: reading, judging, deciding.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/go.rs"]
mod go;
#[path = "../support/lints.rs"]
mod lints;
#[path = "../support/policies.rs"]
mod policies;

mod bounds;
mod decide;
#[cfg(unix)]
mod docs;
mod faults;
mod lint;
#[cfg(unix)]
mod listening;
mod loosening;
#[cfg(unix)]
mod mirror;
