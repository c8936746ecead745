//! Our own standard output and standard error, byte for byte.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// The last byte on standard error was no end of a line.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Does the command's last line on standard error lack its end? Then a line of ours needs one.
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
        // Whoever gave us the pipe has made it non-blocking (node does). It is the command's as
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
