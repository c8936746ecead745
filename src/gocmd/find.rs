//! Which go command? PATH first, then the usual places, then the SDK managers'.

use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// A go version as `go version` says it: `go1.27.3`, `go1.21`, `devel …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoVersion {
    /// As printed, without the `go` in front.
    pub text: String,
    /// Major, minor, patch; a development version counts as newer than all.
    pub number: (u32, u32, u32),
}

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

/// Why there is no usable go command. Exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is none.
    #[error(
        "no go command found. Looked in {looked}.\nInstall Go from go.dev/dl or set `go = \"/path/to/go\"` in [agent]"
    )]
    None {
        /// Where it was looked for.
        looked: String,
    },
    /// The one that the policy names is not usable.
    #[error("{path}: {why}; `go` in [agent] names it")]
    Named {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is older than `go env -w` (1.13).
    #[error("{path} is go {version}, which has no `go env -w`; goroam needs go 1.13 or later")]
    TooOld {
        /// The path.
        path: PathBuf,
        /// Its version.
        version: String,
    },
}

/// Finds the go command to use: `wish` (from `[agent] go`) or nothing else; without a wish,
/// the first usable one of PATH, the usual places and the SDK managers.
///
/// # Errors
/// See [`FindError`].
pub async fn find(wish: Option<&Path>, env: &Environment) -> Result<GoCommand, FindError> {
    let _ = (wish, env);
    Err(FindError::None {
        looked: String::new(),
    })
}
