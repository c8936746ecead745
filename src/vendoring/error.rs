//! What can go wrong with vendor/, and the exit code for it.

use std::io;
use std::path::{Path, PathBuf};

use crate::agent::error::{EXIT_FAILED, EXIT_MISMATCH, EXIT_REFUSED, EXIT_USAGE};

/// What can go wrong with vendor/.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No project was found.
    #[error(
        "there is neither a go.mod nor a go.work in {} or above it; name the project's folder with -C",
        .0.display()
    )]
    NoProject(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// git could not do it.
    #[error("{0}")]
    Git(String),
    /// The REF names no commit, or the tag's name is not valid.
    #[error("{0}")]
    Usage(String),
    /// Refused: something would be lost.
    #[error("{0}")]
    Refused(String),
    /// A file does not match its checksum.
    #[error("{0}")]
    Mismatch(String),
    /// It cannot be done.
    #[error("{0}")]
    Failed(String),
}

/// What vendoring did, or why it could not.
pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the file that an error is about.
pub(super) trait About<T> {
    /// This file.
    ///
    /// # Errors
    /// The same, with the file's path.
    fn about(self, path: &Path) -> Result<T>;
}

impl<T> About<T> for io::Result<T> {
    fn about(self, path: &Path) -> Result<T> {
        self.map_err(|error| Error::io(path, error))
    }
}

impl Error {
    /// A file that cannot be read or written.
    pub(super) fn io(path: &Path, error: io::Error) -> Error {
        Error::Io {
            path: path.to_owned(),
            error,
        }
    }

    /// The exit code that a script sees.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => EXIT_USAGE,
            Error::Refused(_) => EXIT_REFUSED,
            Error::Mismatch(_) => EXIT_MISMATCH,
            Error::NoProject(_) | Error::Io { .. } | Error::Git(_) | Error::Failed(_) => {
                EXIT_FAILED
            }
        }
    }
}
