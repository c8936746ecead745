//! Is a program fit to be started at every login?

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::super::error::ServiceError;

/// The sticky bit: only its owner may replace what is in such a folder.
const STICKY: u32 = 0o1000;

/// What is odd about it, one line each.
///
/// # Errors
/// When somebody else could put another program in its place.
pub(super) fn check(program: &Path, uid: u32, gid: u32) -> Result<Vec<String>, ServiceError> {
    let file = |source| ServiceError::File {
        path: program.to_owned(),
        source,
    };
    let real = std::fs::canonicalize(program).map_err(file)?;
    for place in real.ancestors() {
        let meta = std::fs::metadata(place).map_err(file)?;
        let foreign = meta.uid() != uid && meta.uid() != 0;
        // A group of one's own, as most systems give each user, is nobody else.
        let by_group = meta.mode() & 0o020 != 0 && meta.gid() != gid && meta.gid() != 0;
        let by_all = meta.mode() & 0o002 != 0;
        let open = (by_group || by_all) && !(meta.is_dir() && meta.mode() & STICKY != 0);
        if foreign || open {
            let who = match foreign {
                true => format!("belongs to uid {}", meta.uid()),
                false => format!(
                    "may be written to by others (mode {:04o})",
                    meta.mode() & 0o7777
                ),
            };
            let why = format!(
                "{} {who}, who could put another program in the place of {}; install goroam \
                 where only you or root may write",
                place.display(),
                program.display()
            );
            return Err(ServiceError::Refused { why });
        }
    }
    let mut odd = Vec::new();
    if is_in_build_folder(&real) {
        odd.push(format!(
            "{} is in a build folder, which `cargo clean` empties; `cargo install --path .` puts \
             it where it stays",
            program.display()
        ));
    }
    if ["/tmp", "/var/tmp", "/run", "/dev/shm"]
        .iter()
        .any(|temp| real.starts_with(temp))
    {
        odd.push(format!(
            "{} is in a folder for temporary files, which is emptied now and then",
            program.display()
        ));
    }
    Ok(odd)
}

/// Cargo marks its build folders with this file.
fn is_in_build_folder(real: &Path) -> bool {
    let mut above = real.ancestors().skip(1);
    above.any(|folder| folder.join("CACHEDIR.TAG").exists() && folder.ends_with("target"))
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

    fn ids() -> (u32, u32) {
        // SAFETY: neither takes anything, touches anything or can fail.
        unsafe { (libc::geteuid(), libc::getegid()) }
    }

    #[test]
    fn a_program_that_others_could_replace_is_refused() {
        let (uid, gid) = ids();
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let program = program(&bin);
        assert_eq!(check(&program, uid, gid).unwrap().len(), 1, "it is in /tmp");
        for (path, open) in [(&program, 0o757), (&bin, 0o777)] {
            mode(path, open);
            let refused = check(&program, uid, gid).unwrap_err();
            assert_eq!(refused.exit_code(), 4);
            let why = refused.to_string();
            assert!(
                why.contains(&format!("{} may be written", path.display())),
                "{why}"
            );
            mode(path, 0o755);
        }
        // The group: a user's own is nobody else, unless it is another one's.
        mode(&program, 0o775);
        assert!(check(&program, uid, gid).is_ok());
        if gid != 0 {
            assert!(check(&program, uid, gid + 1).is_err());
        }
        let refused = check(&program, uid + 1, gid);
        assert_eq!(
            refused.is_err(),
            uid != 0,
            "root's own programs are fine for all"
        );
    }

    #[test]
    fn a_build_folder_is_told() {
        let (uid, gid) = ids();
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::fs::create_dir_all(target.join("debug")).unwrap();
        std::fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        let odd = check(&program(&target.join("debug")), uid, gid).unwrap();
        assert!(odd[0].contains("cargo clean"), "{odd:?}");
    }
}
