//! Routes and rules: the tables as they are, and messages when they (or links or addresses)
//! change. if-watch reports addresses only, and not all of them.
//!
//! Each system's file has the same shape: `tables`, and `RouteMessages` with `open` and `next`.
//!
//! May import: model, the watch room's `Hint`.

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod fallback;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(any(target_os = "macos", test))]
mod message;
#[cfg(windows)]
mod windows;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
use fallback as os;
#[cfg(target_os = "linux")]
use linux as os;
#[cfg(target_os = "macos")]
use macos as os;
#[cfg(windows)]
use windows as os;

use std::io;

use crate::model::{Route, Rule};

pub(super) use os::RouteMessages;

/// All routes that say something, and all rules beside those that always exist; both sorted.
///
/// # Errors
/// When the system refuses.
pub(super) fn tables() -> io::Result<(Vec<Route>, Vec<Rule>)> {
    os::tables()
}
