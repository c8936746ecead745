//! The agent's side: what it does when launchd has started it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::plist::{self, LABEL};
use crate::agent::{self, Life, Supervisor};
use crate::environment::Environment;
use crate::model::status::Status;

/// Longest log in bytes. A longer log is shortened to half of it: this holds years of switches, or
/// an hour of `GOROAM_LOG=debug`.
const LONGEST: u64 = 1024 * 1024;

/// The launchd that has started this process. It takes no notifications, and restarts the agent
/// after a failure (`KeepAlive`).
///
/// The log's length is checked each time the agent has done something. The log grows only then, so
/// no timer is needed.
#[derive(Debug)]
pub struct Launchd {
    log: PathBuf,
    /// The relay's listener of the program that this one has replaced.
    kept: Option<TcpListener>,
}

impl Launchd {
    /// Returns `None` if launchd has not started this process. In a terminal the variable is 0, or
    /// the terminal's own value.
    pub fn find(env: &Environment) -> Option<Launchd> {
        let started = env.get("XPC_SERVICE_NAME") == Some(LABEL);
        let home = env.home().filter(|_| started)?;
        Some(Launchd {
            log: plist::log(&home),
            kept: agent::inherited(env),
        })
    }
}

impl Supervisor for Launchd {
    fn tell(&mut self, life: Life, _: &Status) {
        if !matches!(life, Life::Ready | Life::Resting) {
            return;
        }
        let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from);
        let done = stderr.and_then(|stderr| shorten(&self.log, &stderr, LONGEST));
        if let Err(error) = done {
            tracing::debug!("{}: {error}", self.log.display());
        }
    }

    fn starts_again(&self) -> bool {
        true
    }

    fn kept(&mut self) -> Option<TcpListener> {
        self.kept.take()
    }
}

/// Keeps the log from growing for ever: launchd only appends to `StandardErrorPath`, and
/// newsyslog(8), which shortens logs on macOS, can be configured only by root. Keeps the last half,
/// from the start of a line, if `writes_to` is this file and it is too long. If the user redirected
/// the output to another file, that file stays as it is.
fn shorten(log: &Path, writes_to: &File, longest: u64) -> io::Result<bool> {
    let own = writes_to.metadata()?;
    if !own.is_file() || own.len() <= longest {
        return Ok(false);
    }
    let mut options = File::options();
    let mut file = crate::bounded::open_lock(options.read(true).write(true), log)?;
    let meta = file.metadata()?;
    if (meta.dev(), meta.ino()) != (own.dev(), own.ino()) {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(meta.len().saturating_sub(longest / 2)))?;
    let mut tail = Vec::new();
    (&mut file).take(longest).read_to_end(&mut tail)?;
    let start = tail.iter().position(|byte| *byte == b'\n');
    let kept = tail.get(start.map_or(0, |at| at + 1)..).unwrap_or_default();
    // In place, since launchd's descriptor refers to this file. That descriptor appends, so later
    // output follows the kept lines.
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(kept)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_in_a_terminal_is_not_launchds() {
        for (name, found) in [
            (LABEL, true),
            ("0", false),
            ("application.com.apple.Terminal.1152921500311.5", false),
        ] {
            let env: Environment = [("XPC_SERVICE_NAME", name), ("HOME", "/Users/dev")]
                .into_iter()
                .collect();
            assert_eq!(Launchd::find(&env).is_some(), found, "{name}");
        }
    }

    fn append(path: &Path) -> File {
        File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap()
    }

    #[test]
    fn a_long_log_keeps_its_last_lines_and_goes_on_behind_them() {
        let home = tempfile::tempdir().unwrap();
        let log = plist::log(home.path());
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        let mut launchds = append(&log);
        for line in 0..200 {
            writeln!(launchds, "line {line:04}").unwrap();
        }
        assert!(!shorten(&log, &launchds, 2000).unwrap(), "not too long yet");
        writeln!(launchds, "line 0200").unwrap();
        assert!(shorten(&log, &launchds, 2000).unwrap());
        writeln!(launchds, "line 0201").unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 100 - 1 + 1, "{text}");
        let wanted: Vec<String> = (102..=201).map(|line| format!("line {line:04}")).collect();
        assert_eq!(lines, wanted);
    }

    #[test]
    fn a_file_that_the_user_sent_it_to_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let log = plist::log(home.path());
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        std::fs::write(&log, "old\n".repeat(1000)).unwrap();
        let users = home.path().join("mine.log");
        let mut to = append(&users);
        to.write_all(&b"precious\n".repeat(1000)).unwrap();
        assert!(!shorten(&log, &to, 2000).unwrap());
        assert_eq!(std::fs::metadata(&users).unwrap().len(), 9000);
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 4000);
    }
}
