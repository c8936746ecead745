//! The policy file that the menu opens.

use std::path::PathBuf;

use super::site::Site;
use crate::gocmd::{EnvFile, LocateError};
use crate::policy::templates::Template;
use crate::state::file::write_new;

/// The file that the agent follows, else this user's; where there is none yet, it is written
/// from the default template, as `goroam init` does. What is there stays as it is.
///
/// # Errors
/// In words, when it cannot be written.
pub(super) fn find_or_write(site: &Site, followed: Option<PathBuf>) -> Result<PathBuf, String> {
    // "built in" and files that are gone are none.
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
        // Somebody else was quicker.
        Ok(true | false) => Ok(path),
        Err(error) => Err(format!("{}: cannot be written: {error}", path.display())),
    }
}
