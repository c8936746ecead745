//! What can be wrong with a zip.

use std::io;
use std::path::PathBuf;

/// Why a zip is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The zip.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// It is no zip, or none that go would take.
    #[error("{}: no module zip: {why}", path.display())]
    Bad {
        /// The zip.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// One of its files is not what the zip says of it.
    #[error("{}: {name:?}: {why}", path.display())]
    Entry {
        /// The zip.
        path: PathBuf,
        /// The file in it.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}
