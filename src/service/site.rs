//! The user of the service and the locations of its parts: looked up once, then passed down.

use std::path::{Path, PathBuf};

use super::step::ServiceError;
use crate::environment::Environment;
use crate::paths::Paths;

/// The user of the service and the locations of its parts.
#[derive(Debug, Clone)]
pub struct Site {
    /// This goroam: the program that the service starts.
    pub program: PathBuf,
    /// The user's home.
    pub home: PathBuf,
    /// The caller's environment.
    pub env: Environment,
    /// The locations of goroam's files.
    pub paths: Paths,
}

impl Site {
    /// Finds the site. A policy named by `--config` or `$GOROAM_CONFIG` is passed on to the
    /// service.
    ///
    /// # Errors
    /// When the home directory is unknown, or this program's path is.
    pub fn find(mut paths: Paths, env: Environment) -> Result<Site, ServiceError> {
        let program = std::env::current_exe().map_err(ServiceError::file(Path::new("goroam")))?;
        let why = "the home directory is unknown, so the service cannot be installed for a user";
        let home = env.home();
        let home = home.ok_or_else(|| ServiceError::Failed(why.to_owned()))?;
        if let Some(session) = session_folder(&env) {
            paths.runtime = session.join("goroam");
        }
        Ok(Site {
            program: lasting_name(program, &env),
            home,
            env,
            paths,
        })
    }

    /// Formats a path for people: `~/…` below the home.
    pub fn short(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(inner) => Path::new("~").join(inner).display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }
}

/// Finds this user's session directory if XDG_RUNTIME_DIR does not lead to it: in cron and after
/// `su` the variable is not set, or still the other user's. The service runs in that session
/// anyway.
#[cfg(target_os = "linux")]
pub(super) fn session_folder(env: &Environment) -> Option<PathBuf> {
    let uid = own_uid();
    let is_ours = |folder: PathBuf| {
        let meta = std::fs::metadata(folder);
        meta.is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == uid)
    };
    if env.path("XDG_RUNTIME_DIR").is_some_and(is_ours) {
        return None;
    }
    let folder = PathBuf::from(format!("/run/user/{uid}"));
    folder.join("systemd/private").exists().then_some(folder)
}

#[cfg(not(target_os = "linux"))]
fn session_folder(_: &Environment) -> Option<PathBuf> {
    None
}

/// Returns the user id of this process.
#[cfg(unix)]
pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Refuses another user's home. sudo(8) on macOS keeps HOME: the agent would then run as root in a
/// user's home.
///
/// # Errors
/// When the home belongs to another user, or does not exist.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) fn refuse_foreign_home(home: &Path, uid: u32) -> Result<(), ServiceError> {
    let meta = std::fs::metadata(home).map_err(ServiceError::file(home))?;
    let owner = std::os::unix::fs::MetadataExt::uid(&meta);
    if owner == uid {
        return Ok(());
    }
    let home = home.display();
    Err(ServiceError::Refused(format!(
        "HOME={home} belongs to uid {owner}, but this is uid {uid}; run it as that user, without sudo"
    )))
}

/// Returns the name by which PATH finds this program, if it does. Package managers that keep each
/// version in its own directory (Homebrew, Nix, mise) keep only the link to it.
fn lasting_name(program: PathBuf, env: &Environment) -> PathBuf {
    let Ok(real) = dunce::canonicalize(&program) else {
        return program;
    };
    let Some(name) = program.file_name() else {
        return program;
    };
    let is_this = |path: &PathBuf| dunce::canonicalize(path).is_ok_and(|path| path == real);
    let mut named = std::env::split_paths(env.get("PATH").unwrap_or_default())
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name));
    named.find(is_this).unwrap_or(program)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::{ServiceError, lasting_name, own_uid, refuse_foreign_home};
    use crate::environment::Environment;

    #[test]
    fn a_link_in_path_outlives_the_folder_of_a_version() {
        let folder = tempfile::tempdir().unwrap();
        // The test directory's path must not contain a link: on macOS the temporary directory is
        // behind one.
        let folder = folder.path().canonicalize().unwrap();
        let (bin, other) = (folder.join("bin"), folder.join("other"));
        let version = folder.join("Cellar/0.1.0");
        for made in [&bin, &other, &version] {
            std::fs::create_dir_all(made).unwrap();
        }
        let program = version.join("goroam");
        std::fs::write(&program, "this").unwrap();
        std::fs::write(other.join("goroam"), "another").unwrap();
        let path = format!("relative:{}:{}", other.display(), bin.display());
        let env: Environment = [("PATH", path)].into_iter().collect();
        assert_eq!(lasting_name(program.clone(), &env), program);
        std::os::unix::fs::symlink(&program, bin.join("goroam")).unwrap();
        assert_eq!(lasting_name(program, &env), bin.join("goroam"));
    }

    #[test]
    fn another_users_home_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let uid = own_uid();
        assert!(refuse_foreign_home(folder.path(), uid).is_ok());
        let error = refuse_foreign_home(folder.path(), uid + 1).unwrap_err();
        assert!(matches!(error, ServiceError::Refused(_)), "{error}");
        assert!(error.to_string().contains("without sudo"), "{error}");
        assert!(refuse_foreign_home(&folder.path().join("none"), uid).is_err());
    }
}
