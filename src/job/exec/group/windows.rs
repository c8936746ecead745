//! A job object, which the command and all that it starts are in.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::time::{Duration, Instant};

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject,
};

use super::super::classify::Exit;
use super::Change;

/// How long ended processes may take to go away.
const LEAVE: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(10);

/// The command and what it has started.
#[derive(Debug)]
pub(in super::super) struct Group {
    child: Child,
    job: OwnedHandle,
}

impl Group {
    /// Starts the command in a job of its own. What it starts before it is in the job (some
    /// microseconds) is not ended with it.
    ///
    /// # Errors
    /// When it cannot be started: `NotFound`, or another reason.
    pub(in super::super) fn spawn(
        mut command: Command,
    ) -> io::Result<(Group, Option<ChildStdout>, ChildStderr)> {
        // SAFETY: no attributes and no name: both pointers may be null.
        let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
        if job.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle has just been made and belongs to nobody else.
        let job = unsafe { OwnedHandle::from_raw_handle(job) };
        let mut child = command.spawn()?;
        // SAFETY: both handles are open as long as their owners live. In a job that allows no
        // nesting (before Windows 8) this fails, and then only the command itself is ended.
        unsafe { AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle()) };
        let stdout = child.stdout.take();
        let stderr = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((Group { child, job }, stdout, stderr))
    }

    /// The command's number.
    pub(in super::super) fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// What has happened to the command since the last look.
    pub(in super::super) fn look(&mut self) -> Option<Change> {
        matches!(self.child.try_wait(), Ok(Some(_))).then_some(Change::Ended)
    }

    /// The console has told it already.
    pub(in super::super) fn send(&self, _signal: i32) {}

    /// Ends every member. There is no way to ask first that a go would hear.
    pub(in super::super) async fn kill(&mut self) {
        // SAFETY: the handle is open as long as `job` lives.
        unsafe { TerminateJobObject(self.job.as_raw_handle(), 1) };
        drop(self.child.kill());
        let end = Instant::now() + LEAVE;
        while self.look().is_none() && Instant::now() < end {
            tokio::time::sleep(PACE).await;
        }
    }

    /// The exit code of the command, which has ended.
    pub(in super::super) fn end(&mut self) -> Exit {
        let status = self.child.try_wait().ok().flatten();
        Exit::Code(status.and_then(|status| status.code()).unwrap_or(1))
    }
}
