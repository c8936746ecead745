//! Errors of the vendor commands, and their exit codes.

use std::io;
use std::path::Path;

use crate::agent::error::{EXIT_FAILED, EXIT_MISMATCH, EXIT_REFUSED, EXIT_USAGE};

/// Why a vendor command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no project, a file cannot be read or written, or git failed.
    #[error("{0}")]
    System(String),
    /// The REF is not a commit, or the tag's name is not valid.
    #[error("{0}")]
    Usage(String),
    /// Refused: something would be lost.
    #[error("{0}")]
    Refused(String),
    /// A file does not match its checksum.
    #[error("{0}")]
    Mismatch(String),
    /// The action cannot be done.
    #[error("{0}")]
    Failed(String),
}

/// The result of a vendor action.
pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// Adds the path of the file to an error.
pub(super) trait About<T> {
    /// Adds this path.
    ///
    /// # Errors
    /// The same error, with the file's path.
    fn about(self, path: &Path) -> Result<T>;
}

impl<T> About<T> for io::Result<T> {
    fn about(self, path: &Path) -> Result<T> {
        self.map_err(|error| Error::io(path, error))
    }
}

impl Error {
    /// Creates an error about a file that cannot be read or written.
    pub(super) fn io(path: &Path, error: io::Error) -> Error {
        Error::System(format!("{}: {error}", path.display()))
    }

    /// Returns the exit code for scripts.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => EXIT_USAGE,
            Error::Refused(_) => EXIT_REFUSED,
            Error::Mismatch(_) => EXIT_MISMATCH,
            Error::System(_) | Error::Failed(_) => EXIT_FAILED,
        }
    }
}
