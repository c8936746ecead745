//! The terminal that the command is used from, and who may read from it.
//!
//! The command's group stays in the background until it wants the terminal: then the kernel
//! stops it (SIGTTIN, SIGTTOU), it is given the terminal and continued, as sudo does. So Ctrl-C
//! comes to us first and is passed on, and we know that there is no further step; and the
//! other members of a pipeline (`goroam exec … | less`) keep the terminal that is theirs.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use super::signals::suffer;

/// The controlling terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    tty: File,
    modes: Option<libc::termios>,
    /// To which group we have given it.
    given: Option<libc::pid_t>,
}

impl Terminal {
    /// Ours, if there is one.
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

    /// The command has been stopped. Gives it the terminal if it wants it and we have it, else
    /// stops as well until we are continued. Returns when the command should be continued.
    pub(super) fn stopped(this: Option<&mut Terminal>, group: libc::pid_t, signal: i32) {
        let wants = signal == libc::SIGTTIN || signal == libc::SIGTTOU;
        let Some(terminal) = this else {
            return suffer(signal, false);
        };
        if wants && terminal.is_ours() {
            return terminal.give(group);
        }
        let had = terminal.take_back();
        // While the command had the terminal, Ctrl-Z came to it alone; without us all of our
        // job would have stopped.
        suffer(signal, had);
        if wants && !terminal.is_ours() {
            // No shell is there that could stop us or give us the terminal: do not spin.
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
        if had && terminal.is_ours() {
            terminal.give(group);
        }
    }

    /// Are we in the foreground?
    fn is_ours(&self) -> bool {
        // SAFETY: numbers only.
        unsafe { libc::tcgetpgrp(self.tty.as_raw_fd()) == libc::getpgrp() }
    }

    fn give(&mut self, group: libc::pid_t) {
        // SAFETY: numbers only. We are in the foreground, so this does not stop us.
        if unsafe { libc::tcsetpgrp(self.tty.as_raw_fd(), group) } == 0 {
            self.given = Some(group);
        }
    }

    /// Takes the terminal back if the command still has it; says whether it had.
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

    /// The modes that it had before a command that we have ended changed them.
    pub(super) fn restore(&self) {
        let Some(before) = &self.modes else { return };
        if self.is_ours() {
            // SAFETY: tcsetattr reads one `termios`, which the reference is.
            unsafe { libc::tcsetattr(self.tty.as_raw_fd(), libc::TCSADRAIN, before) };
        }
    }
}

/// In the background, tcsetpgrp would stop us.
fn without_ttou(run: impl FnOnce()) {
    // SAFETY: `sigset_t` is plain data; sigemptyset gives it its value.
    let (mut ttou, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    // SAFETY: all pointers lead to a `sigset_t`.
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
    // SAFETY: tcgetattr writes one `termios` to where the pointer leads, which is one.
    let done = unsafe { libc::tcgetattr(fd, &raw mut modes) };
    (done == 0).then_some(modes)
}

/// A pseudo-terminal for the command's standard error, where ours is a terminal: programs look
/// at it for colours and progress.
#[derive(Debug)]
pub(super) struct StderrPty {
    master: std::os::fd::OwnedFd,
}

impl StderrPty {
    /// Both ends: ours and the command's. `None` when our standard error is not a terminal, or the
    /// system has no more of them.
    pub(super) fn open() -> Option<(StderrPty, std::os::fd::OwnedFd)> {
        use std::os::fd::{FromRawFd, OwnedFd};

        let mut like = modes(libc::STDERR_FILENO)?;
        let mut size = size(libc::STDERR_FILENO)?;
        // What comes out is what was written; the real terminal makes CR LF of it.
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

    /// Our end, to be read from.
    pub(super) fn reader(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        self.master.try_clone()
    }

    /// Passes the size on, if it is another one now.
    pub(super) fn resize(&self) {
        let master = self.master.as_raw_fd();
        let (Some(now), Some(had)) = (size(libc::STDERR_FILENO), size(master)) else {
            return;
        };
        if (now.ws_col, now.ws_row) != (had.ws_col, had.ws_row) {
            // SAFETY: TIOCSWINSZ reads one `winsize`, which the pointer leads to.
            unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &raw const now) };
        }
    }
}

fn size(fd: RawFd) -> Option<libc::winsize> {
    // SAFETY: `winsize` is plain numbers, for which zero is a value.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ writes one `winsize` to where the pointer leads, which is one.
    let done = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
    (done == 0).then_some(size)
}
