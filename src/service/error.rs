//! Errors of the service commands.

use std::path::PathBuf;

use crate::agent::error::{EXIT_FAILED, EXIT_REFUSED};

/// Why a service command failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No known service manager on this system or in this session.
    #[error("{why}")]
    NoManager {
        /// Why, and what to do.
        why: String,
    },
    /// The service is not installed.
    #[error("the service is not installed; run `goroam service install`")]
    NotInstalled,
    /// It is not safe: as root for another user, or in a directory that others can write to.
    #[error("{why}")]
    Refused {
        /// Why, and what to do.
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
        /// Its exit status and last output.
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
