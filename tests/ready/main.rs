//! `goroam ready` compared with what go does next.
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/go.rs"]
mod go;
#[cfg(unix)]
#[path = "../support/vendored.rs"]
mod vendored;

#[cfg(unix)]
mod broken;
mod gomod;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod truth;
