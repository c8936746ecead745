//! `[mirror] keep_ready`: on networks whose profile allows it, a separate `goroam ready --fetch`
//! process downloads what the remembered projects still need, before the machine goes to a place
//! without a network. It is a separate process so that the agent's memory stays small.
//!
//! It is started after switches and rechecks; while the agent is idle no timer runs for it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tracing::{info, warn};

use super::clock;
use super::session::Session;
use crate::model::status::Readiness;
use crate::model::{Snapshot, mask};
use crate::paths::Paths;

#[cfg(target_os = "linux")]
use crate::gocmd::end_with_us;

#[cfg(windows)]
use crate::gocmd::JobObject;

/// A network that has lasted this long is not a short stop between two other networks.
const SETTLED: Duration = Duration::from_secs(10);
/// The least time between two attempts, whatever the result of the first.
const EVERY: Duration = Duration::from_secs(4 * 60 * 60);
/// When the process ends, its messages are already in the pipe; reading them waits this long.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How many bytes of its messages are read.
const MOST_ERR: u64 = 4 << 10;

/// Keeps the mirror ready.
#[derive(Debug, Default)]
pub(super) struct MirrorPrefetch {
    child: Option<Child>,
    /// Holds the process and the go that it runs; both end with the agent, however the agent ends.
    #[cfg(windows)]
    job: Option<JobObject>,
    /// When to start, unless something happens before.
    pub(super) due: Option<Instant>,
    /// When the last run ended without being stopped.
    last: Option<Instant>,
    /// What is wrong with the last run.
    pub(super) trouble: Option<String>,
}

impl MirrorPrefetch {
    /// Decides after a turn: starts a run soon, lets a run continue, or ends it.
    pub(super) fn after_turn(&mut self, session: &Session, snapshot: &Snapshot, has_failed: bool) {
        let policy = &session.loaded.policy;
        // If the feature is off, no file is looked at.
        if !policy.mirror.keep_ready {
            return self.stop();
        }
        let profile = session.memory.in_force(policy);
        let allowed = profile.is_some_and(|profile| profile.keep_ready)
            && snapshot.is_online()
            && !has_failed
            && !session.memory.paused;
        let readiness = session.readiness();
        self.consider(allowed, readiness.as_ref(), clock::now(), Instant::now());
    }

    /// `allowed`: the policy asks for it, the profile in force allows it, the machine has a route
    /// out, and goroam is not paused. `readiness`: the result of the last check, also of another
    /// process.
    fn consider(
        &mut self,
        allowed: bool,
        readiness: Option<&Readiness>,
        at: Timestamp,
        now: Instant,
    ) {
        if !allowed {
            return self.stop();
        }
        let tried = self.last.is_some_and(|last| now - last < EVERY);
        let whole = readiness.is_some_and(|known| {
            let fresh = clock::time_left(at, known.at) < EVERY;
            fresh && known.missing == 0 && known.trouble.is_none() && known.at <= at
        });
        if self.child.is_none() && self.due.is_none() && !tried && !whole {
            self.due = Some(now + SETTLED);
        }
    }

    /// Ends the run: the network changes or disappears, and nothing more is downloaded over it.
    pub(super) fn stop(&mut self) {
        self.due = None;
        if let Some(child) = self.child.take() {
            info!("keep_ready: stopped, the network changed");
            end(child);
        }
        #[cfg(windows)]
        drop(self.job.take());
    }

    /// Starts a run. Does nothing if no project is remembered.
    pub(super) fn start(&mut self, program: Option<PathBuf>, paths: &Paths) {
        if self.child.is_some() || !paths.projects().is_file() {
            return;
        }
        let Some(program) = program else {
            return;
        };
        match spawn(&command_line(&program), paths) {
            Ok(child) => {
                info!("keep_ready: checking what the projects need");
                #[cfg(windows)]
                {
                    self.job = JobObject::around(&child);
                }
                self.child = Some(child);
            }
            Err(error) => {
                self.last = Some(Instant::now());
                self.complain(format!("cannot start {}: {error}", program.display()));
            }
        }
    }

    /// Waits for the run's end; forever if none runs. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus, std::io::Error> {
        match &mut self.child {
            Some(child) => child.wait().await,
            None => std::future::pending().await,
        }
    }

    /// Handles a run that ended without being stopped. Its results are in its file.
    pub(super) async fn note(&mut self, status: Result<ExitStatus, std::io::Error>, now: Instant) {
        let mut said = String::new();
        if let Some(stderr) = self.child.take().and_then(|child| child.stderr) {
            // If another process holds the other end of the pipe, this does not wait for it.
            let mut stderr = stderr.take(MOST_ERR);
            let read = stderr.read_to_string(&mut said);
            let _ = tokio::time::timeout(LAST_WORDS, read).await;
        }
        #[cfg(windows)]
        if let Some(job) = self.job.take() {
            job.release();
        }
        self.last = Some(now);
        // 1: something is still missing, and the file says what and why.
        if status.is_ok_and(|status| matches!(status.code(), Some(0 | 1))) {
            self.trouble = None;
            info!("keep_ready: done");
        } else {
            let first = said.lines().find(|line| !line.trim().is_empty());
            self.complain(mask(first.unwrap_or("it ended without a message").trim()));
        }
    }

    fn complain(&mut self, why: String) {
        warn!("keep_ready: {why}");
        self.trouble = Some(format!("keep_ready: {why}"));
    }
}

impl Drop for MirrorPrefetch {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            end(child);
        }
    }
}

/// The tray is a separate program; the program with the verbs is beside it.
fn command_line(program: &Path) -> PathBuf {
    if program
        .file_stem()
        .is_some_and(|stem| stem == "goroam-tray")
    {
        return program.with_file_name(format!("goroam{}", std::env::consts::EXE_SUFFIX));
    }
    program.to_owned()
}

fn spawn(program: &Path, paths: &Paths) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    if paths.policy_named {
        command.arg("--config").arg(&paths.policy);
    }
    command
        .args(["ready", "--fetch", "--kept", "--json"])
        // This directory is not a project: if no project is remembered, none is found.
        .current_dir(&paths.state)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(target_os = "linux")]
    end_with_us(command.as_std_mut(), libc::SIGKILL);
    #[cfg(windows)]
    command.creation_flags(
        windows_sys::Win32::System::Threading::CREATE_NO_WINDOW
            | windows_sys::Win32::System::Threading::IDLE_PRIORITY_CLASS,
    );
    command.spawn()
}

/// Ends the process and all that it has started, at once: every file it writes is either complete
/// or absent.
fn end(mut child: Child) {
    #[cfg(unix)]
    crate::gocmd::run::end_group(&child);
    let _ = child.start_kill();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readiness(at: Timestamp, missing: usize) -> Readiness {
        Readiness {
            at,
            percent: if missing == 0 { 100 } else { 90 },
            projects: 1,
            missing,
            trouble: None,
        }
    }

    #[test]
    fn it_starts_once_in_some_hours_and_only_where_it_is_allowed() {
        let (at, now) = (Timestamp::now(), Instant::now());
        let hour = jiff::Span::new().hours(1);
        let mut prefetch = MirrorPrefetch::default();
        let mut starts = |allowed, readiness: Option<Readiness>| {
            prefetch.consider(allowed, readiness.as_ref(), at, now);
            prefetch.due.take().is_some()
        };
        assert!(starts(true, None));
        assert!(!starts(false, None));
        assert!(!starts(true, Some(readiness(at - hour, 0))));
        assert!(starts(true, Some(readiness(at - hour, 2))));
        assert!(starts(true, Some(readiness(at - hour * 5, 0))));
        assert!(starts(true, Some(readiness(at + hour, 0))));

        prefetch.last = Some(now);
        for (hours, is_due) in [(3, false), (4, true)] {
            let later = now + Duration::from_secs(hours * 3600);
            prefetch.consider(true, None, at, later);
            assert_eq!(prefetch.due.is_some(), is_due, "{hours} h");
        }
    }

    #[test]
    fn another_network_takes_the_start_back() {
        let (at, now) = (Timestamp::now(), Instant::now());
        let mut prefetch = MirrorPrefetch::default();
        prefetch.consider(true, None, at, now);
        assert_eq!(prefetch.due, Some(now + SETTLED));
        prefetch.stop();
        assert_eq!(prefetch.due, None);
        prefetch.consider(true, None, at, now);
        prefetch.consider(false, None, at, now);
        assert_eq!(prefetch.due, None);
    }
}
