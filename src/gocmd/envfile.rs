//! The go env file: where it is (`cfg.go:EnvFile`, `os.UserConfigDir`) and what it says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::environment::Environment;

/// The go env file of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// As go computes it; may be a symbolic link, may not exist yet.
    pub path: PathBuf,
}

/// Why there is no go env file to write. Exit code 4: refused for safety.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocateError {
    /// `GOENV=off`: go would still write the default file (`go env -w` does), so goroam must not call it.
    #[error("GOENV=off: the user has switched the go env file off, so goroam writes nothing")]
    Off,
    /// Neither HOME nor XDG_CONFIG_HOME.
    #[error("no go env file: neither HOME nor XDG_CONFIG_HOME is set")]
    NoHome,
    /// A relative GOENV would be another file in each folder.
    #[error(
        "GOENV={0} is relative: it would be another file in each folder; goroam writes nothing"
    )]
    Relative(String),
    /// The home folder belongs to another user (`sudo` without `-H`).
    #[error(
        "{home} belongs to uid {owner}, but goroam runs as uid {me}: it would leave files there that their owner cannot change. Run it as that user"
    )]
    ForeignHome {
        /// The home folder.
        home: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who runs goroam.
        me: u32,
    },
}

/// The file's text, as go reads it: the last line of a name wins, no quoting, no trimming.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvText(pub Vec<u8>);

impl EnvFile {
    /// Finds it by go's rules.
    ///
    /// # Errors
    /// See [`LocateError`].
    pub fn locate(env: &Environment) -> Result<EnvFile, LocateError> {
        let _ = env;
        Err(LocateError::NoHome)
    }

    /// What it says; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self) -> std::io::Result<Option<EnvText>> {
        Ok(None)
    }
}

impl EnvText {
    /// The value that go would use; `Some("")` where a name is written without a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let _ = name;
        None
    }

    /// Every name that has a line.
    pub fn names(&self) -> BTreeSet<&str> {
        BTreeSet::new()
    }
}
