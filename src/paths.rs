//! The paths of goroam's files: determined once, then passed down.

use std::path::{Path, PathBuf};

use serde::Serializer;

use crate::environment::Environment;

/// The directories and files of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The policy file: `--config`, else `$GOROAM_CONFIG`, else in the user's config directory.
    pub policy: PathBuf,
    /// Whether the user named it. Then it must exist.
    pub policy_named: bool,
    /// The machine's policy file, for all its users. It need not exist.
    pub machine_policy: PathBuf,
    /// State, journal and baseline; private to the user.
    pub state: PathBuf,
    /// Large data that can be downloaded again: the module mirror.
    pub data: PathBuf,
    /// The socket and the lock of the running agent; private to the user.
    pub runtime: PathBuf,
}

/// There is no home directory, so goroam cannot store anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHome {
    /// HOME is not set.
    #[error(
        "HOME is not set, so goroam does not know whose settings to manage; run it as that user, with HOME set"
    )]
    Unset,
    /// A relative HOME would mean another directory wherever goroam is started.
    #[error("HOME={} is relative, so goroam does not know whose settings to keep; set it to an absolute path", .0.display())]
    Relative(PathBuf),
}

/// The prefix of the text of a path that is not UTF-8.
const ESCAPED: &str = "bytes:";

/// Returns a path as a unique text: for records that say which file was meant. In a path that is
/// not UTF-8 the other bytes are escaped.
pub fn exact(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => format!(
            "{ESCAPED}{}",
            path.as_os_str().as_encoded_bytes().escape_ascii()
        ),
    }
}

/// Returns the path from which [`exact`] made this text.
pub fn from_exact(text: &str) -> PathBuf {
    #[cfg(unix)]
    if let Some(escaped) = text.strip_prefix(ESCAPED) {
        use std::os::unix::ffi::OsStringExt as _;

        return PathBuf::from(std::ffi::OsString::from_vec(unescape(escaped)));
    }
    PathBuf::from(text)
}

/// Reverses `escape_ascii`; text that it never produces stays unchanged.
#[cfg(unix)]
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|hex| hex.get(..2));
        let code = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (byte, length) = match (
            code,
            rest.strip_prefix('\\').and_then(|it| it.chars().next()),
        ) {
            (Some(byte), _) => (byte, 4),
            (None, Some('n')) => (b'\n', 2),
            (None, Some('r')) => (b'\r', 2),
            (None, Some('t')) => (b'\t', 2),
            (None, Some(quoted @ ('\\' | '\'' | '"'))) => (quoted as u8, 2),
            (None, _) => {
                bytes.extend(first.to_string().into_bytes());
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
                continue;
            }
        };
        bytes.push(byte);
        rest = rest.get(length..).unwrap_or_default();
    }
    bytes
}

/// For serde's `serialize_with`: a path that is not UTF-8 does not make a report fail.
///
/// # Errors
/// If the serializer fails.
pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&exact(path))
}

impl Paths {
    /// Finds them by the rules of each system: XDG on Linux, `~/Library` on macOS, `%AppData%` and
    /// `%LocalAppData%` on Windows. Nothing is created.
    ///
    /// # Errors
    /// If the user has no home directory.
    pub fn find(config: Option<PathBuf>, env: &Environment) -> Result<Paths, NoHome> {
        let home = env.home().ok_or(NoHome::Unset)?;
        if home.is_relative() {
            return Err(NoHome::Relative(home));
        }
        let dirs = directories::ProjectDirs::from("", "", "goroam").ok_or(NoHome::Unset)?;
        let named = config.or_else(|| env.path("GOROAM_CONFIG"));
        // The agent changes its working directory, and sends the path to other processes.
        let named = named.map(|path| std::path::absolute(&path).unwrap_or(path));
        let state = dirs
            .state_dir()
            .unwrap_or_else(|| dirs.data_local_dir())
            .to_owned();
        let runtime = dirs
            .runtime_dir()
            .map_or_else(|| state.join("run"), |dir| dir.to_owned());
        Ok(Paths {
            policy_named: named.is_some(),
            policy: named.unwrap_or_else(|| dirs.config_dir().join("goroam.toml")),
            machine_policy: machine_policy(env),
            state,
            data: dirs.data_local_dir().to_owned(),
            runtime,
        })
    }

    /// The policy files that people write.
    pub fn policies(&self) -> Vec<PathBuf> {
        vec![self.policy.clone(), self.machine_policy.clone()]
    }

    /// The audit journal.
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal.jsonl")
    }

    /// The file of what goroam remembers between runs.
    pub fn memory(&self) -> PathBuf {
        self.state.join("state.json")
    }

    /// The content of the go env file before goroam's first write.
    pub fn baseline(&self) -> PathBuf {
        self.state.join("baseline.json")
    }

    /// The last valid policy.
    pub fn last_good(&self) -> PathBuf {
        self.state.join("policy.last.json")
    }

    /// The policy of the fleet, its signature, and what is known of it.
    pub fn fleet(&self) -> PathBuf {
        self.state.join("fleet.json")
    }

    /// The text of the fleet's policy in force, for people: goroam does not read it.
    pub fn fleet_text(&self) -> PathBuf {
        self.state.join("fleet.toml")
    }

    /// The log of an agent that has neither a terminal nor a service manager: one in a tray.
    pub fn log(&self) -> PathBuf {
        self.state.join("goroam.log")
    }

    /// The last panics, for a bug report.
    pub fn panic_log(&self) -> PathBuf {
        self.state.join("panic.log")
    }

    /// The module mirror, unless the user names another one.
    pub fn mirror(&self) -> PathBuf {
        self.data.join("mirror")
    }

    /// Returns the directory of the mirror: `--mirror`, else `$GOROAM_MIRROR`, else the policy's,
    /// else goroam's own. Absolute, because it becomes a `file://` URL. It need not exist.
    pub fn mirror_at(
        &self,
        flag: Option<PathBuf>,
        policy: Option<PathBuf>,
        env: &Environment,
    ) -> PathBuf {
        let named = flag.or_else(|| env.path("GOROAM_MIRROR")).or(policy);
        let place = named.unwrap_or_else(|| self.mirror());
        std::path::absolute(&place).unwrap_or(place)
    }

    /// The projects that `goroam ready` remembers.
    pub fn projects(&self) -> PathBuf {
        self.state.join("projects.json")
    }

    /// The answers of go about the projects that `goroam ready` examined.
    pub fn asked(&self) -> PathBuf {
        self.state.join("asked.json")
    }

    /// The result of the agent's last `goroam ready --fetch`.
    pub fn readiness(&self) -> PathBuf {
        self.state.join("ready.json")
    }

    /// What `goroam doctor --undo` takes back.
    pub fn undo(&self) -> PathBuf {
        self.state.join("undo.json")
    }

    /// What `goroam hook` has said about exported variables.
    pub fn hook_told(&self) -> PathBuf {
        self.state.join("hook-told")
    }

    /// The traces that wait for a collector.
    pub fn telemetry(&self) -> PathBuf {
        self.state.join("telemetry.jsonl")
    }

    /// The token of the relay.
    pub fn relay_token(&self) -> PathBuf {
        self.state.join("relay-token")
    }

    /// Where the relay stores zips until they are verified.
    pub fn relay_spool(&self) -> PathBuf {
        self.state.join("relay")
    }

    /// The agent's socket.
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("agent.sock")
    }

    /// The lock file that the one agent of this user holds.
    pub fn agent_lock(&self) -> PathBuf {
        self.runtime.join("agent.lock")
    }
}

/// Returns the policy file of the machine, where only its administrator writes.
fn machine_policy(env: &Environment) -> PathBuf {
    let folder = match std::env::consts::OS {
        "windows" => env
            .path("ProgramData")
            .unwrap_or_else(|| r"C:\ProgramData".into()),
        "macos" => "/Library/Application Support".into(),
        _ => "/etc".into(),
    };
    folder.join("goroam").join("goroam.toml")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use super::{exact, from_exact};

    #[test]
    fn no_two_paths_have_the_same_text() {
        let text = |bytes| exact(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(text("/home/jörg/env".as_bytes()), "/home/jörg/env");
        assert_eq!(text(b"/home/j\xf6rg"), r"bytes:/home/j\xf6rg");
        assert_ne!(text(b"/home/j\xf6rg"), text(b"/home/j\xf7rg"));
        assert_ne!(text(b"/home/j\xf6rg"), text(br"/home/j\xf6rg"));
        let all: Vec<u8> = (1..=255).collect();
        for bytes in [
            all.as_slice(),
            b"/a",
            br"\",
            b"\xff\\x41\\",
            "/ä".as_bytes(),
        ] {
            let path = Path::new(OsStr::from_bytes(bytes));
            assert_eq!(from_exact(&exact(path)), path);
        }
    }
}
