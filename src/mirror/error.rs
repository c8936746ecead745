//! Why nothing could be done with a mirror.

use std::io;
use std::path::{Path, PathBuf};

use crate::gocmd::FindError;
use crate::gocmd::run::RunError;

/// Why nothing could be done with a mirror.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// There is no go command. Exit code 3.
    #[error(transparent)]
    Find(#[from] FindError),
    /// go could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file or folder cannot be read or written.
    #[error("{what}: {source}")]
    File {
        /// Which, and what was to be done.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The checksum database has shown two trees. Exit code 6.
    #[error("nothing was stored: {0}")]
    Forked(String),
    /// It is asked for what makes no sense: no project there, a version that is not in the
    /// mirror. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The mirror's folder is somebody else's. Exit code 4.
    #[error("{root}: {why}", root = .root.display())]
    Refused {
        /// The folder.
        root: PathBuf,
        /// Why, and the way out.
        why: String,
    },
}

impl AddError {
    /// About a file.
    pub(super) fn file(path: &Path, source: io::Error) -> AddError {
        AddError::File {
            what: path.display().to_string(),
            source,
        }
    }
}
