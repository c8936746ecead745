//! A job object that contains the command and all that it starts.

use std::io;
use std::os::windows::io::AsHandle;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::super::classify::Exit;
use super::GroupChange;
use crate::gocmd::JobObject;

/// How long ended processes may take to disappear.
const LEAVE: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(10);

/// The command and what it has started.
#[derive(Debug)]
pub(in super::super) struct Group {
    child: Child,
    /// `None` after the job has been released.
    job: Option<JobObject>,
}

impl Group {
    /// Starts the command in a new job.
    ///
    /// # Errors
    /// When it cannot be started: `NotFound`, or another reason.
    pub(in super::super) fn spawn(mut command: Command) -> io::Result<Group> {
        let job = JobObject::new()?;
        let child = command.spawn()?;
        // If the process is already in a job that allows no nesting (before Windows 8), this fails,
        // and then only the command itself is ended.
        drop(job.take_in(child.as_handle()));
        let job = Some(job);
        Ok(Group { child, job })
    }

    /// The command's process ID.
    pub(in super::super) fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Returns what has happened to the command since the last call.
    pub(in super::super) fn look(&mut self) -> Option<GroupChange> {
        matches!(self.child.try_wait(), Ok(Some(_))).then_some(GroupChange::Ended)
    }

    /// Does nothing: the console has already sent the event.
    pub(in super::super) fn send(&self, _signal: i32) {}

    /// Ends every member. On Windows go does not handle a request to end.
    pub(in super::super) async fn kill(&mut self) {
        if let Some(job) = &self.job {
            job.end();
        }
        drop(self.child.kill());
        let end = Instant::now() + LEAVE;
        while self.look().is_none() && Instant::now() < end {
            tokio::time::sleep(PACE).await;
        }
    }

    /// Returns the exit code of the command, which has ended. What it has left running in the
    /// background keeps running; before this call all of it would have ended with goroam.
    pub(in super::super) fn end(&mut self) -> Exit {
        if let Some(job) = self.job.take() {
            job.release();
        }
        let status = self.child.try_wait().ok().flatten();
        Exit::Code(status.and_then(|status| status.code()).unwrap_or(1))
    }
}
