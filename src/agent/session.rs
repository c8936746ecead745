//! Everything that a turn needs, with or without an agent: paths, policy, go command,
//! baseline and memory.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::command::TurnReport;
use super::error::Error;
use crate::environment::Environment;
use crate::model::Observation;
use crate::model::status::Status;
use crate::paths::Paths;
use crate::policy::{Decision, Finding, Policy};

/// A policy that has been read, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// The file; `None`: the built-in default.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: String,
    /// Warnings.
    pub warnings: Vec<Finding>,
}

/// Everything that a turn needs.
#[derive(Debug)]
pub struct Session {
    /// Where goroam keeps what.
    pub paths: Paths,
    /// The environment of this process.
    pub env: Environment,
    /// The policy in force.
    pub loaded: Loaded,
}

impl Session {
    /// Reads the policy and what is remembered. Touches nothing; does not look for go yet.
    ///
    /// # Errors
    /// When there is no home folder or the policy cannot be used.
    pub fn open(config: Option<PathBuf>, env: Environment) -> Result<Session, Error> {
        let paths = Paths::find(config, &env)?;
        let loaded = load_policy(&paths, &env)?;
        Ok(Session { paths, env, loaded })
    }

    /// One turn: looks, probes, decides, writes.
    ///
    /// # Errors
    /// When it could not be done; the go env file is then as it was.
    pub async fn once(&mut self, dry_run: bool) -> Result<TurnReport, Error> {
        let _ = dry_run;
        Err(Error::NoAgent)
    }

    /// Stays with a profile until then (`None`: until `auto`), and takes a turn.
    ///
    /// # Errors
    /// When there is no such profile, or the turn fails.
    pub async fn use_profile(
        &mut self,
        name: &str,
        until: Option<Timestamp>,
    ) -> Result<TurnReport, Error> {
        let _ = (name, until);
        Err(Error::NoAgent)
    }

    /// Chooses by the network again, and takes a turn.
    ///
    /// # Errors
    /// When the turn fails.
    pub async fn auto(&mut self) -> Result<TurnReport, Error> {
        Err(Error::NoAgent)
    }

    /// What is true now, as far as can be said without probing.
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// Asks the targets with these names (none: all of them), all at once.
    ///
    /// # Errors
    /// When a name is not in the policy.
    pub async fn probe(&self, names: &[String]) -> Result<Vec<Observation>, Error> {
        let _ = names;
        Ok(Vec::new())
    }

    /// The last decision and how it came about; takes a dry turn if there is none yet.
    ///
    /// # Errors
    /// When there is none and the turn fails.
    pub async fn why(&mut self) -> Result<WhyReport, Error> {
        Err(Error::NoAgent)
    }

    /// Puts the go env file back to what it was before goroam's first write.
    ///
    /// # Errors
    /// When there is nothing to put back, or it could not be done.
    pub async fn restore(&mut self) -> Result<TurnReport, Error> {
        Err(Error::NothingToRestore)
    }
}

/// The last decision, and what led to it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct WhyReport {
    /// What was chosen, and why.
    pub decision: Decision,
    /// What the probes saw.
    pub report: Vec<Observation>,
    /// What had changed.
    pub changes: Vec<String>,
    /// The turn in the journal; `None` for a dry turn.
    pub turn: Option<u64>,
    /// When.
    pub at: Option<jiff::Timestamp>,
    /// Milliseconds from the first event to the decision.
    pub decided_ms: Option<f64>,
    /// One line, as status shows it.
    pub summary: String,
}

/// Reads the policy file, or the built-in default when there is none and none was named.
///
/// # Errors
/// When it cannot be read, others may write to it, or it has errors.
pub fn load_policy(paths: &Paths, env: &Environment) -> Result<Loaded, Error> {
    let _ = (paths, env);
    Err(Error::NoAgent)
}

/// More than any policy needs: a file beyond this is something else.
pub const POLICY_LIMIT: u64 = 1024 * 1024;

/// The text of a policy file. Refuses, as ssh does, a file that others may write to: who
/// writes the policy decides where modules come from.
///
/// # Errors
/// [`Error::PolicyFile`], when it cannot be read, is too big or not UTF-8, or is not safe.
pub fn read_policy_text(path: &Path) -> Result<String, Error> {
    use std::io::Read;

    let failed = |why: String, unsafe_mode: bool| Error::PolicyFile {
        path: path.to_owned(),
        why,
        unsafe_mode,
    };
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => failed(
            "there is no such file; `goroam init` writes one".to_owned(),
            false,
        ),
        _ => failed(format!("cannot be read: {error}"), false),
    };
    let file = open_at_once(path).map_err(cannot)?;
    // The open file is asked, not the path: nobody can swap it in between.
    let meta = file.metadata().map_err(cannot)?;
    if meta.is_dir() {
        return Err(failed("is a folder, not a file".to_owned(), false));
    }
    if !meta.is_file() {
        return Err(failed("is not a regular file".to_owned(), false));
    }
    if let Some(why) = unsafe_mode(path, &meta) {
        return Err(failed(why, true));
    }
    let mut bytes = Vec::new();
    file.take(POLICY_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > POLICY_LIMIT {
        let why = format!(
            "is bigger than {} KiB, so it is no policy",
            POLICY_LIMIT / 1024
        );
        return Err(failed(why, false));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        failed(
            format!("is not UTF-8 (byte {offset}, line {line}); save it as UTF-8"),
            false,
        )
    })
}

/// Opening a pipe would wait for somebody to write into it.
#[cfg(unix)]
fn open_at_once(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;

    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

#[cfg(not(unix))]
fn open_at_once(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::File::open(path)
}

/// Why somebody else could have written the policy.
#[cfg(unix)]
fn unsafe_mode(path: &Path, meta: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    // SAFETY: geteuid takes nothing, touches nothing and cannot fail.
    let me = unsafe { libc::geteuid() };
    if meta.uid() != me && meta.uid() != 0 {
        return Some(format!(
            "belongs to user {}, not to you; make your own copy of it",
            meta.uid()
        ));
    }
    let mode = meta.mode() & 0o7777;
    (mode & 0o022 != 0).then(|| {
        format!(
            "others may write to it (mode {mode:04o}); `chmod go-w {}`",
            path.display()
        )
    })
}

/// On Windows the folder's access list decides, and the profile folder's is the user's own.
#[cfg(not(unix))]
fn unsafe_mode(_: &Path, _: &std::fs::Metadata) -> Option<String> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{Error, POLICY_LIMIT, read_policy_text};

    fn refused(bytes: &[u8], mode: u32) -> (String, u8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam.toml");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error: Error = read_policy_text(&path).unwrap_err();
        (error.to_string(), error.exit_code())
    }

    #[test]
    fn a_policy_that_others_may_write_to_is_refused() {
        for mode in [0o664, 0o646, 0o666] {
            let (message, exit) = refused(b"version = 1\n", mode);
            assert!(message.contains("chmod go-w"), "{message}");
            assert_eq!(exit, 4);
        }
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_named_with_byte_and_line() {
        let (message, exit) = refused(b"version = 1\n# \xff\n", 0o600);
        assert!(message.contains("byte 14, line 2"), "{message}");
        assert_eq!(exit, 2);
    }

    #[test]
    fn a_file_of_just_the_limit_is_read_and_one_byte_more_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam.toml");
        std::fs::write(&path, vec![b'#'; POLICY_LIMIT as usize]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_policy_text(&path).unwrap().len() as u64, POLICY_LIMIT);
        let (message, exit) = refused(&vec![b'#'; POLICY_LIMIT as usize + 1], 0o600);
        assert!(message.contains("bigger than 1024 KiB"), "{message}");
        assert_eq!(exit, 2);
    }

    #[test]
    fn a_folder_and_a_pipe_are_no_policies_and_nobody_waits_for_the_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_policy_text(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is a folder"), "{error}");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let error = read_policy_text(&pipe).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
}
