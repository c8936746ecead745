//! One stream of the command: passed through untouched, and a bounded copy kept.
//!
//! Each has a thread, since the reader behind us may be slow (`| less`): then the command waits
//! for it, as without goroam, and the signals do not.

#[cfg(unix)]
use std::io::PipeWriter;
use std::io::{self, PipeReader, Read as _};
#[cfg(unix)]
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(unix)]
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::classify::JsonLines;
use super::keep::KeptOutput;

/// As much as a pipe holds; what comes at once leaves at once. In bytes.
const BUFFER: usize = 64 << 10;

/// A stream that is being passed through.
#[derive(Debug)]
pub(super) struct Tee {
    shared: Arc<Shared>,
    ended: watch::Receiver<bool>,
    /// What takes the stream back, for who still writes when we end.
    #[cfg(unix)]
    back: Back,
}

#[cfg(unix)]
#[derive(Debug)]
struct Back {
    /// Dropped to stop the reading.
    stop: PipeWriter,
    out: Out,
    thread: JoinHandle<Source>,
}

#[derive(Debug, Default)]
struct Shared {
    keep: Mutex<KeptOutput>,
    count: AtomicU64,
    /// There is nothing to be read at the moment.
    waits: AtomicBool,
}

impl Tee {
    /// Begins. `unwrap`: it is JSON of go's, and go's words in it are to be kept.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(pipe: PipeReader, out: Out, unwrap: bool) -> io::Result<Tee> {
        let shared = Arc::new(Shared::default());
        let (end, ended) = watch::channel(false);
        #[cfg(unix)]
        let (stopped, stop) = io::pipe()?;
        let mut source = Source {
            pipe: Some(pipe),
            #[cfg(unix)]
            stopped,
        };
        let own = shared.clone();
        let copy = move || {
            run(&mut source, out, unwrap, &own);
            end.send_replace(true);
            source
        };
        let thread = std::thread::Builder::new()
            .name("tee".to_owned())
            .spawn(copy)?;
        #[cfg(not(unix))]
        drop(thread);
        Ok(Tee {
            shared,
            ended,
            #[cfg(unix)]
            back: Back { stop, out, thread },
        })
    }

    /// How many bytes have come.
    pub(super) fn count(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Has all that was written been passed on?
    pub(super) fn waits(&self) -> bool {
        self.shared.waits.load(Ordering::Acquire)
    }

    /// Waits until no process holds the other end any more.
    pub(super) async fn ended(&self) {
        // An error means that the thread is gone, which is an end, too.
        drop(self.ended.clone().wait_for(|ended| *ended).await);
    }

    /// What was kept.
    pub(super) fn text(&self) -> String {
        self.kept().text()
    }

    /// May a message of a mismatch be among what could not be kept?
    pub(super) fn lost_mismatch(&self) -> bool {
        self.kept().lost_mismatch()
    }

    /// The last line that is not empty.
    pub(super) fn last_line(&self) -> String {
        self.kept().last_line()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, KeptOutput> {
        self.shared
            .keep
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// We are about to end while a process may still write into it: a process that does nothing else
    /// keeps passing on what it writes. Without goroam it would have our standard error itself.
    #[cfg(unix)]
    pub(super) fn leave_behind(self) {
        if *self.ended.borrow() {
            return;
        }
        // A writer that is blocked because its output is not read is not waited for.
        if !self.waits() {
            return;
        }
        let Back { stop, out, thread } = self.back;
        drop(stop);
        if let Ok(source) = thread.join() {
            source.leave_behind(out);
        }
    }

    /// There is no fork here: a process that still writes finds the pipe closed.
    #[cfg(not(unix))]
    pub(super) fn leave_behind(self) {
        drop(self);
    }
}

fn run(source: &mut Source, out: Out, unwrap: bool, shared: &Shared) {
    let mut buffer = vec![0; BUFFER];
    let mut json = JsonLines::default();
    loop {
        shared.waits.store(true, Ordering::Release);
        let count = match source.read(&mut buffer) {
            // The second is how a terminal says that its other end is closed (EIO).
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        shared.waits.store(false, Ordering::Release);
        let came = buffer.get(..count).unwrap_or_default();
        let mut keep = shared.keep.lock().unwrap_or_else(PoisonError::into_inner);
        if unwrap {
            json.push(came, |words| keep.push(words))
        } else {
            keep.push(came)
        }
        drop(keep);
        shared.count.fetch_add(count as u64, Ordering::Relaxed);
        // What we write is not read any more. Then we do not read what the command writes either,
        // so that it gets the same error as without us.
        if pass(out, came).is_err() {
            source.close();
            return;
        }
    }
}

/// The end of a pipe or pseudo-terminal that the command writes into: read until it is closed, or
/// until we want to stop.
#[derive(Debug)]
struct Source {
    pipe: Option<PipeReader>,
    /// Closed when the reading is to stop.
    #[cfg(unix)]
    stopped: PipeReader,
}

impl Source {
    /// What has come; nothing at the end, or when it was stopped.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(0);
        };
        loop {
            #[cfg(unix)]
            if !is_readable(pipe, &self.stopped)? {
                return Ok(0);
            }
            match pipe.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// From now on a writer gets an error, since the pipe has no reader.
    fn close(&mut self) {
        self.pipe = None;
    }

    /// Keeps copying in a child process until the other end is closed. The child has its own
    /// session: Ctrl-C is not meant for it.
    #[cfg(unix)]
    fn leave_behind(self, out: Out) {
        let Some(pipe) = self.pipe else { return };
        // SAFETY: the child only calls functions that are safe after a fork of a process
        // with threads (signal-safety(7)): setsid, close, read, write, poll, _exit.
        if unsafe { libc::fork() } == 0 {
            copy_until_closed(pipe.as_raw_fd(), out);
        }
    }
}

#[cfg(unix)]
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
#[cfg(unix)]
fn is_readable(pipe: &PipeReader, stopped: &PipeReader) -> io::Result<bool> {
    let wait = |pipe: &PipeReader| libc::pollfd {
        fd: pipe.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut waits = [wait(pipe), wait(stopped)];
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

/// The last byte on standard error was not a line end.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Whether the command's last line on standard error lacks its end. Then a line of ours needs one
/// before it.
pub fn line_is_open() -> bool {
    OPEN.load(Ordering::Relaxed)
}

fn note(out: Out, bytes: &[u8]) {
    if out == Out::Stderr
        && let Some(last) = bytes.last()
    {
        OPEN.store(*last != b'\n', Ordering::Relaxed);
    }
}

/// One of our own two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Out {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Writes all of it at once, nothing held back.
///
/// # Errors
/// When the reader is gone.
#[cfg(unix)]
pub(super) fn pass(out: Out, mut bytes: &[u8]) -> io::Result<()> {
    note(out, bytes);
    let fd = match out {
        Out::Stdout => libc::STDOUT_FILENO,
        Out::Stderr => libc::STDERR_FILENO,
    };
    while !bytes.is_empty() {
        // SAFETY: write reads that many bytes from the pointer, which are those of the slice.
        let count = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        if let Ok(count) = usize::try_from(count) {
            bytes = bytes.get(count..).unwrap_or_default();
            continue;
        }
        let error = io::Error::last_os_error();
        // Our parent has made the pipe non-blocking (node does). It is the command's as
        // well, so it stays so.
        if error.kind() == io::ErrorKind::WouldBlock {
            wait_for_room(fd);
        } else if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(unix)]
fn wait_for_room(fd: libc::c_int) {
    let mut wait = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: poll reads and writes one `pollfd`, which the pointer leads to.
    unsafe { libc::poll(&raw mut wait, 1, 1000) };
}

/// Writes all of it at once, nothing held back. A console takes text only; what is none is
/// replaced there.
///
/// # Errors
/// When the reader is gone.
#[cfg(not(unix))]
pub(super) fn pass(out: Out, bytes: &[u8]) -> io::Result<()> {
    use std::io::{IsTerminal, Write};

    fn all(to: &mut dyn Write, console: bool, bytes: &[u8]) -> io::Result<()> {
        if console {
            to.write_all(String::from_utf8_lossy(bytes).as_bytes())?
        } else {
            to.write_all(bytes)?
        }
        to.flush()
    }
    note(out, bytes);
    match out {
        Out::Stdout => all(&mut io::stdout().lock(), io::stdout().is_terminal(), bytes),
        Out::Stderr => all(&mut io::stderr().lock(), io::stderr().is_terminal(), bytes),
    }
}
