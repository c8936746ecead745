//! The terminal that the command is used from, and which process group may read from it.
//!
//! The command's group stays in the background until it needs the terminal. Then the kernel stops
//! it (SIGTTIN, SIGTTOU), and goroam gives it the terminal and continues it, as sudo does. So
//! Ctrl-C reaches goroam first and is passed on, and goroam knows that there is no further step.
//! The other members of a pipeline (`goroam exec … | less`) keep their terminal.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use super::signals::suffer;

/// The controlling terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    tty: File,
    modes: Option<libc::termios>,
    /// The group that goroam has given the terminal to.
    given: Option<libc::pid_t>,
}

impl Terminal {
    /// Finds our controlling terminal, if there is one.
    pub(super) fn find() -> Option<Terminal> {
        let mut options = File::options();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        let tty = options.open("/dev/tty").ok()?;
        let modes = modes(tty.as_raw_fd());
        Some(Terminal {
            tty,
            modes,
            given: None,
        })
    }

    /// Handles a stop of the command. If the command needs the terminal and goroam has it, gives it
    /// to the command; otherwise stops goroam as well until it is continued. Returns when the
    /// command should be continued.
    pub(super) fn stopped(this: Option<&mut Terminal>, group: libc::pid_t, signal: i32) {
        let wants = signal == libc::SIGTTIN || signal == libc::SIGTTOU;
        let Some(terminal) = this else {
            return suffer(signal, false);
        };
        if wants && terminal.is_ours() {
            return terminal.give(group);
        }
        let had = terminal.take_back();
        // While the command had the terminal, Ctrl-Z reached only the command; without goroam the
        // whole job would have stopped.
        suffer(signal, had);
        if wants && !terminal.is_ours() {
            // There is no shell that could stop goroam or give it the terminal: avoid a busy loop.
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
        if had && terminal.is_ours() {
            terminal.give(group);
        }
    }

    /// Reports whether goroam is in the foreground.
    fn is_ours(&self) -> bool {
        // SAFETY: numbers only.
        unsafe { libc::tcgetpgrp(self.tty.as_raw_fd()) == libc::getpgrp() }
    }

    fn give(&mut self, group: libc::pid_t) {
        // SAFETY: numbers only. goroam is in the foreground, so this does not stop it.
        if unsafe { libc::tcsetpgrp(self.tty.as_raw_fd(), group) } == 0 {
            self.given = Some(group);
        }
    }

    /// Takes the terminal back if the command still has it; reports whether it had it.
    pub(super) fn take_back(&mut self) -> bool {
        let Some(group) = self.given.take() else {
            return false;
        };
        let tty = self.tty.as_raw_fd();
        // SAFETY: numbers only.
        if unsafe { libc::tcgetpgrp(tty) } != group {
            return false;
        }
        without_ttou(|| {
            // SAFETY: numbers only.
            unsafe { libc::tcsetpgrp(tty, libc::getpgrp()) };
        });
        true
    }

    /// Restores the terminal's modes, if a command that goroam has ended changed them.
    pub(super) fn restore(&self) {
        let Some(before) = &self.modes else { return };
        if self.is_ours() {
            // SAFETY: tcsetattr reads one `termios` through the reference.
            unsafe { libc::tcsetattr(self.tty.as_raw_fd(), libc::TCSADRAIN, before) };
        }
    }
}

/// Runs the function with SIGTTOU blocked: in the background, tcsetpgrp would stop goroam.
fn without_ttou(run: impl FnOnce()) {
    // SAFETY: `sigset_t` is plain data; sigemptyset gives it its value.
    let (mut ttou, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    // SAFETY: all pointers point to a `sigset_t`.
    unsafe {
        libc::sigemptyset(&raw mut ttou);
        libc::sigaddset(&raw mut ttou, libc::SIGTTOU);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const ttou, &raw mut before);
    }
    run();
    // SAFETY: as above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
}

fn modes(fd: RawFd) -> Option<libc::termios> {
    // SAFETY: `termios` is plain numbers, for which zero is a value.
    let mut modes: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: tcgetattr writes one `termios` to the pointer's target, which is one.
    let done = unsafe { libc::tcgetattr(fd, &raw mut modes) };
    (done == 0).then_some(modes)
}

/// A pseudo-terminal for the command's standard error, if ours is a terminal: programs check that
/// for colours and progress.
#[derive(Debug)]
pub(super) struct StderrPty {
    master: std::os::fd::OwnedFd,
}

impl StderrPty {
    /// Opens both ends: ours and the command's. `None` when our standard error is not a terminal,
    /// or the system has no free pseudo-terminal.
    pub(super) fn open() -> Option<(StderrPty, std::os::fd::OwnedFd)> {
        use std::os::fd::{FromRawFd, OwnedFd};

        let mut like = modes(libc::STDERR_FILENO)?;
        let mut size = size(libc::STDERR_FILENO)?;
        // Output comes out unchanged; the real terminal turns line ends into CR LF.
        like.c_oflag &= !libc::OPOST;
        let (mut master, mut slave) = (-1, -1);
        // SAFETY: openpty writes two descriptors and reads one `termios` and one `winsize`; the
        // name may be null.
        let done = unsafe {
            libc::openpty(
                &raw mut master,
                &raw mut slave,
                std::ptr::null_mut(),
                &raw mut like,
                &raw mut size,
            )
        };
        if done != 0 {
            return None;
        }
        // SAFETY: both have just been opened and have no other owner.
        let ends = unsafe { [OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)] };
        for end in &ends {
            // SAFETY: numbers only.
            unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        let [master, slave] = ends;
        Some((StderrPty { master }, slave))
    }

    /// Returns our end, for reading.
    pub(super) fn reader(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        self.master.try_clone()
    }

    /// Passes the terminal's size on, if it has changed.
    pub(super) fn resize(&self) {
        let master = self.master.as_raw_fd();
        let (Some(now), Some(had)) = (size(libc::STDERR_FILENO), size(master)) else {
            return;
        };
        if (now.ws_col, now.ws_row) != (had.ws_col, had.ws_row) {
            // SAFETY: TIOCSWINSZ reads one `winsize`, which the pointer points to.
            unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &raw const now) };
        }
    }
}

fn size(fd: RawFd) -> Option<libc::winsize> {
    // SAFETY: `winsize` is plain numbers, for which zero is a value.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ writes one `winsize` to the pointer's target, which is one.
    let done = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
    (done == 0).then_some(size)
}
