//! Whose service would it be?

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::super::error::ServiceError;
use crate::environment::Environment;

/// `sudo goroam service install` looks right after `sudo apt install`, and is not.
///
/// # Errors
/// When it is root for somebody else.
pub(super) fn not_by_sudo(env: &Environment) -> Result<(), ServiceError> {
    // SAFETY: geteuid takes nothing, touches nothing and cannot fail.
    let uid = unsafe { libc::geteuid() };
    if uid == 0 && env.get("SUDO_UID").is_some_and(|uid| uid != "0") {
        let why = "with sudo it would be root's service, for root's `go env`; run \
                   `goroam service install` as yourself (as root on purpose: with SUDO_UID unset)";
        return Err(ServiceError::Refused {
            why: why.to_owned(),
        });
    }
    Ok(())
}

/// Is it this user's home?
///
/// # Errors
/// When it is another's, or none.
pub(super) fn own_home(home: &Path, uid: u32) -> Result<(), ServiceError> {
    let meta = std::fs::metadata(home).map_err(|source| ServiceError::File {
        path: home.to_owned(),
        source,
    })?;
    if meta.uid() != uid {
        let why = format!(
            "HOME={} belongs to uid {}, but this is uid {uid}; run it as that user",
            home.display(),
            meta.uid(),
        );
        return Err(ServiceError::Refused { why });
    }
    Ok(())
}
