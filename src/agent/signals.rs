//! What the system tells a process that stays: end, or read again.

/// What was asked by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM, SIGINT, Ctrl-C, Ctrl-Break.
    End,
    /// SIGHUP, SIGUSR1 or SIGUSR2, or a changed policy while there is none that can be used: read
    /// it again.
    Reload,
}

#[cfg(unix)]
mod os {
    use std::time::Duration;

    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use super::Signal;

    /// A signal that has come is a byte in a pipe, which the runtime reads when it is idle.
    const ON_THE_WAY: Duration = Duration::from_millis(10);

    /// The signals that an agent listens to.
    #[derive(Debug)]
    pub(crate) struct ProcessSignals {
        term: Stream,
        int: Stream,
        hup: Stream,
        /// By default they would end the process.
        user: [Stream; 2],
    }

    impl ProcessSignals {
        /// Starts listening.
        pub(crate) fn listen() -> std::io::Result<ProcessSignals> {
            Ok(ProcessSignals {
                term: signal(SignalKind::terminate())?,
                int: signal(SignalKind::interrupt())?,
                hup: signal(SignalKind::hangup())?,
                user: [
                    signal(SignalKind::user_defined1())?,
                    signal(SignalKind::user_defined2())?,
                ],
            })
        }

        /// Waits for the next one. Cancel-safe.
        pub(crate) async fn next(&mut self) -> Signal {
            let [first, second] = &mut self.user;
            tokio::select! {
                _ = self.term.recv() => Signal::End,
                _ = self.int.recv() => Signal::End,
                _ = self.hup.recv() => Signal::Reload,
                _ = first.recv() => Signal::Reload,
                _ = second.recv() => Signal::Reload,
            }
        }

        /// Before another program takes over this process: from now on what ends an agent ends
        /// it by itself, for nobody listens any more, and the others, which would end it too, are
        /// passed over until that program listens (it reads everything anew). True: it was
        /// asked to end just before, so no program may take over.
        pub(crate) async fn hand_over(mut self) -> bool {
            for (signal, to) in [
                (libc::SIGTERM, libc::SIG_DFL),
                (libc::SIGINT, libc::SIG_DFL),
                (libc::SIGHUP, libc::SIG_IGN),
                (libc::SIGUSR1, libc::SIG_IGN),
                (libc::SIGUSR2, libc::SIG_IGN),
            ] {
                // SAFETY: neither disposition runs code of ours; it cannot fail for these.
                unsafe { libc::signal(signal, to) };
            }
            let end = async { while self.next().await != Signal::End {} };
            tokio::time::timeout(ON_THE_WAY, end).await.is_ok()
        }
    }
}

#[cfg(windows)]
mod os {
    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

    use super::Signal;

    /// The console events that an agent listens to.
    #[derive(Debug)]
    pub(crate) struct ProcessSignals {
        c: CtrlC,
        brk: CtrlBreak,
        close: CtrlClose,
    }

    impl ProcessSignals {
        /// Starts listening.
        pub(crate) fn listen() -> std::io::Result<ProcessSignals> {
            Ok(ProcessSignals {
                c: ctrl_c()?,
                brk: ctrl_break()?,
                close: ctrl_close()?,
            })
        }

        /// Waits for the next one. Cancel-safe. Windows has no "read again".
        pub(crate) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.c.recv() => Signal::End,
                _ = self.brk.recv() => Signal::End,
                _ = self.close.recv() => Signal::End,
            }
        }

        /// No program takes over a process here.
        #[allow(clippy::unused_async, reason = "it has to wait on Unix")]
        pub(crate) async fn hand_over(self) -> bool {
            false
        }
    }
}

pub(crate) use os::ProcessSignals;
