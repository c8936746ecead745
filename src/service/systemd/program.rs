//! Checks whether a program may be started at every login, and for which user.

use crate::environment::Environment;
use crate::service::site::own_uid;
use crate::service::step::ServiceError;
use crate::trust::{self, Untrusted};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Returns what is unusual about the program, one line each.
///
/// # Errors
/// When another user could replace the program.
pub(super) fn check(program: &Path, uid: u32) -> Result<Vec<String>, ServiceError> {
    let real = std::fs::canonicalize(program).map_err(ServiceError::file(program))?;
    let meta = std::fs::metadata(&real).map_err(ServiceError::file(program))?;
    let foreign = meta.uid() != uid && meta.uid() != 0;
    // A group whose only member is this user, as most systems create one for each user, gives no
    // other user access.
    let by_group = meta.mode() & 0o020 != 0 && !trust::is_private_group(meta.gid(), uid);
    let who = if foreign {
        Some(format!("{} belongs to uid {}", real.display(), meta.uid()))
    } else if by_group || meta.mode() & 0o002 != 0 {
        let mode = meta.mode() & 0o7777;
        let real = real.display();
        Some(format!(
            "{real} may be written to by others (mode {mode:04o})"
        ))
    } else if let Err(Untrusted::Way { directory, why }) = trust::way(program) {
        Some(format!("{} {why}", directory.display()))
    } else {
        None
    };
    if let Some(who) = who {
        return Err(ServiceError::Refused(format!(
            "{who}, so another user could replace {}; install goroam where only you or root \
             can write",
            program.display()
        )));
    }
    let mut odd = Vec::new();
    if is_in_build_folder(&real) {
        odd.push(format!(
            "{} is in a build directory, which `cargo clean` deletes; use `cargo install --path .` \
             to install it permanently",
            program.display()
        ));
    }
    if ["/tmp", "/var/tmp", "/run", "/dev/shm"]
        .iter()
        .any(|temp| real.starts_with(temp))
    {
        odd.push(format!(
            "{} is in a directory for temporary files, which is cleaned regularly",
            program.display()
        ));
    }
    Ok(odd)
}

/// Reports whether the program is in a build directory of cargo, which cargo marks with this file.
fn is_in_build_folder(real: &Path) -> bool {
    let mut above = real.ancestors().skip(1);
    above.any(|folder| folder.join("CACHEDIR.TAG").exists() && folder.ends_with("target"))
}

/// Refuses `sudo goroam service install`: it looks right after `sudo apt install`, and is not.
///
/// # Errors
/// When this process is root on behalf of another user.
pub(super) fn not_by_sudo(env: &Environment) -> Result<(), ServiceError> {
    if own_uid() == 0 && env.get("SUDO_UID").is_some_and(|uid| uid != "0") {
        let why = "with sudo it would be root's service, for root's `go env`; run \
                   `goroam service install` as yourself (as root on purpose: with SUDO_UID unset)";
        return Err(ServiceError::Refused(why.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use super::check;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn program(folder: &Path) -> PathBuf {
        let program = folder.join("goroam");
        std::fs::write(&program, "").unwrap();
        mode(&program, 0o755);
        program
    }

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn a_program_that_others_could_replace_is_refused() {
        let uid = me();
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let program = program(&bin);
        assert_eq!(check(&program, uid).unwrap().len(), 1, "it is in /tmp");
        for (path, open) in [(&program, 0o757), (&bin, 0o777)] {
            mode(path, open);
            let refused = check(&program, uid).unwrap_err();
            assert_eq!(refused.exit_code(), 4);
            let why = refused.to_string();
            assert!(
                why.contains(&format!("{} may be written", path.display())),
                "{why}"
            );
            mode(path, 0o755);
        }
        // The group: a user's own group gives no other user access, unless it is another user's
        // own.
        mode(&program, 0o775);
        assert!(check(&program, uid).is_ok());
        let refused = check(&program, uid + 1);
        assert_eq!(
            refused.is_err(),
            uid != 0,
            "root's own programs are fine for all"
        );
    }

    #[test]
    fn a_build_folder_is_told() {
        let uid = me();
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::fs::create_dir_all(target.join("debug")).unwrap();
        std::fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        let odd = check(&program(&target.join("debug")), uid).unwrap();
        assert!(odd[0].contains("cargo clean"), "{odd:?}");
    }
}
