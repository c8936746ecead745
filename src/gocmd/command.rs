//! A go command.

use std::path::PathBuf;

use super::version::GoVersion;

/// A go command that was found and has said its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoCommand {
    /// The real binary, `$(go env GOROOT)/bin/go`, not a wrapper: a wrapper costs up to 100 ms a call.
    pub path: PathBuf,
    /// Its version.
    pub version: GoVersion,
    /// Its GOROOT.
    pub goroot: PathBuf,
    /// Other go commands on the way that were not taken (path and version), for `doctor` and messages.
    pub others: Vec<PathBuf>,
}
