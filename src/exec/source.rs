//! The end of a pipe or pseudo-terminal that the command writes into: read until it is closed,
//! or until we want to stop.

#[cfg(unix)]
pub(super) use unix::{Source, Stop};

#[cfg(not(unix))]
pub(super) use other::Source;

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, PipeReader, PipeWriter, Read};
    use std::os::fd::{AsRawFd, OwnedFd, RawFd};

    use super::super::out::{Out, pass};

    /// The reading end.
    #[derive(Debug)]
    pub(in super::super) struct Source {
        file: Option<File>,
        stopped: PipeReader,
        stop: Option<PipeWriter>,
    }

    /// Stops the reading, when dropped or told to.
    #[derive(Debug)]
    pub(in super::super) struct Stop(Option<PipeWriter>);

    impl Stop {
        pub(in super::super) fn stop(&mut self) {
            self.0 = None;
        }
    }

    impl Source {
        pub(in super::super) fn new(fd: OwnedFd) -> io::Result<Source> {
            let (stopped, stop) = io::pipe()?;
            Ok(Source {
                file: Some(File::from(fd)),
                stopped,
                stop: Some(stop),
            })
        }

        /// What stops it; the first who asks has it.
        pub(in super::super) fn stop(&mut self) -> Stop {
            Stop(self.stop.take())
        }

        /// What has come; nothing at the end, or when it was stopped.
        pub(in super::super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(file) = &mut self.file else {
                return Ok(0);
            };
            loop {
                if !is_readable(file.as_raw_fd(), self.stopped.as_raw_fd())? {
                    return Ok(0);
                }
                match file.read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => return other,
                }
            }
        }

        /// From now on a writer hears that nobody reads.
        pub(in super::super) fn close(&mut self) {
            self.file = None;
        }

        /// Goes on copying in a process of its own until the other end is closed. In its own
        /// session: Ctrl-C is not meant for it.
        pub(in super::super) fn leave_behind(self, out: Out) {
            let Some(file) = self.file else { return };
            // SAFETY: the child only calls functions that are safe after a fork of a process
            // with threads (signal-safety(7)): setsid, close, read, write, poll, _exit.
            if unsafe { libc::fork() } == 0 {
                copy_until_closed(file.as_raw_fd(), out);
            }
        }
    }

    fn copy_until_closed(fd: RawFd, out: Out) -> ! {
        let to = match out {
            Out::Stdout => libc::STDOUT_FILENO,
            Out::Stderr => libc::STDERR_FILENO,
        };
        // SAFETY: numbers only. Nothing here owns these descriptors: this process has one
        // thread, which never returns from this function. What it does not need it must not
        // hold open, or `$(goroam exec …)` would wait for it.
        unsafe {
            libc::setsid();
            for other in 0..1024 {
                if other != fd && other != to {
                    libc::close(other);
                }
            }
        }
        let mut buffer = [0_u8; 4096];
        loop {
            // SAFETY: read writes at most that many bytes to the pointer, which is the buffer's.
            let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
            let came = usize::try_from(count).ok().filter(|count| *count > 0);
            let passed = came.and_then(|count| pass(out, buffer.get(..count)?).ok());
            if passed.is_none() {
                // SAFETY: takes a number, and ends this process.
                unsafe { libc::_exit(0) };
            }
        }
    }

    /// Waits until there is something to read, or an end; false when stopped.
    fn is_readable(fd: RawFd, stopped: RawFd) -> io::Result<bool> {
        let wait = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        let mut waits = [wait(fd), wait(stopped)];
        loop {
            // SAFETY: poll reads and writes two `pollfd`s, which the array holds.
            let count = unsafe { libc::poll(waits.as_mut_ptr(), 2, -1) };
            if count > 0 {
                return Ok(waits[1].revents == 0);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::io::{self, Read};

    /// The reading end.
    pub(in super::super) struct Source(Option<Box<dyn Read + Send>>);

    impl std::fmt::Debug for Source {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Source")
        }
    }

    impl Source {
        pub(in super::super) fn new(read: impl Read + Send + 'static) -> Source {
            Source(Some(Box::new(read)))
        }

        pub(in super::super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match &mut self.0 {
                Some(read) => read.read(buffer),
                None => Ok(0),
            }
        }

        pub(in super::super) fn close(&mut self) {
            self.0 = None;
        }
    }
}
