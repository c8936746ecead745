//! Signals, and the console events on Windows, while the command runs.

use std::io;

use crate::signals::Signals;
#[cfg(windows)]
use crate::signals::Source;

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalEvent {
    /// The command has changed its state (SIGCHLD).
    Child,
    /// A signal to pass on to the command.
    Pass {
        /// The signal's number.
        signal: i32,
        /// The sender asks to end: there is no further step.
        ends: bool,
    },
    /// The terminal's size has changed; a pseudo-terminal is used on Unix only.
    #[cfg_attr(windows, expect(dead_code, reason = "there is no terminal of ours"))]
    Resized,
}

/// Signals that would end goroam, or that a command may wait for.
#[cfg(unix)]
const PASSED: [i32; 8] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTSTP,
    libc::SIGCONT,
];

/// The signals that exec listens to.
pub struct ExecSignals(Signals<SignalEvent>);

impl ExecSignals {
    /// Starts listening. Signals that were ignored when goroam was started stay ignored, for goroam
    /// and for the command: `nohup`, and `&` in a script.
    ///
    /// # Errors
    /// When signals cannot be listened to.
    #[cfg(unix)]
    pub fn listen() -> io::Result<ExecSignals> {
        let passed = PASSED.into_iter().filter(|number| !is_ignored(*number));
        let passed = passed.map(|signal| {
            let goes_on = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGTSTP, libc::SIGCONT];
            let ends = !goes_on.contains(&signal);
            (signal, SignalEvent::Pass { signal, ends })
        });
        let own = [
            (libc::SIGCHLD, SignalEvent::Child),
            (libc::SIGWINCH, SignalEvent::Resized),
        ];
        Signals::listen(own.into_iter().chain(passed)).map(ExecSignals)
    }

    /// Starts listening. The command receives the console's events directly from the console; for
    /// goroam they only mean that there is no further step.
    ///
    /// # Errors
    /// When there is no console to listen to.
    #[cfg(windows)]
    pub fn listen() -> io::Result<ExecSignals> {
        let event = SignalEvent::Pass {
            signal: 2,
            ends: true,
        };
        let sources = [Source::CtrlC, Source::CtrlBreak];
        Signals::listen(sources.map(|source| (source, event))).map(ExecSignals)
    }

    /// Waits for the next event. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> SignalEvent {
        self.0.next().await
    }
}

#[cfg(unix)]
fn action(signal: i32, new: Option<&libc::sigaction>) -> libc::sigaction {
    // SAFETY: `sigaction` is plain data, for which zero is a value.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both pointers point to a `sigaction`, or the first is null.
    unsafe { libc::sigaction(signal, new, &raw mut old) };
    old
}

#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    action(signal, None).sa_sigaction == libc::SIG_IGN
}

#[cfg(unix)]
/// Lets a signal have its default effect on this process: stops it (until it is continued) or ends
/// it. `group`: sends it to the whole job.
pub(super) fn suffer(signal: i32, group: bool) {
    // SAFETY: `sigaction` is plain data, for which zero is a value, and zero is SIG_DFL.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    let old = action(signal, Some(&default));
    // SAFETY: numbers only. 0 means the own process group.
    unsafe {
        if group {
            libc::kill(0, signal)
        } else {
            // Sent to this thread, so that it has taken effect when the call returns.
            libc::raise(signal)
        }
    };
    action(signal, Some(&old));
}

#[cfg(unix)]
/// Ends this process by a signal, so that its parent sees the same as without goroam (only then
/// does a shell end its script after Ctrl-C). Returns if the signal is blocked.
pub fn die_by(signal: i32) {
    // Only the command's own core dump is worth a file.
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: setrlimit reads one `rlimit` from the pointer.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    suffer(signal, false);
}
