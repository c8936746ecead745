//! Where the tray's agent and policy are, and the policy file that the menu opens.

use crate::environment::Environment;
use crate::gocmd::{EnvFile, LocateError};
use crate::paths::{NoHome, Paths};
use crate::policy::templates::Template;
use crate::state::file::write_new;
use std::path::PathBuf;

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

/// The file that the agent follows, else this user's. A missing file is written from the default
/// template, as `goroam init` does; an existing one is not changed.
///
/// # Errors
/// In words, when it cannot be written.
pub(super) fn find_or_write(site: &Site, followed: Option<PathBuf>) -> Result<PathBuf, String> {
    // "built in" and deleted files do not count.
    let followed = followed.filter(|path| path.is_absolute() && path.is_file());
    let path = followed.unwrap_or_else(|| site.paths.policy.clone());
    if path.exists() {
        return Ok(path);
    }
    if !site.paths.policy_named
        && let Err(error @ LocateError::ForeignHome { .. }) = EnvFile::locate(&site.env)
    {
        return Err(error.to_string());
    }
    match write_new(&path, Template::Default.text().as_bytes()) {
        // Another program may have been faster.
        Ok(true | false) => Ok(path),
        Err(error) => Err(format!("cannot write {}: {error}", path.display())),
    }
}
