//! What there is to know before anything is done: asked of launchctl and the file system.

use std::path::Path;
use std::process::{Command, Stdio};

use super::plist;
use super::plist::{LABEL, LAUNCHCTL, Session};
use super::printed::{self, Printed};
use crate::service::error::ServiceError;
use crate::service::site::Site;

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LaunchdFacts {
    pub(super) uid: u32,
    /// The session that a service is to run in.
    pub(super) session: Session,
    /// Where it is loaded now; more than one only after somebody did so by hand.
    pub(super) loaded: Vec<(Session, Printed)>,
    /// Switched off by `launchctl disable` in `session`; it would not load then.
    pub(super) disabled: bool,
    /// The file in `~/Library/LaunchAgents`, if there is one.
    pub(super) installed: Option<String>,
    /// Is there a folder for the log? launchd makes none, and starts nothing without.
    pub(super) log_folder: bool,
}

/// Looks.
///
/// # Errors
/// When launchctl cannot be run, the file is not to be read, or the home is another user's.
pub(super) fn look(site: &Site) -> Result<LaunchdFacts, ServiceError> {
    let uid = own_uid();
    refuse_foreign_home(&site.home, uid)?;
    let mut loaded = Vec::new();
    for session in Session::ALL {
        if let Some(text) = ask(&["print", &session.target(uid)])? {
            loaded.push((session, printed::service(&text)));
        }
    }
    // Over ssh too, if the user is logged in at the screen as well.
    let session = match ask(&["print", &Session::Aqua.domain(uid)])? {
        Some(_) => Session::Aqua,
        None => Session::Background,
    };
    let disabled = ask(&["print-disabled", &session.domain(uid)])?
        .is_some_and(|text| printed::is_disabled(&text, LABEL));
    let path = plist::path(&site.home);
    let installed = match crate::bounded::read_text(&path, 1 << 20) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(ServiceError::File { path, source }),
    };
    let log = plist::log(&site.home);
    Ok(LaunchdFacts {
        uid,
        session,
        loaded,
        disabled,
        installed,
        log_folder: log.parent().is_some_and(Path::is_dir),
    })
}

/// What launchctl prints; `None` if it says that there is no such thing.
fn ask(args: &[&str]) -> Result<Option<String>, ServiceError> {
    let output = Command::new(LAUNCHCTL)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| ServiceError::NoManager {
            why: format!("launchd cannot be asked: {LAUNCHCTL}: {error}"),
        })?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(output.status.success().then_some(said))
}

/// sudo(8) on macOS keeps HOME: the agent would then run as root in a user's home.
fn refuse_foreign_home(home: &Path, uid: u32) -> Result<(), ServiceError> {
    let Some(owner) = owner(home).filter(|owner| *owner != uid) else {
        return Ok(());
    };
    let why = format!(
        "{} is the home of user {owner}, and this is user {uid}; run it as the user whose `go env` it is to keep, without sudo",
        home.display()
    );
    Err(ServiceError::Refused { why })
}

#[cfg(unix)]
fn own_uid() -> u32 {
    // SAFETY: geteuid takes nothing, touches nothing and cannot fail.
    unsafe { libc::geteuid() }
}

#[cfg(unix)]
fn owner(path: &Path) -> Option<u32> {
    let meta = std::fs::metadata(path).ok()?;
    Some(std::os::unix::fs::MetadataExt::uid(&meta))
}

#[cfg(not(unix))]
fn own_uid() -> u32 {
    0
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::paths::Paths;

    /// A user's machine.
    pub(in crate::service::launchd) fn site() -> Site {
        Site {
            program: "/opt/homebrew/bin/goroam".into(),
            home: "/Users/dev".into(),
            env: Environment::default(),
            paths: Paths {
                policy: "/Users/dev/Library/Application Support/goroam/goroam.toml".into(),
                policy_named: false,
                state: "/Users/dev/Library/Application Support/goroam".into(),
                data: "/Users/dev/Library/Application Support/goroam".into(),
                runtime: "/Users/dev/Library/Application Support/goroam/run".into(),
            },
        }
    }

    /// Logged in at the screen, nothing installed.
    pub(in crate::service::launchd) fn facts() -> LaunchdFacts {
        LaunchdFacts {
            uid: 501,
            session: Session::Aqua,
            loaded: Vec::new(),
            disabled: false,
            installed: None,
            log_folder: true,
        }
    }

    #[cfg(unix)]
    #[test]
    fn another_users_home_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let uid = own_uid();
        assert!(refuse_foreign_home(folder.path(), uid).is_ok());
        let error = refuse_foreign_home(folder.path(), uid + 1).unwrap_err();
        assert!(matches!(error, ServiceError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("without sudo"), "{error}");
        // Nobody's home: what is to be written there says what is wrong.
        assert!(refuse_foreign_home(&folder.path().join("none"), uid).is_ok());
    }
}
