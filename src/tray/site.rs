//! Whose tray it is.

use std::path::PathBuf;

use crate::environment::Environment;
use crate::paths::{NoHome, Paths};

/// Whose tray it is.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where the agent's socket, the policy and the journal are.
    pub paths: Paths,
    /// The environment of the tray.
    pub env: Environment,
}

impl Site {
    /// Of this user; `config` as in `--config`.
    ///
    /// # Errors
    /// When the user has no home folder.
    pub fn find(config: Option<PathBuf>, env: Environment) -> Result<Site, NoHome> {
        let paths = Paths::find(config, &env)?;
        Ok(Site { paths, env })
    }
}
