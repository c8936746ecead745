//! The resolver's configuration: which servers are asked, which domains are searched.
//!
//! Each system's file has the same two functions: `read`, and `files` for what to watch.
//!
//! May import: model.

#[cfg_attr(windows, allow(dead_code))] // only its words for domains are of use there
mod conf;
#[cfg(not(any(target_os = "macos", windows)))]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(windows)]
mod windows;

#[cfg(not(any(target_os = "macos", windows)))]
use linux as os;
#[cfg(target_os = "macos")]
use macos as os;
#[cfg(windows)]
use windows as os;

use std::path::PathBuf;

use crate::model::Resolver;

/// The configuration as it is now; empty if there is none. Looks up no name.
pub(super) fn read() -> Resolver {
    os::read()
}

/// The files that the system rewrites when the configuration changes.
pub(super) fn files() -> Vec<PathBuf> {
    os::files()
}
