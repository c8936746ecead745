//! A Unix terminal: termios, and signals.

use std::io::{self, Read};
use std::os::fd::RawFd;
use std::sync::{Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::event::Event;
use crate::cli::render::Size;

const STDIN: RawFd = libc::STDIN_FILENO;
const STDOUT: RawFd = libc::STDOUT_FILENO;

/// The modes before the change.
static BEFORE: Mutex<Option<libc::termios>> = Mutex::new(None);

/// Returns the size of the terminal on standard output.
pub(super) fn size() -> Option<Size> {
    // SAFETY: `winsize` contains only numbers, for which zero is valid.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ writes one `winsize` to the pointer's target, which is one.
    let done = unsafe { libc::ioctl(STDOUT, libc::TIOCGWINSZ, &raw mut size) };
    // A serial line or a new pty may not know its size.
    (done == 0 && size.ws_col > 0 && size.ws_row > 0).then(|| Size {
        columns: usize::from(size.ws_col),
        rows: usize::from(size.ws_row),
    })
}

/// Makes keys arrive at once, without being shown. This includes the keys that would interrupt or
/// stop this program, because the screen must be restored first. If standard input is not a
/// terminal, it stays as it is.
pub(super) fn set_modes() -> io::Result<()> {
    let Some(before) = modes(STDIN) else {
        return Ok(());
    };
    let mut raw = before;
    raw.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN);
    raw.c_iflag &= !(libc::IXON | libc::ICRNL);
    raw.c_cc[libc::VMIN] = 1;
    raw.c_cc[libc::VTIME] = 0;
    BEFORE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert(before);
    set(STDIN, &raw)
}

/// Restores the modes.
pub(super) fn restore_modes() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // A terminal that no longer exists has no modes.
        drop(set(STDIN, &before));
    }
}

fn modes(fd: RawFd) -> Option<libc::termios> {
    // SAFETY: `termios` contains only numbers, for which zero is valid.
    let mut modes: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: tcgetattr writes one `termios` to the pointer's target, which is one.
    let done = unsafe { libc::tcgetattr(fd, &raw mut modes) };
    (done == 0).then_some(modes)
}

fn set(fd: RawFd, modes: &libc::termios) -> io::Result<()> {
    // SAFETY: tcsetattr reads one `termios`, which the reference is.
    match unsafe { libc::tcsetattr(fd, libc::TCSANOW, modes) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reports whether this system can stop a program and continue it (Ctrl-Z).
pub(in crate::cli) fn can_stop() -> bool {
    true
}

/// Stops this job as Ctrl-Z does, and returns when it is continued.
pub(in crate::cli) fn stop_until_continued() {
    // SAFETY: kill takes no pointers; 0 is this process' own group, as with the terminal's Ctrl-Z.
    unsafe { libc::kill(0, libc::SIGTSTP) };
}

/// Key presses, changes of the size, and requests to end.
#[derive(Debug)]
pub(in crate::cli) struct Events {
    keys: mpsc::Receiver<Event>,
    resized: Signal,
    continued: Signal,
    interrupted: Signal,
    terminated: Signal,
    hung_up: Signal,
}

/// 128 plus the signal's number, as in a shell.
const TERMINATED: u8 = 128 + 15;
const HUNG_UP: u8 = 128 + 1;

impl Events {
    /// Starts to listen.
    ///
    /// # Errors
    /// When signals cannot be waited for.
    pub(in crate::cli) fn listen() -> io::Result<Events> {
        Ok(Events {
            keys: keys()?,
            resized: signal(SignalKind::window_change())?,
            continued: signal(SignalKind::from_raw(libc::SIGCONT))?,
            interrupted: signal(SignalKind::interrupt())?,
            terminated: signal(SignalKind::terminate())?,
            hung_up: signal(SignalKind::hangup())?,
        })
    }

    /// Returns the next event. Dropping the future loses no event.
    pub(in crate::cli) async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.terminated.recv() => Event::End(TERMINATED),
            _ = self.hung_up.recv() => Event::End(HUNG_UP),
            // On a terminal this is the usual way to end the view, so it is not a failure.
            _ = self.interrupted.recv() => Event::End(0),
            _ = self.resized.recv() => Event::Changed,
            _ = self.continued.recv() => Event::Changed,
            Some(event) = self.keys.recv() => event,
        }
    }
}

/// Starts a thread that waits for keys. Without a thread the terminal's file description, which
/// also belongs to the shell, would have to be non-blocking.
fn keys() -> io::Result<mpsc::Receiver<Event>> {
    let (tell, keys) = mpsc::channel(16);
    if modes(STDIN).is_none() {
        return Ok(keys);
    }
    let read = move || {
        let mut stdin = io::stdin().lock();
        let mut key = [0];
        loop {
            let event = match stdin.read(&mut key) {
                Ok(1..) => Event::Key(key[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The terminal no longer exists.
                Ok(0) | Err(_) => Event::End(HUNG_UP),
            };
            if tell.blocking_send(event).is_err() || matches!(event, Event::End(_)) {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("keys".to_owned())
        .spawn(read)?;
    Ok(keys)
}

/// A terminal for tests.
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(super) mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::process::{Command, Stdio};

    /// Both ends of a pseudo-terminal.
    pub(in crate::cli::terminal) struct Pty {
        outside: File,
        inside: OwnedFd,
    }

    impl Pty {
        pub(in crate::cli::terminal) fn open() -> Pty {
            let (mut outside, mut inside) = (-1, -1);
            let null = std::ptr::null_mut;
            // SAFETY: openpty writes two descriptors; the other pointers may be null.
            let done = unsafe {
                libc::openpty(
                    &raw mut outside,
                    &raw mut inside,
                    null(),
                    std::ptr::null(),
                    std::ptr::null(),
                )
            };
            assert_eq!(done, 0);
            // SAFETY: both have just been opened and have no other owner.
            unsafe {
                Pty {
                    outside: File::from_raw_fd(outside),
                    inside: OwnedFd::from_raw_fd(inside),
                }
            }
        }

        /// Returns the local and the input modes.
        pub(in crate::cli::terminal) fn modes(&self) -> (libc::tcflag_t, libc::tcflag_t) {
            let modes = super::modes(self.inside.as_raw_fd()).unwrap();
            (modes.c_lflag, modes.c_iflag)
        }

        /// Returns everything that a command writes until it ends.
        pub(in crate::cli::terminal) fn run(&self, mut command: Command) -> String {
            let end = || Stdio::from(self.inside.try_clone().unwrap());
            command.stdin(end()).stdout(end()).stderr(end());
            let mut child = command.spawn().unwrap();
            let mut outside = self.outside.try_clone().unwrap();
            // SAFETY: fcntl with F_SETFL takes no pointers.
            unsafe { libc::fcntl(outside.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
            let mut said = Vec::new();
            let mut some = [0; 4096];
            loop {
                let ended = child.try_wait().unwrap().is_some();
                match outside.read(&mut some) {
                    Ok(count) if count > 0 => said.extend_from_slice(&some[..count]),
                    Ok(_) | Err(_) if ended => return String::from_utf8_lossy(&said).into_owned(),
                    Ok(_) | Err(_) => std::thread::yield_now(),
                }
            }
        }
    }
}
