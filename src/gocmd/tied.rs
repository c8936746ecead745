//! Children that end with goroam: on Linux by a signal, on Windows by a job object.

#[cfg(windows)]
pub use windows::JobObject;

/// Sends the command this signal when the thread that starts it ends. If goroam is killed with
/// SIGKILL, nothing would watch the command any longer, and a hung go would keep its locks for
/// ever. Every runtime here starts its commands from the thread that it runs on.
#[cfg(target_os = "linux")]
pub fn end_with_us(command: &mut std::process::Command, signal: i32) {
    let tie = move || {
        // SAFETY: prctl with PR_SET_PDEATHSIG takes a number.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) };
        Ok(())
    };
    // SAFETY: the closure only makes one system call, which is safe between fork and exec.
    unsafe { std::os::unix::process::CommandExt::pre_exec(command, tie) };
}

/// A job object of Windows: processes that end together.
///
/// They also end with their owner, however that ends: the system closes the handle, and closing the
/// last handle ends the job (`JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`). Otherwise, after goroam was
/// killed, its go would hold the locks of the module cache for as long as a server keeps it
/// waiting.
#[cfg(windows)]
mod windows {
    use std::io;
    use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};

    use windows_sys::Win32::System::JobObjects::{
        AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
        SetInformationJobObject, TerminateJobObject,
    };

    /// Processes that end together, at the latest when this is dropped.
    #[derive(Debug)]
    pub struct JobObject {
        handle: OwnedHandle,
    }

    impl JobObject {
        /// Creates an empty job.
        ///
        /// # Errors
        /// If the system has no resources for it.
        pub fn new() -> io::Result<JobObject> {
            // SAFETY: no attributes and no name: both pointers may be null.
            let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
            if job.is_null() {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the handle has just been made and has no other owner.
            let handle = unsafe { OwnedHandle::from_raw_handle(job) };
            let job = JobObject { handle };
            job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
            Ok(job)
        }

        /// Creates a job with this child in it; `None` if the system has no resources, or the child
        /// has ended.
        pub fn around(child: &tokio::process::Child) -> Option<JobObject> {
            let job = JobObject::new().ok()?;
            // SAFETY: the child owns its handle, and is not dropped as long as it is borrowed.
            let process = unsafe { BorrowedHandle::borrow_raw(child.raw_handle()?) };
            job.take_in(process).ok()?;
            Some(job)
        }

        fn limit(&self, flags: u32) -> io::Result<()> {
            let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
            limits.BasicLimitInformation.LimitFlags = flags;
            // SAFETY: the handle is open as long as its owner lives; pointer and length are those
            // of the type that this class of information requires.
            let done = unsafe {
                SetInformationJobObject(
                    self.handle.as_raw_handle(),
                    JobObjectExtendedLimitInformation,
                    std::ptr::from_ref(&limits).cast(),
                    size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32,
                )
            };
            match done {
                0 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            }
        }

        /// Adds a process. What it starts from now on is in the job too; what it has started before
        /// (within some microseconds of its own start) is not.
        ///
        /// # Errors
        /// If it has ended, or is in a job that allows no nested job (before Windows 8).
        pub fn take_in(&self, process: BorrowedHandle<'_>) -> io::Result<()> {
            let (job, process) = (self.handle.as_raw_handle(), process.as_raw_handle());
            // SAFETY: both handles are open as long as their owners live.
            match unsafe { AssignProcessToJobObject(job, process) } {
                0 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            }
        }

        /// Ends every process in it immediately.
        pub fn end(&self) {
            // SAFETY: the handle is open as long as its owner lives.
            unsafe { TerminateJobObject(self.handle.as_raw_handle(), 1) };
        }

        /// Releases the processes: those still running continue.
        pub fn release(self) {
            drop(self.limit(0));
        }
    }

    #[cfg(test)]
    mod tests {
        use std::os::windows::io::AsHandle;
        use std::process::{Child, Command, Stdio};
        use std::time::{Duration, Instant};

        use super::*;

        /// A program that waits for the end of its input, which never comes.
        fn waiting() -> Child {
            let mut command = Command::new("cmd");
            command.args(["/d", "/c", "pause"]);
            command.stdin(Stdio::piped()).stdout(Stdio::null());
            command.spawn().unwrap()
        }

        fn ends(child: &mut Child) -> bool {
            let end = Instant::now() + Duration::from_secs(30);
            while Instant::now() < end {
                if child.try_wait().unwrap().is_some() {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            false
        }

        #[test]
        fn who_is_in_it_ends_with_it_and_who_was_released_does_not() {
            let (mut asked, mut dropped, mut released) = (waiting(), waiting(), waiting());
            let jobs = [&asked, &dropped, &released].map(|child| {
                let job = JobObject::new().unwrap();
                job.take_in(child.as_handle()).unwrap();
                job
            });
            let [first, second, third] = jobs;
            first.end();
            assert!(ends(&mut asked));
            drop(second);
            assert!(ends(&mut dropped));
            third.release();
            assert!(released.try_wait().unwrap().is_none());
            released.kill().unwrap();
            released.wait().unwrap();
        }
    }
}
