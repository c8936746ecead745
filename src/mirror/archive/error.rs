//! Why an archive was not written, or not taken.

use std::io;
use std::path::{Path, PathBuf};

use crate::mirror::sumdb::ProofError;
use crate::mirror::verify::Report;

/// Why an archive was not written, or not taken. Then nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The mirror's file system has no room to unpack it.
    #[error(
        "{}: {error}. {} has {megabytes} MB and is unpacked there as a whole before anything is taken. \
         Free so much, or name a mirror elsewhere with --mirror; nothing was taken",
        mirror.display(),
        archive.display()
    )]
    Full {
        /// The mirror.
        mirror: PathBuf,
        /// The archive.
        archive: PathBuf,
        /// How large that is.
        megabytes: u64,
        /// What the system said.
        error: io::Error,
    },
    /// The archive to be written is there.
    #[error("{} is there already; name another file, or move it away", .0.display())]
    Exists(PathBuf),
    /// There is nothing to put into it.
    #[error("nothing to export: {0}")]
    Nothing(String),
    /// It is none of goroam's, or damaged.
    #[error("{what} {why}")]
    Malformed {
        /// The archive, or a file in it.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// What is in it is not what it must be.
    #[error("nothing was taken: what the archive holds is not as it must be")]
    Refused(Box<Report>),
    /// What is in it is not what its own manifest says, or what the mirror holds.
    #[error("nothing was taken: {0}")]
    Differs(String),
    /// What proves it.
    #[error("nothing was taken: {0}")]
    Proof(#[from] ProofError),
}

impl ArchiveError {
    pub(super) fn io(path: &Path, error: io::Error) -> ArchiveError {
        ArchiveError::Io {
            path: path.to_owned(),
            error,
        }
    }

    pub(super) fn malformed(what: &str, why: &str) -> ArchiveError {
        ArchiveError::Malformed {
            what: what.to_owned(),
            why: why.to_owned(),
        }
    }

    /// Is a checksum or a proof what is wrong?
    pub fn is_mismatch(&self) -> bool {
        match self {
            ArchiveError::Refused(report) => report.has_mismatch(),
            ArchiveError::Differs(_) => true,
            ArchiveError::Proof(error) => error.is_mismatch(),
            ArchiveError::Io { .. }
            | ArchiveError::Full { .. }
            | ArchiveError::Exists(_)
            | ArchiveError::Nothing(_)
            | ArchiveError::Malformed { .. } => false,
        }
    }
}
