//! Why nothing was written, or why it was not written in one step.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::run::RunError;

/// Why nothing was written. Unless stated otherwise, the file is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// go failed, or could not be run.
    #[error(transparent)]
    Go(#[from] RunError),
    /// The file or its directory cannot be written. Exit code 4 if it is read-only, else 1.
    #[error("{path}: {what}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// "cannot read", "cannot write beside it", ….
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is read-only: the user, or an administrator, does not want it changed. Exit code 4.
    #[error("{path} is read-only, so goroam does not change it; {way_out}")]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
        /// How to let goroam manage it.
        way_out: &'static str,
    },
    /// The path is not a file, but a directory or a device.
    #[error(
        "{path} is {what}, not a file; go cannot read its settings from there either. Move it away"
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// "a folder", ….
        what: &'static str,
    },
    /// go wrote something other than requested, or changed a line that is not part of the plan.
    #[error("go {version} did not write what it was asked to: {what}; nothing was changed")]
    Unexpected {
        /// go's version.
        version: String,
        /// The difference.
        what: String,
    },
    /// Another program keeps writing the file.
    #[error("{path} keeps being changed by another program; gave up after {tries} tries")]
    Contended {
        /// The file.
        path: PathBuf,
        /// The number of tries.
        tries: u32,
    },
}

impl ApplyError {
    /// Creates the error for a refusal by the system: `protected` is read-only (also by a flag that
    /// `access` does not show), or something else is wrong with `path`.
    pub(super) fn refused(
        protected: &Path,
        path: &Path,
        what: &'static str,
        source: io::Error,
    ) -> ApplyError {
        let kind = source.kind();
        if kind == io::ErrorKind::PermissionDenied {
            let way_out = "let this user write there (`ls -ld`, `lsattr -d`)";
            return ApplyError::read_only(protected, way_out);
        }
        if kind == io::ErrorKind::ReadOnlyFilesystem {
            let way_out = "its file system is mounted so; GOENV can name a file elsewhere";
            return ApplyError::read_only(protected, way_out);
        }
        ApplyError::file(path, what, source)
    }

    pub(super) fn read_only(path: &Path, way_out: &'static str) -> ApplyError {
        ApplyError::ReadOnly {
            path: path.to_owned(),
            way_out,
        }
    }

    pub(super) fn file(path: &Path, what: &'static str, source: io::Error) -> ApplyError {
        ApplyError::File {
            path: path.to_owned(),
            what,
            source,
        }
    }
}

/// Why the file is written in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InPlace {
    /// It has other names; a new file would not share them.
    HardLinks(u64),
    /// Something is mounted there: this single file, as containers do.
    MountPoint,
    /// A new name cannot be created in its directory.
    Directory,
    /// This attribute of the file cannot be given to a copy.
    Attribute(String),
}

impl fmt::Display for InPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InPlace::HardLinks(count) => write!(f, "it has {count} hard links"),
            InPlace::MountPoint => f.write_str("it is a mount point (bind mount)"),
            InPlace::Directory => f.write_str("its directory cannot be written"),
            InPlace::Attribute(what) => write!(f, "a copy cannot be given its {what}"),
        }
    }
}

impl InPlace {
    /// Describes for people what was given up.
    pub fn told(&self, path: &Path) -> String {
        format!(
            "{} was written in place: {self}, so a go command that starts in that moment may read \
             half of it",
            path.display()
        )
    }
}
