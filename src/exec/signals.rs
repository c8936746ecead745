//! Signals, and the console's events on Windows, while the command runs.

use std::io;
use std::task::{Context, Poll};

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalEvent {
    /// The command has changed its state (SIGCHLD).
    Child,
    /// A signal to pass on to the command.
    Pass {
        /// The signal's number.
        signal: i32,
        /// The sender wants an end: no further step.
        ends: bool,
    },
    /// The terminal has another size; a pseudo-terminal is made on Unix only.
    #[cfg_attr(windows, expect(dead_code, reason = "there is no terminal of ours"))]
    Resized,
}

/// Those that would end us, or that a command may wait for.
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

/// Polls one of tokio's streams of signals.
type PollSignal = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<()>> + Send>;

/// The signals that exec listens to.
pub struct ExecSignals {
    streams: Vec<(SignalEvent, PollSignal)>,
}

impl ExecSignals {
    /// Listens from now on. Those that were ignored when we were started stay so, for us and
    /// for the command: `nohup`, and `&` in a script.
    ///
    /// # Errors
    /// When signals cannot be listened to.
    #[cfg(unix)]
    pub fn listen() -> io::Result<ExecSignals> {
        use tokio::signal::unix::{SignalKind, signal};

        let passed = PASSED.into_iter().filter(|number| !is_ignored(*number));
        let passed = passed.map(|signal| {
            let goes_on = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGTSTP, libc::SIGCONT];
            let ends = !goes_on.contains(&signal);
            (SignalEvent::Pass { signal, ends }, signal)
        });
        let own = [
            (SignalEvent::Child, libc::SIGCHLD),
            (SignalEvent::Resized, libc::SIGWINCH),
        ];
        let mut streams: Vec<(SignalEvent, PollSignal)> = Vec::new();
        for (event, number) in own.into_iter().chain(passed) {
            let mut stream = signal(SignalKind::from_raw(number))?;
            streams.push((event, Box::new(move |cx| stream.poll_recv(cx))));
        }
        Ok(ExecSignals { streams })
    }

    /// Listens from now on. The command hears of the console's events from the console itself;
    /// for us they only mean that there is no further step.
    ///
    /// # Errors
    /// When there is no console to listen to.
    #[cfg(windows)]
    pub fn listen() -> io::Result<ExecSignals> {
        use tokio::signal::windows::{ctrl_break, ctrl_c};

        let event = SignalEvent::Pass {
            signal: 2,
            ends: true,
        };
        let (mut c, mut brk) = (ctrl_c()?, ctrl_break()?);
        let streams: Vec<(SignalEvent, PollSignal)> = vec![
            (event, Box::new(move |cx| c.poll_recv(cx))),
            (event, Box::new(move |cx| brk.poll_recv(cx))),
        ];
        Ok(ExecSignals { streams })
    }

    /// The next one. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> SignalEvent {
        std::future::poll_fn(|context| {
            for (event, poll) in &mut self.streams {
                if poll(context).is_ready() {
                    return Poll::Ready(*event);
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(unix)]
fn action(signal: i32, new: Option<&libc::sigaction>) -> libc::sigaction {
    // SAFETY: `sigaction` is plain data, for which zero is a value.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both pointers lead to a `sigaction`, or the first to none.
    unsafe { libc::sigaction(signal, new, &raw mut old) };
    old
}

#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    action(signal, None).sa_sigaction == libc::SIG_IGN
}

#[cfg(unix)]
/// Lets a signal do to this process what it does to one that does not care: stops it (until
/// it is continued) or ends it. `group`: to all of our job.
pub(super) fn suffer(signal: i32, group: bool) {
    // SAFETY: `sigaction` is plain data, for which zero is a value, and zero is SIG_DFL.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    let old = action(signal, Some(&default));
    // SAFETY: numbers only. 0 is our own process group.
    unsafe {
        if group {
            libc::kill(0, signal)
        } else {
            // This thread, so that it has happened when the call returns.
            libc::raise(signal)
        }
    };
    action(signal, Some(&old));
}

#[cfg(unix)]
/// Ends this process by a signal, so that its parent sees the same as without us
/// (a shell ends its script after Ctrl-C only then). Returns if the signal is blocked.
pub fn die_by(signal: i32) {
    // Only the command's own core is worth a file.
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: setrlimit reads one `rlimit`, which the pointer leads to.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    suffer(signal, false);
}
