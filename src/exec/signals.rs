//! What the system tells us while the command runs.

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Something has happened to the command.
    Child,
    /// To be passed on, by its number. `ends`: whoever sends it wants an end.
    Pass {
        /// The signal.
        signal: i32,
        /// Whoever sends it wants an end: no further step.
        ends: bool,
    },
    /// The terminal has another size; a pseudo-terminal is made on Unix only.
    #[cfg_attr(windows, expect(dead_code, reason = "there is no terminal of ours"))]
    Resized,
}

#[cfg(unix)]
pub(super) use unix::suffer;
#[cfg(unix)]
pub use unix::{Signals, die_by};

#[cfg(windows)]
pub use windows::Signals;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::task::Poll;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Told;

    /// Those that would end us, or that a command may wait for.
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
    #[derive(Debug)]
    pub struct Signals {
        streams: Vec<(Told, Signal)>,
    }

    impl Signals {
        /// Listens from now on. Those that were ignored when we were started stay so, for us and
        /// for the command: `nohup`, and `&` in a script.
        ///
        /// # Errors
        /// When signals cannot be listened to.
        pub fn listen() -> io::Result<Signals> {
            let mut told = vec![
                (Told::Child, libc::SIGCHLD),
                (Told::Resized, libc::SIGWINCH),
            ];
            for number in PASSED {
                let ends =
                    ![libc::SIGUSR1, libc::SIGUSR2, libc::SIGTSTP, libc::SIGCONT].contains(&number);
                if !is_ignored(number) {
                    told.push((
                        Told::Pass {
                            signal: number,
                            ends,
                        },
                        number,
                    ));
                }
            }
            let mut streams = Vec::new();
            for (told, number) in told {
                streams.push((told, signal(SignalKind::from_raw(number))?));
            }
            Ok(Signals { streams })
        }

        /// The next one. Dropping the future loses none.
        pub(in super::super) async fn next(&mut self) -> Told {
            std::future::poll_fn(|context| {
                for (told, stream) in &mut self.streams {
                    if stream.poll_recv(context).is_ready() {
                        return Poll::Ready(*told);
                    }
                }
                Poll::Pending
            })
            .await
        }
    }

    fn action(signal: i32, new: Option<&libc::sigaction>) -> libc::sigaction {
        // SAFETY: `sigaction` is plain data, for which zero is a value.
        let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
        let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: both pointers lead to a `sigaction`, or the first to none.
        unsafe { libc::sigaction(signal, new, &raw mut old) };
        old
    }

    fn is_ignored(signal: i32) -> bool {
        action(signal, None).sa_sigaction == libc::SIG_IGN
    }

    /// Lets a signal do to this process what it does to one that does not care: stops it (until
    /// it is continued) or ends it. `group`: to all of our job.
    pub(in super::super) fn suffer(signal: i32, group: bool) {
        // SAFETY: `sigaction` is plain data, for which zero is a value, and zero is SIG_DFL.
        let default: libc::sigaction = unsafe { std::mem::zeroed() };
        let old = action(signal, Some(&default));
        // SAFETY: numbers only. 0 is our own process group.
        unsafe {
            match group {
                true => libc::kill(0, signal),
                // This thread, so that it has happened when the call returns.
                false => libc::raise(signal),
            }
        };
        action(signal, Some(&old));
    }

    /// Ends this process by a signal, so that whoever started it sees the same as without us
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
}

#[cfg(windows)]
mod windows {
    use std::io;

    use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

    use super::Told;

    /// The console's events. The command hears them from the console itself; for us they only
    /// mean that there is no further step.
    #[derive(Debug)]
    pub struct Signals {
        c: CtrlC,
        brk: CtrlBreak,
    }

    impl Signals {
        /// Listens from now on.
        ///
        /// # Errors
        /// When there is no console to listen to.
        pub fn listen() -> io::Result<Signals> {
            Ok(Signals {
                c: ctrl_c()?,
                brk: ctrl_break()?,
            })
        }

        /// The next one. Dropping the future loses none.
        pub(in super::super) async fn next(&mut self) -> Told {
            tokio::select! {
                _ = self.c.recv() => {}
                _ = self.brk.recv() => {}
            }
            Told::Pass {
                signal: 2,
                ends: true,
            }
        }
    }
}
