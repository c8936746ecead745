//! The agent's end: what it does when launchd has started it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::log;
use super::plist::{self, LABEL};
use crate::agent::{Life, Supervisor};
use crate::environment::Environment;
use crate::model::status::Status;

/// Longer than this, and the log is shortened to half of it: years of switches, or an hour of
/// `GOROAM_LOG=debug`.
const LONGEST: u64 = 1024 * 1024;

/// The launchd that has started this process. It wants to hear nothing, and starts the agent
/// again when that has failed (`KeepAlive`).
///
/// The log's length is looked at whenever the agent has done something, which is the only time
/// that it grows: no timer.
#[derive(Debug)]
pub struct Launchd {
    log: PathBuf,
}

impl Launchd {
    /// `None`: somebody else has started this process. In a terminal the variable is 0, or the
    /// terminal's.
    pub fn find(env: &Environment) -> Option<Launchd> {
        let started = env.get("XPC_SERVICE_NAME") == Some(LABEL);
        let home = env.home().filter(|_| started)?;
        Some(Launchd {
            log: plist::log(&home),
        })
    }
}

impl Supervisor for Launchd {
    fn tell(&mut self, life: Life, _: &Status) {
        if !matches!(life, Life::Ready | Life::Resting) {
            return;
        }
        let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from);
        let done = stderr.and_then(|stderr| log::shorten(&self.log, &stderr, LONGEST));
        if let Err(error) = done {
            tracing::debug!("{}: {error}", self.log.display());
        }
    }

    fn starts_again(&self) -> bool {
        true
    }
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
}
