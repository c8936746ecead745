//! Why the service could not be looked after.

use std::path::PathBuf;

use crate::agent::error::{EXIT_FAILED, EXIT_REFUSED};

/// Why the service could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// This system has none that goroam knows, or this session has none.
    #[error("{why}")]
    NoManager {
        /// Why, and the way out.
        why: String,
    },
    /// It has to be installed first.
    #[error("the service is not installed; `goroam service install` does that")]
    NotInstalled,
    /// It is not safe: as root for another user, into a folder that others may write to.
    #[error("{why}")]
    Refused {
        /// Why, and the way out.
        why: String,
    },
    /// A file could not be read, written or removed.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A command failed.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command as it could be typed.
        command: String,
        /// Its exit and its last words.
        said: String,
    },
    /// The agent did not do what was asked of it.
    #[error(transparent)]
    Agent(#[from] crate::agent::Error),
}

impl ServiceError {
    /// The exit code that a script sees.
    pub fn exit_code(&self) -> u8 {
        match self {
            ServiceError::Refused { .. } => EXIT_REFUSED,
            ServiceError::Agent(error) => error.exit_code(),
            ServiceError::NoManager { .. }
            | ServiceError::NotInstalled
            | ServiceError::File { .. }
            | ServiceError::Command { .. } => EXIT_FAILED,
        }
    }
}
