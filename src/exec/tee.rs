//! Passes one stream of the command through unchanged, and keeps a copy of what is needed to judge
//! the run. The copy is bounded, however much the command writes.
//!
//! Each stream has a thread, since the program that reads our output may be slow (`| less`): then
//! the command waits for it, as without goroam, but signals do not.

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

use super::classify::{JsonLines, next_line};

/// As much as a pipe holds, so that what arrives together is passed on together. In bytes.
const BUFFER: usize = 64 << 10;

/// A stream that is being passed through.
#[derive(Debug)]
pub(super) struct Tee {
    shared: Arc<Shared>,
    ended: watch::Receiver<bool>,
    /// Hands the stream back, if a process still writes to it when goroam ends.
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
    /// There is nothing to read at the moment.
    waits: AtomicBool,
}

impl Tee {
    /// Starts passing the stream through. `unwrap`: the stream is JSON of go, and go's messages in
    /// it are kept.
    ///
    /// # Errors
    /// When the system provides no thread.
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

    /// Returns how many bytes have come.
    pub(super) fn count(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Reports whether all that was written has been passed on.
    pub(super) fn waits(&self) -> bool {
        self.shared.waits.load(Ordering::Acquire)
    }

    /// Waits until no process holds the other end any more.
    pub(super) async fn ended(&self) {
        // An error means that the thread has ended; that is an end, too.
        drop(self.ended.clone().wait_for(|ended| *ended).await);
    }

    /// Returns what was kept.
    pub(super) fn text(&self) -> String {
        self.kept().text()
    }

    /// Reports whether a mismatch message may be in the part that could not be kept.
    pub(super) fn lost_mismatch(&self) -> bool {
        self.kept().lost_mismatch()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, KeptOutput> {
        self.shared
            .keep
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Used when goroam is about to end while a process may still write to the stream: a child
    /// process keeps passing on what it writes. Without goroam, that process would have our
    /// standard error itself.
    #[cfg(unix)]
    pub(super) fn leave_behind(self) {
        if *self.ended.borrow() {
            return;
        }
        // If a writer is blocked because its output is not read, this does not wait for it.
        if !self.waits() {
            return;
        }
        let Back { stop, out, thread } = self.back;
        drop(stop);
        if let Ok(source) = thread.join() {
            source.leave_behind(out);
        }
    }

    /// Windows has no fork: a process that still writes finds the pipe closed.
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
            // An error is how a terminal reports that its other end is closed (EIO).
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
        // Our output is not read any more. Then we do not read what the command writes either, so
        // that it gets the same error as without goroam.
        if pass(out, came).is_err() {
            source.close();
            return;
        }
    }
}

/// The read end of a pipe or pseudo-terminal that the command writes to. It is read until it is
/// closed, or until goroam stops reading.
#[derive(Debug)]
struct Source {
    pipe: Option<PipeReader>,
    /// Closed to stop the reading.
    #[cfg(unix)]
    stopped: PipeReader,
}

impl Source {
    /// Returns what has come; nothing at the end, or when the reading was stopped.
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

    /// Continues the copying in a child process until the other end is closed. The child has its
    /// own session: Ctrl-C is not meant for it.
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
    // SAFETY: numbers only. Nothing here owns these descriptors: this process has one thread, which
    // never returns from this function. It must close what it does not need, or `$(goroam exec …)`
    // would wait for it.
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

/// Waits until there is something to read or the stream has ended; false when stopped.
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

/// Reports whether the command's last line on standard error lacks its line end. If so, a line of
/// goroam needs one before it.
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

/// One of goroam's own output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Out {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Writes all bytes at once, without buffering.
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
        // Our parent has made the pipe non-blocking (node does). The command shares the pipe, so
        // the mode is left unchanged.
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
    // SAFETY: poll reads and writes one `pollfd`, which the pointer points to.
    unsafe { libc::poll(&raw mut wait, 1, 1000) };
}

/// Writes all bytes at once, without buffering. A console accepts only text; on a console, bytes
/// that are not text are replaced.
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

/// At least this many bytes of the stream's end are kept unchanged. A failing go prints a few
/// hundred; a failing `make test` may print its logs after that.
const TAIL: usize = 256 << 10;
/// How many bytes of earlier lines are kept, if they look like go's own failures.
const TELLING: usize = 64 << 10;
/// In bytes. A longer line is not go's; it is judged by its beginning.
const LINE: usize = 4 << 10;

/// Texts that go's failures contain, and few other lines: a request's URL, a lookup, a checksum, a
/// download.
const MARKS: [&str; 8] = [
    "go: ",
    "/@v/",
    "/@latest",
    "/sumdb/",
    "SECURITY ERROR",
    "checksum mismatch",
    "module lookup disabled",
    "dial tcp",
];

/// How many lines after a kept line belong to it: the hashes after `checksum mismatch`, the
/// sentence after `SECURITY ERROR` (modfetch/fetch.go:checkModSum).
const BEHIND: u8 = 3;

/// A bounded copy of a stream of text.
#[derive(Debug, Default)]
pub(super) struct KeptOutput {
    telling: Vec<u8>,
    /// Holds up to twice [`TAIL`], so that bytes are rarely moved.
    tail: Vec<u8>,
    /// The line that is leaving the tail.
    leaving: Vec<u8>,
    /// How many of the next lines still belong to the last kept line.
    behind: u8,
    /// How much of `telling` these lines may fill, in bytes.
    most: usize,
    /// There was no room for a line that may be go's mismatch message.
    lost_mismatch: bool,
}

impl KeptOutput {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(TAIL) {
            self.tail.extend_from_slice(part);
            if self.tail.len() > 2 * TAIL {
                let mut tail = std::mem::take(&mut self.tail);
                let out = tail.len() - TAIL;
                self.leave(&tail[..out]);
                tail.drain(..out);
                self.tail = tail;
            }
        }
    }

    fn leave(&mut self, mut bytes: &[u8]) {
        while let Some(line) = next_line(&mut bytes) {
            if !line.ends_with(b"\n") {
                self.begin(line);
            } else if self.leaving.is_empty() {
                self.weigh(&line[..line.len().min(LINE)]);
            } else {
                self.begin(line);
                let whole = std::mem::take(&mut self.leaving);
                self.weigh(&whole);
            }
        }
    }

    fn begin(&mut self, line: &[u8]) {
        let room = LINE.saturating_sub(self.leaving.len());
        self.leaving
            .extend_from_slice(&line[..line.len().min(room)]);
    }

    /// Keeps the line if it may be a failure of go, or belongs to one.
    fn weigh(&mut self, line: &[u8]) {
        if let Some(most) = room_for(line) {
            (self.behind, self.most) = (BEHIND, most);
        } else if self.behind > 0 {
            self.behind -= 1;
        } else {
            return;
        }
        if self.telling.len() + line.len() < self.most {
            self.telling.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                self.telling.push(b'\n');
            }
        } else if self.most > TELLING {
            self.lost_mismatch = true;
        }
    }

    /// Reports whether there were more lines that look like a mismatch than could be kept. Then a
    /// line of go may be among the lost ones: a server that floods the copy must not hide it.
    pub(super) fn lost_mismatch(&self) -> bool {
        self.lost_mismatch
    }

    /// Returns all that was kept, in order. Bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self) -> String {
        let all = [self.telling.as_slice(), &self.leaving, &self.tail].concat();
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// Returns the total size up to which the line is kept; `None` if it is not a failure. A mismatch
/// has its own room, however much else was printed, because it decides the result.
fn room_for(line: &[u8]) -> Option<usize> {
    // Searching for a byte is far cheaper than searching for a word. A line with any mark but the
    // first one also has a version, a quoted URL, GOPROXY or SECURITY.
    let many = [b'@', b'"', b'Y'].iter().any(|byte| line.contains(byte));
    let marks = if many { &MARKS[..] } else { &MARKS[..1] };
    if !many && !line.contains(&b':') {
        return None;
    }
    let line = String::from_utf8_lossy(line);
    // A good run prints hundreds of `go: downloading` lines.
    if line.starts_with("go: downloading ") || !marks.iter().any(|mark| line.contains(mark)) {
        return None;
    }
    let grave = line.contains("checksum mismatch") || line.contains("SECURITY ERROR");
    Some(if grave { 2 * TELLING } else { TELLING })
}

#[cfg(test)]
mod tests {
    use super::{KeptOutput, TAIL, TELLING};

    #[test]
    fn a_short_text_is_kept_as_it_is() {
        let mut keep = KeptOutput::default();
        keep.push(b"one\ntw");
        keep.push(b"o\n\n");
        assert_eq!(keep.text(), "one\ntwo\n\n");
    }

    #[test]
    fn a_telling_line_survives_any_amount_of_noise() {
        let mut keep = KeptOutput::default();
        keep.push(b"noise\ngo: downloading a v1\ngo: a@v1: Get \"http://x/a/@v/v1.zip\": E");
        keep.push(b"OF\nmore");
        for _ in 0..2000 {
            keep.push(&[b'x'; 1000]);
            keep.push(b"\n");
        }
        let text = keep.text();
        assert!(text.starts_with("go: a@v1: Get \"http://x/a/@v/v1.zip\": EOF\n"));
        assert!(!text.contains("downloading") && !text.contains("noise"));
        assert!(text.len() <= 2 * (TAIL + TELLING) + super::LINE);
    }

    #[test]
    fn a_mismatch_is_kept_with_what_belongs_to_it_however_much_else_was_said() {
        let mismatch = "verifying a.test/m@v1.0.0: checksum mismatch\n\tdownloaded: h1:A\n\tgo.sum:     h1:B\n\nSECURITY ERROR\nThis download does NOT match an earlier download recorded in go.sum.\n";
        let mut keep = KeptOutput::default();
        keep.push("go: dial tcp\n".repeat(TELLING).as_bytes());
        keep.push(mismatch.as_bytes());
        keep.push("noise: it goes on\n".repeat(2 * TAIL).as_bytes());
        assert!(keep.text().contains(mismatch));
    }

    #[test]
    fn nothing_makes_it_grow() {
        let mut keep = KeptOutput::default();
        for _ in 0..50 {
            keep.push(&vec![b'y'; TAIL + 7]);
            keep.push("go: dial tcp\n".repeat(10_000).as_bytes());
        }
        assert!(keep.text().len() <= 2 * (TAIL + TELLING) + super::LINE);
        assert!(keep.tail.capacity() <= 4 * TAIL);
    }
}
